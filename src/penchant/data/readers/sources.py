"""Raw files into the data model: events, items and the other tables of one database."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from penchant.data.readers.column_mapping import (
    COLUMN_ALIASES,
    DataMapping,
    TableMapping,
    resolve_columns,
)
from penchant.data.readers.files import read_table
from penchant.data.readers.raw_table import RawTable
from penchant.data.readers.timestamps import TimeColumn, detect_time, float32_time_error
from penchant.errors import DataError
from penchant.storage.database import Connection, column_types, identifier, literal, scalar
from penchant.types import TimeKind

IDS = ("user", "item", "query", "topic", "creator", "behavior", "domain", "session", "event_id")


@dataclass
class Sources:
    """What was read: which tables stand in the database, how time is told, what was lost.

    ``columns`` are the data model's columns of each table that the files really had;
    ``raw`` holds each table's rejects.
    """

    mapping: DataMapping
    time: TimeColumn
    columns: dict[str, list[str]]
    raw: dict[str, RawTable]
    notes: list[str] = field(default_factory=list)


def read_sources(
    database: Connection,
    events: Path | None,
    others: dict[str, Path],
    mapping: DataMapping,
    folder: Path | None = None,
    encoding: str | None = None,
) -> Sources:
    """Read every table into the database.

    Creates ``events`` (row from 1 among the readable rows, ids as text or null, time in int64
    milliseconds or positions, value as double, and the cells that were no time or no value), and
    ``items``, ``users``, ``relations``, ``impressions`` where they are given (an impression's cells
    as those of an event). ``others`` are files by table name;
    ``folder`` is where the mapping's own file names and queries begin (default: that of
    ``events``). Without ``events`` that table stands empty. Raises DataError where a file is
    missing, empty, or its columns are not known.
    """
    first = events or next(iter(others.values()))
    home = first if first.is_dir() else first.parent
    if events is not None and not events.exists():
        raise DataError(f"expected a file or a folder of events at {events}, received none")
    declared = {
        "events": mapping.events,
        "items": mapping.items,
        "users": mapping.users,
        "relations": mapping.relations,
        "impressions": mapping.impressions,
    }
    tables = {table: settings for table, settings in declared.items() if settings is not None}
    if events is None:
        del tables["events"]
    elif not events.is_dir():
        tables["events"] = tables["events"].model_copy(
            update={"file": str(events.resolve()), "sql": None}
        )
    elif mapping.events.file is None and mapping.events.sql is None:
        raise DataError(
            f"{events} is a folder: expected a mapping whose [events] names a file in it, or the "
            "path of the events file"
        )
    for table, path in others.items():
        base = tables.get(table, TableMapping())
        tables[table] = base.model_copy(update={"file": str(path.resolve()), "sql": None})
    columns: dict[str, list[str]] = {}
    raw: dict[str, RawTable] = {}
    notes: list[str] = []
    time = TimeColumn(mapping.time or "none", None, "cast(null as bigint)", "false")
    if events is None:
        columns["events"] = []
        ids = ", ".join(f"{identifier(name)} varchar" for name in IDS)
        database.execute(
            f"create table events (row bigint, {ids}, time bigint, bad_time varchar, "
            "value double, bad_value varchar)"
        )
    with TemporaryDirectory() as scratch:
        for table, settings in tables.items():
            if encoding is not None and settings.encoding is None:
                settings = settings.model_copy(update={"encoding": encoding})
            source = read_table(database, f"raw {table}", folder or home, settings, Path(scratch))
            matched, extra, new_notes = resolve_columns(
                table, source.source, source.columns, settings
            )
            raw[table] = source
            notes += source.notes + new_notes
            columns[table] = [name for name in COLUMN_ALIASES[table] if name in matched]
            if table == "events":
                time = _events(database, source, matched, settings, mapping)
            elif table == "impressions":
                kind = mapping.time if time.kind == "none" else time.kind
                _impressions(database, source, matched, settings, kind)
            else:
                _attributes(database, table, matched, extra if settings.extra else [], settings)
            database.execute(f"drop table {identifier(f'raw {table}')}")
    return Sources(mapping, time, columns, raw, notes)


def _cell(ours: str, matched: dict[str, str], constants: dict[str, str]) -> str:
    parts = []
    if ours in matched:
        name = identifier(matched[ours])
        blank = ours == "query"
        parts.append(
            f"case when {name} ~ '[^\\s\\p{{Z}}]' then {name} end"
            if blank
            else f"nullif({name}, '')"
        )
    if ours in constants:
        parts.append(literal(constants[ours]))
    return f"coalesce({', '.join(parts)})" if parts else "cast(null as varchar)"


def _events(
    database: Connection,
    source: RawTable,
    matched: dict[str, str],
    settings: TableMapping,
    mapping: DataMapping,
) -> TimeColumn:
    time = TimeColumn("none", None, "cast(null as bigint)", "false")
    moment = "cast(null as varchar)"
    if "timestamp" in matched:
        moment = identifier(matched["timestamp"])
        time = detect_time(
            database,
            "raw events",
            matched["timestamp"],
            f"{source.source}, column {matched['timestamp']!r}",
            settings.unit,
            mapping.time,
        )
        if time.kind == "clock" and matched["timestamp"] in source.single:
            raise float32_time_error(source.source)
    elif mapping.time in ("clock", "order"):
        raise DataError(
            f"{source.source}: expected a timestamp column, as the mapping declares time = "
            f'"{mapping.time}", received none; name it under [events] columns, or declare '
            'time = "none"'
        )
    value = _cell("value", matched, settings.constants)
    number = f"try_cast(trim({value}) as double)"
    good = f"isfinite({number})"
    ids = ", ".join(f"{_cell(n, matched, settings.constants)} as {identifier(n)}" for n in IDS)
    database.execute(
        f"create table events as select rowid + 1 as row, {ids}, {time.expression} as time, "
        f"case when {time.unreadable} then {moment} end as bad_time, "
        f"case when {good} then {number} end as value, "
        f"case when trim({value}) <> '' and not coalesce({good}, false) then {value} end "
        f'as bad_value from "raw events" order by rowid'
    )
    return time


def _impressions(
    database: Connection,
    source: RawTable,
    matched: dict[str, str],
    settings: TableMapping,
    kind: TimeKind | None,
) -> None:
    """What was shown: ``clicked`` as a truth value; of the other cells, those that can be read."""
    cells = {
        "position": "case when {number} >= 0 then try_cast({number} as bigint) end",
        "propensity": "case when {number} > 0 and {number} <= 1 then {number} end",
        "clicked": "case when {cell} in ('1', 'true') then true "
        "when {cell} in ('0', 'false') then false end",
    }
    columns = ["rowid + 1 as row"]
    columns += [
        f"{_cell(n, matched, settings.constants)} as {identifier(n)}"
        for n in ("request", "user", "item")
    ]
    for name, readable in cells.items():
        text = _cell(name, matched, settings.constants)
        cell = f"lower(trim({text}))"
        good = readable.format(cell=cell, number=f"try_cast({cell} as double)")
        columns += [
            f"{good} as {name}",
            f"case when {cell} <> '' and ({good}) is null then {text} end as bad_{name}",
        ]
    time, moment = "cast(null as bigint)", "cast(null as varchar)"
    if "timestamp" in matched:
        where = f"{source.source}, column {matched['timestamp']!r}"
        column = matched["timestamp"]
        times = detect_time(database, "raw impressions", column, where, settings.unit, kind)
        if times.kind == "clock" and column in source.single:
            raise float32_time_error(source.source)
        time = times.expression
        moment = f"case when {times.unreadable} then {identifier(column)} end"
    columns += [f"{time} as time", f"{moment} as bad_time"]
    database.execute(
        f'create table impressions as select {", ".join(columns)} from "raw impressions" '
        "order by rowid"
    )


def _attributes(
    database: Connection,
    table: str,
    matched: dict[str, str],
    extra: list[str],
    settings: TableMapping,
) -> None:
    raw = identifier(f"raw {table}")
    cells = ["rowid + 1 as row"]
    kinds = column_types(database, raw)
    names = dict(matched)
    for theirs in extra:
        ours = _free(theirs, names)
        names[ours] = theirs
    for ours in (*names, *(name for name in settings.constants if name not in names)):
        if ours == "tags":
            theirs = names["tags"]
            cell = _tags(theirs, kinds[theirs], settings.tags_delimiter)
        elif ours in COLUMN_ALIASES[table]:
            cell = _cell(ours, names, settings.constants)
        elif ours in names and kinds[names[ours]].endswith("[]"):
            cell = identifier(names[ours])
        else:
            cell = _cell(ours, names, settings.constants)
            if ours in names:
                cell = f"cast({cell} as {_narrow(database, raw, identifier(names[ours]))})"
        cells.append(f"{cell} as {identifier(ours)}")
    database.execute(f"create table {table} as select {', '.join(cells)} from {raw} order by rowid")


def _free(theirs: str, names: dict[str, str]) -> str:
    """A name for an extra column that no chosen column has taken."""
    name = theirs.rsplit(":", 1)[0] if ":" in theirs else theirs
    while name in names or name == "row" or name.lower() in {n.lower() for n in names}:
        name += "_"
    return name


def _narrow(database: Connection, raw: str, name: str) -> str:
    """The type of an extra column: numbers only where no digit is lost ("00501" stays text)."""
    # an empty cell casts to no number, so it is set aside first
    cell = f"nullif({name}, '')"
    if scalar(database, f"select count({cell}) from {raw}") == 0:
        return "varchar"
    lossy = f"{cell} is not null and coalesce(cast(try_cast({cell} as bigint) as varchar), '')"
    if not scalar(database, f"select count(*) from {raw} where {lossy} <> {cell}"):
        return "bigint"
    text = f"{cell} is not null and (not coalesce(isfinite(try_cast({cell} as double)), false)"
    coded = f"({cell} ~ '^[+-]?0[0-9]' or not {cell} ~ '[.eE]' and length({cell}) > 15)"
    if not scalar(database, f"select count(*) from {raw} where {text} or {coded})"):
        return "double"
    return "varchar"


def _tags(theirs: str, kind: str, delimiter: str | None) -> str:
    name = identifier(theirs)
    if kind.endswith("[]"):
        parts = name
    else:
        mark = delimiter or (" " if theirs.endswith("_seq") else "|")
        listed = f"starts_with({name}, '[') and json_valid({name})"
        parts = (
            f"case when {listed} then from_json({name}, '[\"VARCHAR\"]') "
            f"else string_split({name}, {literal(mark)}) end"
        )
    return f"list_filter(list_transform({parts}, lambda tag: trim(tag)), lambda tag: tag <> '')"
