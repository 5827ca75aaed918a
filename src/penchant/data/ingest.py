"""Ingest: read files as they come, clean them, write a DATA directory and a cleaning report."""

import os
from functools import partial
from pathlib import Path

from penchant.config import CleaningSettings
from penchant.data.cleaning.pseudonyms import pseudonymize
from penchant.data.cleaning.report import CleaningReport
from penchant.data.cleaning.rules import clean
from penchant.data.io.columns import TEXT
from penchant.data.io.impressions import impressions_query
from penchant.data.io.layout import DatasetSettings, write_directory
from penchant.data.io.load import MEDIA_COLUMNS
from penchant.data.readers.column_mapping import COLUMN_ALIASES, DataMapping
from penchant.data.readers.sources import read_sources
from penchant.data.tombstones import Tombstones, read_tombstones
from penchant.errors import DataError
from penchant.storage.database import (
    Connection,
    column_list,
    column_types,
    connect,
    identifier,
    literal,
    table_exists,
)
from penchant.storage.signing_key import SigningKey, load_key


def ingest(
    events: str | Path | None,
    out: str | Path,
    *,
    items: str | Path | None = None,
    users: str | Path | None = None,
    relations: str | Path | None = None,
    mapping: str | Path | DataMapping | None = None,
    settings: CleaningSettings | None = None,
    strict: bool = False,
    encoding: str | None = None,
    impressions: str | Path | None = None,
    pseudonyms: SigningKey | None = None,
    tombstones: Tombstones | None = None,
    key: SigningKey | None = None,
) -> CleaningReport:
    """Read raw files, clean them and write a DATA directory.

    Parameters
    ----------
    events
        A file, or a folder in which the mapping's tables name their files; None where there are
        ``items`` alone, to update a run with.
    out
        The DATA directory to write.
    items, users, relations, impressions
        Files of the other tables, where there are any.
    mapping
        Which column is which: a TOML file or a ``DataMapping``; by default columns are recognized
        by their names.
    settings
        What the cleaning rules do; see ``CleaningSettings``.
    strict
        Refuse input in which a rule finds something.
    encoding
        Of text files that are not UTF-8, such as "latin-1" or "gbk".
    pseudonyms
        A key: user ids become keyed digests.
    tombstones
        Users who were forgotten; their rows are dropped, and so are those of the tombstones that
        stand in ``out``.
    key
        The key that the tombstones were made with (default: that of ``default_key_path``).

    Returns
    -------
    CleaningReport
        Rows in and out of each table, what each rule found, and notes.

    Raises
    ------
    DataError
        Where the input cannot be read, or no event is left.
    StrictError
        Where ``strict`` is set and a rule found something; nothing has been written then.

    Examples
    --------
    >>> from penchant import ingest
    >>> report = ingest("events.csv", "shop", items="items.csv")  # doctest: +SKIP
    >>> print(report.rows_in, report.rows_out)  # doctest: +SKIP
    """
    if mapping is None or isinstance(mapping, str | Path):
        mapping = DataMapping() if mapping is None else DataMapping.load(mapping)
    given = {"items": items, "users": users, "relations": relations, "impressions": impressions}
    database = connect()
    path = None if events is None else Path(events)
    sources = read_sources(
        database,
        path,
        {table: Path(file) for table, file in given.items() if file is not None},
        mapping,
        encoding=encoding,
    )
    if pseudonyms is not None:
        pseudonymize(database, sources, pseudonyms)
    existing = read_tombstones(out) if Path(out).is_dir() else Tombstones()
    forgotten_users = existing.union(tombstones or Tombstones())
    forgotten = partial(forgotten_users.among, key=key or load_key()) if forgotten_users else None
    report = clean(database, sources, settings or CleaningSettings(), strict, forgotten)
    if path is not None and not report.rows_out:
        raise DataError(
            f"{path}: expected events to remain after cleaning, received none of "
            f"{report.rows_in} rows: {'; '.join(map(str, report.findings))}"
        )
    standard = [
        n
        for n in COLUMN_ALIASES["events"]
        if n not in ("timestamp", "value", "session", "event_id")
    ]
    used = sources.columns["events"]
    columns = [n for n in standard if n in (*TEXT[:2], "behavior", "domain") or n in used]
    query = f"select {column_list(columns)}, time as timestamp"
    query += "".join(f", {name}" for name in ("value", "session", "event_id") if name in used)
    queries = {"events": f"{query} from events order by row"}
    for table in ("items", "users", "relations"):
        if table_exists(database, table):
            if table == "items":
                home = Path(items or events or ".")
                _relocate_media(database, home if home.is_dir() else home.parent, Path(out))
            names = [name for name in column_types(database, table) if name != "row"]
            queries[table] = f"select {column_list(names)} from {table} order by row"
    if table_exists(database, "impressions"):
        queries["impressions"] = impressions_query(sources.columns["impressions"])
    kind = sources.time.kind
    dataset = DatasetSettings(
        name=mapping.name or Path(out).resolve().name,
        time=kind,
        unit="ms" if kind == "clock" else None,
        protocol=mapping.protocol,
        target=mapping.target,
        behaviors=mapping.behaviors,
    )
    write_directory(database, Path(out), queries, dataset)
    forgotten_users.write(out)
    return report


def _relocate_media(database: Connection, home: Path, out: Path) -> None:
    """Paths that stood relative to the items' file, relative to the DATA directory."""
    prefix = literal(os.path.relpath(home, out) + "/")
    for name in {*MEDIA_COLUMNS} & {*column_types(database, "items")}:
        cell = identifier(name)
        database.execute(
            f"update items set {cell} = {prefix} || {cell} where not starts_with({cell}, '/')"
        )
