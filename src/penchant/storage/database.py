"""One DuckDB connection, in memory, that never reaches for the network."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from penchant.errors import DataError

Columns = Mapping[str, NDArray[Any] | Sequence[Any]]
Connection = duckdb.DuckDBPyConnection


def connect() -> Connection:
    """An in-memory database in UTC; it neither downloads nor loads extensions.

    Object columns are typed from all their rows, as a sample would take a column that begins
    with many missing values for an empty one.
    """
    database = duckdb.connect(
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    )
    database.execute("set TimeZone = 'UTC'")
    database.execute("set pandas_analyze_sample = 1000000000")
    return database


def identifier(name: str) -> str:
    """A name quoted for SQL.

    >>> print(identifier("event id"))
    "event id"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string quoted for SQL.

    >>> print(literal("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


def column_list(names: Iterable[str]) -> str:
    """Names quoted for SQL, with commas between."""
    return ", ".join(identifier(name) for name in names)


def scalar(database: Connection, sql: str) -> Any:
    """The first cell of a query's answer; None where it has no rows."""
    rows = database.execute(sql).fetchall()
    return rows[0][0] if rows else None


def column_types(database: Connection, source: str) -> dict[str, str]:
    """Column names of a table or a bracketed query, with their SQL types, in order."""
    return {
        row[0]: row[1] for row in database.execute(f"describe select * from {source}").fetchall()
    }


def table_exists(database: Connection, table: str) -> bool:
    """Whether a table of this name stands in the database."""
    count = scalar(
        database,
        f"select count(*) from information_schema.tables where table_name = {literal(table)}",
    )
    return bool(count)


def create_table(database: Connection, table: str, columns: Columns) -> None:
    """Create a table from columns of one length; a first column ``row`` numbers it from 0."""
    if "row" in {name.lower() for name in columns}:
        raise DataError(f"{table}: the column name 'row' is taken; rename that column")
    arrays = {name: _array(name, values) for name, values in columns.items()}
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        common = max(set(lengths.values()), key=list(lengths.values()).count)
        wrong = next(name for name, length in lengths.items() if length != common)
        raise DataError(
            f"column {wrong!r} of {table}: expected {common} rows like the other columns, "
            f"received {lengths[wrong]}; give every column one value a row"
        )
    arrays["row"] = np.arange(max(lengths.values(), default=0))
    view = f"{table} in memory"
    database.register(view, arrays)
    order = column_list(["row", *columns])
    try:
        database.execute(
            f"create table {identifier(table)} as select {order} from {identifier(view)}"
        )
    finally:
        database.unregister(view)


def write_parquet(path: str | Path, columns: Columns) -> None:
    """Write columns (arrays, or lists of text, numbers or lists of text) as a Parquet file."""
    database = connect()
    create_table(database, "data", columns)
    export_parquet(database, f"select {column_list(columns)} from data order by row", path)


def export_parquet(database: Connection, query: str, path: str | Path) -> None:
    """Write a query's answer as a Parquet file."""
    database.execute(f"copy ({query}) to {literal(str(path))} (format parquet, compression zstd)")


def _array(name: str, values: NDArray[Any] | Sequence[Any]) -> NDArray[Any]:
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise DataError(
            f"column {name!r}: expected a list or an array with one value a row, received "
            f"{type(values).__name__}"
        )
    if not isinstance(values, np.ndarray):
        if all(isinstance(value, int | float | np.number) for value in values):
            try:
                return np.asarray(values)
            except OverflowError:
                pass
        array = np.empty(len(values), object)
        for row, value in enumerate(values):
            array[row] = list(value) if isinstance(value, tuple | set) else value
        values = array
    if values.ndim != 1:
        raise DataError(f"column {name!r}: expected one dimension, received shape {values.shape}")
    if values.dtype.kind == "O" and any(isinstance(value, date) for value in values):
        return np.array([None if v is None else str(v) for v in values], object)
    return values.astype(object) if values.dtype.kind in "UST" else values
