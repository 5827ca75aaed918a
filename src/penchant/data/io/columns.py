"""The columns of a DATA directory, or of memory, under their names and types."""

from typing import Any

from penchant.data.dataset import Dataset
from penchant.data.io.assembler import Assembly
from penchant.data.io.layout import DatasetSettings
from penchant.data.readers.timestamps import detect_time
from penchant.errors import DataError, counted
from penchant.storage.database import (
    Connection,
    column_types,
    identifier,
    literal,
    scalar,
    table_exists,
)

TEXT = ("user", "item", "query", "topic", "creator", "behavior", "domain")


def name_columns(database: Connection, table: str, source: str, where: str) -> None:
    """Create a table with the columns of the data model, identifiers as text."""
    kinds = column_types(database, source)
    needed = {"items": ["item"], "users": ["user"], "relations": ["user", "friend"]}.get(
        table, ["user"]
    )
    if table in ("events", "test") and not set(TEXT[1:5]) & set(kinds):
        needed.append("item")
    for name in needed:
        if name not in kinds:
            raise DataError(
                f"{where}: expected a column {name!r}, received "
                f"{', '.join(k for k in kinds if k not in ('row', 'file_row_number'))}; "
                "rename it, or let penchant ingest read the source"
            )
    if table in ("items", "users", "relations"):
        cells = [
            f"cast({identifier(n)} as varchar) as {identifier(n)}"
            if n in (*needed, "domain", "title")
            else identifier(n)
            for n in kinds
            if n not in ("row", "file_row_number")
        ]
    else:
        cells = [
            f"cast({identifier(n) if n in kinds else 'null'} as varchar) as {identifier(n)}"
            for n in TEXT
        ]
        cells += [n if n in kinds else f"null::bigint as {n}" for n in ("timestamp",)]
        cells.append(f"{'cast(value as double)' if 'value' in kinds else 'null::double'} as value")
    database.execute(
        f"create table {identifier(table)} as select {', '.join(cells)}, row from {source}"
    )


def assemble(
    database: Connection, name: str, settings: DatasetSettings, notes: list[str], where: str
) -> Dataset:
    """Fill, date and encode the tables that ``name_columns`` made; ``notes`` is added to."""
    for part in ("events", "test"):
        if not table_exists(database, part):
            continue
        for column, filling in (("behavior", "event"), ("domain", "default")):
            empty = f"{column} is null or {column} = ''"
            if count := scalar(database, f"select count(*) from {part} where {empty}"):
                database.execute(f"update {part} set {column} = {literal(filling)} where {empty}")
                rows = counted(count, "row")
                notes.append(f"{part}: {rows} without {column} set to {filling!r}")
    declared = settings.time is not None and settings.target is not None
    if not declared and not scalar(database, "select count(*) from events"):
        raise DataError(f"{where}: expected at least one event, received none")
    place = f"{where}, column 'timestamp'"
    unit: Any = settings.unit
    times = detect_time(database, "events", "timestamp", place, unit, settings.time)
    kind = settings.time or times.kind
    if settings.time is None:
        reason = {
            "clock": f"its numbers are times in {times.unit}",
            "order": "its numbers are small",
            "none": "no event has one",
        }[times.kind]
        notes.append(f"time taken to be {times.kind!r} from the timestamp column: {reason}")
    for part in ("events", "test"):
        if table_exists(database, part):
            if part == "test":
                times = detect_time(database, part, "timestamp", place, unit, kind)
            bad = database.execute(
                f"select row, cast(timestamp as varchar) from {part} where {times.unreadable} "
                "order by row limit 1"
            ).fetchall()
            if bad:
                raise DataError(
                    f"{where}, {part}, row {bad[0][0]} of column 'timestamp': expected a time, "
                    f"received {bad[0][1]!r}; correct it, or let penchant ingest clean the source"
                )
            infinite = f"select min(row) from {part} where isinf(value)"
            if (row := scalar(database, infinite)) is not None:
                raise DataError(
                    f"{where}, {part}, row {row} of column 'value': expected a finite number or "
                    "none, received an infinite one; correct it, or let penchant ingest clean it"
                )
            database.execute(f"alter table {part} add column time bigint")
            database.execute(f"update {part} set time = {times.expression}")
    return Assembly(database, name, kind, settings, notes).dataset()
