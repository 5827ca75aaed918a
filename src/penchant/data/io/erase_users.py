"""Users out of the Parquet files of a DATA directory, for good."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from penchant.data.io.layout import FILES
from penchant.data.tombstones import read_tombstones
from penchant.errors import DataError
from penchant.storage.database import (
    Connection,
    column_types,
    connect,
    create_table,
    identifier,
    literal,
    scalar,
)
from penchant.storage.signing_key import SigningKey

COLUMNS = ("user", "friend")
"""What names a person in a file of a DATA directory."""


def erase_users(directory: str | Path, users: Sequence[str], key: SigningKey) -> dict[str, int]:
    """Take all rows of some users out of a DATA directory; how many of each table, if any.

    Their tombstones are written first: what breaks off is not taken in again. Each file is put in
    place as a whole, the events last. Raises DataError where there is no such directory or a file
    cannot be read, ConfigError for another key than that of the tombstones there.
    """
    folder = Path(directory)
    if not (folder / "events.parquet").is_file():
        raise DataError(f"expected a DATA directory at {folder}, found no events.parquet there")
    read_tombstones(folder).with_users(users, key).write(folder)
    counts = {}
    for table in reversed(FILES):
        if (file := folder / f"{table}.parquet").is_file():
            counts[table] = erase_rows(file, users)
    return {table: count for table, count in counts.items() if count}


def erase_rows(file: Path, users: Sequence[str]) -> int:
    """Take the rows that name some users out of one Parquet file; how many.

    Raises DataError where it cannot be read or names no users.
    """
    database = connect()
    try:
        source, where = _matching_rows(database, file, users)
        if not where:
            if file.stem == "items":
                return 0
            raise DataError(f"{file}: expected a column 'user', received none; name another file")
        count = int(scalar(database, f"select count(*) from {source} where {where}"))
        if not count:
            return 0
        part = file.with_name(f".{file.name}.part")
        remaining = f"select * exclude (file_row_number) from {source} where not ({where})"
        database.execute(
            f"copy ({remaining} order by file_row_number) to {literal(str(part))} "
            "(format parquet, compression zstd)"
        )
        part.replace(file)
    except duckdb.Error as error:
        raise DataError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error
    return count


def user_rows(file: Path, user: str) -> list[dict[str, object]]:
    """The rows of one Parquet file that name a user; none where it names nobody."""
    database = connect()
    try:
        source, where = _matching_rows(database, file, [user])
        if not where:
            return []
        answer = database.execute(
            f"select * exclude (file_row_number) from {source} where {where} "
            "order by file_row_number"
        )
        heads = [head[0] for head in answer.description or []]
        return [dict(zip(heads, row, strict=True)) for row in answer.fetchall()]
    except duckdb.Error as error:
        raise DataError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error


def _matching_rows(database: Connection, file: Path, users: Sequence[str]) -> tuple[str, str]:
    """The file as a source of rows, and the condition that one of them names some users."""
    source = f"read_parquet({literal(str(file))}, file_row_number = true, binary_as_string = true)"
    create_table(database, "asked", {"name": list(users)})
    names = [name for name in column_types(database, source) if name in COLUMNS]
    where = " or ".join(
        f"coalesce(cast({identifier(name)} as varchar) in (select name from asked), false)"
        for name in names
    )
    return source, where
