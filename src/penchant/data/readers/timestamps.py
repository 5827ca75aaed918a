"""Times in any usual unit become int64 UTC milliseconds; a mixture of units is refused."""

from dataclasses import dataclass

from penchant.data.readers.column_mapping import Unit
from penchant.errors import DataError
from penchant.storage.database import Connection, column_types, identifier
from penchant.types import TimeKind

# A unit is told by magnitude: from 1973 to the year 5138 in seconds, and so on by thousands.
SMALL = 1e8
CLASSES = {"s": 1e11, "ms": 1e14, "us": 1e17, "ns": 1e20}
WORDS = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "iso": "ISO dates",
    "small": "small numbers",
}


@dataclass(frozen=True)
class TimeColumn:
    """How a column tells time.

    ``expression`` is SQL for int64 milliseconds (positions, where the kind is "order"), null
    where a cell is missing or unreadable; ``unreadable`` is SQL for the cells that hold something
    else than a time.
    """

    kind: TimeKind
    unit: str | None
    expression: str
    unreadable: str


def detect_time(
    database: Connection,
    table: str,
    column: str,
    where: str,
    unit: Unit | None = None,
    kind: TimeKind | None = None,
) -> TimeColumn:
    """Find the unit of a column of times; what is declared is believed.

    Numbers below 1e8 are positions (kind "order") unless others of the column are clock times.
    Sub-millisecond digits are cut off. Raises DataError, with counts and an example of each,
    where units are mixed.

    ``where`` names the source in messages.
    """
    sql_type = column_types(database, identifier(table))[column]
    name = identifier(column)
    if kind == "none":
        return TimeColumn("none", None, "cast(null as bigint)", "false")
    if sql_type.startswith(("TIMESTAMP", "DATE")):
        return TimeColumn("clock", "iso", f"epoch_ms(cast({name} as timestamptz))", "false")
    if sql_type == "VARCHAR":
        cell = f"trim({name})"
        date = f"(case when {cell} ~ '^[0-9]' then try_cast({cell} as timestamptz) end)"
    else:
        cell, date = f"cast({name} as varchar)", "cast(null as timestamptz)"
    number = f"try_cast({cell} as double)" if sql_type == "VARCHAR" else f"cast({name} as double)"
    empty = f"({name} is null or {cell} = '')"
    bands = " ".join(f"when abs({number}) < {top} then '{u}'" for u, top in CLASSES.items())
    sort = (
        f"case when {empty} then 'missing' when {number} is not null then "
        f"case when abs({number}) < {SMALL} then 'small' {bands} else 'unreadable' end "
        f"when {date} is not null then 'iso' else 'unreadable' end"
    )
    counts = {
        row[0]: (row[1], row[2])
        for row in database.execute(
            f"select sort, count(*), min_by(cell, r) from (select {sort} as sort, {cell} as cell, "
            f"rowid as r from {identifier(table)}) group by sort"
        ).fetchall()
    }
    present = [u for u in WORDS if u in counts]
    if kind == "order":
        return _order(database, table, name, number, empty, where)
    if unit is None:
        units = [u for u in present if u != "small"]
        if len(units) > 1 or (units == ["iso"] and "small" in present):
            counted = ", ".join(
                f"{counts[u][0]} {WORDS[u]} (such as {counts[u][1]})" for u in present
            )
            raise DataError(
                f"{where}: expected timestamps of one unit, received {counted}; convert them to "
                "one unit, or declare unit = in the mapping and the others count as unreadable"
            )
        if not units:
            if "small" in present:
                return _order(database, table, name, number, empty, where)
            return TimeColumn("none", None, "cast(null as bigint)", f"not {empty}")
        resolved = units[0]
    else:
        resolved = unit
    if sql_type == "FLOAT":
        raise float32_time_error(where)
    exact = f"try_cast({cell} as bigint)" if sql_type == "VARCHAR" else f"cast({name} as bigint)"
    value = {
        "s": f"cast(round({number} * 1000) as bigint)",
        "ms": f"cast(floor({number}) as bigint)",
        "us": f"cast(floor({number} / 1000) as bigint)",
        # a double would round nanoseconds across the boundary of a millisecond
        "ns": f"coalesce({exact} // 1000000, cast(floor({number} / 1000000) as bigint))",
        "iso": f"epoch_ms({date})",
    }[resolved]
    fits = f"({sort}) = 'iso'" if resolved == "iso" else f"({sort}) in ('small', {_upto(resolved)})"
    return TimeColumn(
        "clock", resolved, f"case when {fits} then {value} end", f"not {empty} and not ({fits})"
    )


def float32_time_error(where: str) -> DataError:
    """The error for clock times in float32."""
    return DataError(
        f"{where}: expected timestamps of at least 64 bits, received float32, which cannot tell "
        "seconds apart; store them as int64"
    )


def _upto(unit: str) -> str:
    """The bands that a declared unit accepts: its own and the smaller ones."""
    units = list(CLASSES)
    return ", ".join(f"'{u}'" for u in units[: units.index(unit) + 1])


def _order(
    database: Connection, table: str, name: str, number: str, empty: str, where: str
) -> TimeColumn:
    broken = database.execute(
        f"select cast({name} as varchar) from {identifier(table)} "
        f"where isfinite({number}) and {number} <> floor({number}) order by rowid limit 1"
    ).fetchall()
    if broken:
        raise DataError(
            f"{where}: expected whole numbers, as these timestamps are positions and no clock, "
            f"received {broken[0][0]}; number the events 0, 1, 2 ... in their order"
        )
    fits = f"coalesce(abs({number}) < 9007199254740992, false)"
    return TimeColumn(
        "order",
        None,
        f"case when {fits} then cast({number} as bigint) end",
        f"not {empty} and not {fits}",
    )
