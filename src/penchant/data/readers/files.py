"""A file, or a query over files, as one table of text: nothing is lost without being counted."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from penchant.data.readers.column_mapping import TableMapping
from penchant.data.readers.delimited import (
    LONGEST_LINE,
    CsvFormat,
    check_unique_columns,
    read_delimited,
    scan_csv,
)
from penchant.data.readers.raw_table import RawTable, suffix
from penchant.data.readers.text_encoding import TextFile, open_text
from penchant.errors import DataError
from penchant.storage.database import Connection, column_types, identifier, literal, scalar

JSON = (".json", ".jsonl", ".ndjson")


def read_table(
    database: Connection, table: str, folder: Path, mapping: TableMapping, scratch: Path
) -> RawTable:
    """Read one source into a table of text columns, in the order of the file.

    ``scratch`` is a folder for copies in UTF-8. Raises DataError where the source is missing, is
    empty, is not in its encoding or breaks off inside a quote.
    """
    raw = _read(database, table, folder, mapping, scratch)
    for column in raw.columns:
        if column.lower() == "rowid":
            # the database's own rowid, which is the order of the file, would be hidden
            database.execute(
                f"alter table {identifier(table)} rename column {identifier(column)} to rowid_"
            )
            return replace(raw, columns=["rowid_" if c == column else c for c in raw.columns])
    return raw


def _read(
    database: Connection, table: str, folder: Path, mapping: TableMapping, scratch: Path
) -> RawTable:
    if mapping.sql is not None:
        return _query(database, table, folder, mapping.sql)
    if mapping.file is None:
        raise DataError(f"[{table}] in the mapping: expected file = or sql =, received neither")
    path = folder / mapping.file
    if not path.is_file():
        raise DataError(f"expected a file for {table} at {path}, received none; correct its name")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: expected a header and at least one row")
    kind = suffix(path)
    if kind in (".parquet", ".pq"):
        source = f"read_parquet({literal(str(path))}, binary_as_string = true)"
        raw = _typed(database, table, source, str(path))
    else:
        text = open_text(path, mapping.encoding, scratch)
        raw = (
            _json(database, table, text)
            if kind in JSON
            else read_delimited(database, table, text, mapping, scratch)
        )
    if not raw.rejected and not scalar(database, f"select count(*) from {identifier(table)}"):
        raise DataError(f"{path} holds no rows: expected at least one after the header")
    return raw


def _query(database: Connection, table: str, folder: Path, sql: str) -> RawTable:
    with TemporaryDirectory() as link:
        place = folder.resolve()
        if "," in str(place):
            # DuckDB splits its search path at commas
            place = Path(link) / "data"
            place.symlink_to(folder.resolve(), target_is_directory=True)
        database.execute(f"set file_search_path = {literal(str(place))}")
        try:
            sql = sql.strip().rstrip(";")
            return _typed(database, table, f"({sql})", f"the query of [{table}] in {folder}")
        finally:
            database.execute("reset file_search_path")


def _typed(database: Connection, table: str, source: str, name: str) -> RawTable:
    try:
        columns = column_types(database, source)
        cells = ", ".join(f"{_text(c, t)} as {identifier(c)}" for c, t in columns.items())
        database.execute(f"create table {identifier(table)} as select {cells} from {source}")
    except duckdb.Error as error:
        raise DataError(f"{name} cannot be read: {str(error).splitlines()[0]}") from error
    single = tuple(column for column, kind in columns.items() if kind == "FLOAT")
    return RawTable(name, list(columns), single=single)


def _text(column: str, kind: str) -> str:
    name = identifier(column)
    if kind.endswith("[]"):
        return f"cast({name} as varchar[])"
    if kind in ("DOUBLE", "FLOAT"):
        # pandas writes integers beside missing values as 7.0; the identifier was 7
        return (
            f"case when {name} = trunc({name}) and abs({name}) < 9007199254740992 "
            f"then cast(cast({name} as bigint) as varchar) else cast({name} as varchar) end"
        )
    if kind.startswith(("STRUCT", "MAP")):
        return f"cast(to_json({name}) as varchar)"
    return f"cast({name} as varchar)"


def _json(database: Connection, table: str, text: TextFile) -> RawTable:
    name = identifier(table)
    if text.head().lstrip().startswith("["):
        try:
            database.execute(
                f"create temp table lines as select cast(json as varchar) as line from "
                f"read_json_objects({literal(str(text.path))}, format = 'array', "
                f"maximum_object_size = {LONGEST_LINE})"
            )
        except duckdb.Error as error:
            raise DataError(f"{text.name} is not JSON: {str(error).splitlines()[0]}") from error
    else:
        # a raw control character cannot occur in JSON, so no line is ever split
        scan_csv(database, "lines", text, CsvFormat(["line"], "\x01", "", header=False))
        lost = database.execute("select line, error_type from reject_errors order by 1").fetchall()
        if lost:
            raise DataError(
                f"{text.name}, line {lost[0][0]}: expected a line of JSON of at most "
                f"{LONGEST_LINE} bytes, received {lost[0][1].lower()}; shorten or remove it"
            )
    # SQL promises no order for "and", and json_type fails on what is no JSON
    good = "case when json_valid(line) then json_type(line) = 'OBJECT' else false end"
    bad = f"trim(coalesce(line, '')) <> '' and not {good}"
    rejected = scalar(database, f"select count(*) from lines where {bad}")
    shown = database.execute(
        f"select rowid + 1, left(line, 80) from lines where {bad} order by rowid limit 5"
    ).fetchall()
    keys = [
        row[0]
        for row in database.execute(
            f"select key from (select unnest(json_keys(line)) as key, rowid as r from lines "
            f"where {good}) group by key order by min(r), key"
        ).fetchall()
    ]
    if not keys and rejected:
        raise DataError(
            f"{text.name}: expected one JSON object a line, received {rejected} lines that are "
            f"none, the first: {shown[0][1]!r}"
        )
    check_unique_columns(text.name, keys)
    pointers = [literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in keys]
    cells = [
        f"json_extract_string(line, {pointer}) as {identifier(key)}"
        for key, pointer in zip(keys, pointers, strict=True)
    ] or ["null as line"]
    database.execute(
        f"create table {name} as select {', '.join(cells)} from lines where {good} "
        "order by lines.rowid"
    )
    database.execute("drop table lines")
    examples: list[dict[str, object]] = [
        {"line": line, "received": received, "expected": "a JSON object"}
        for line, received in shown
    ]
    return RawTable(text.name, keys, rejected, examples)
