"""Rows that were made once, kept by what they were made of.

One SQLite file for each encoder key, in it one row for each content: SHA-256 of the content ->
float32 bytes and their CRC-32.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from penchant.storage.sqlite_cache import SqliteCache, default_folder

Rows = NDArray[np.float32]

_AT_ONCE = 500  # SQLite's oldest limit on the parameters of a statement is 999
_TABLE = (
    "CREATE TABLE IF NOT EXISTS rows "
    "(content BLOB PRIMARY KEY, row BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID"
)
_PROBE = "SELECT content, row, crc FROM rows LIMIT 1"


class Cache:
    """A folder of rows by encoder and content.

    folder  default: the environment's PENCHANT_CACHE, else penchant in XDG_CACHE_HOME, else
            ~/.cache/penchant
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_folder()

    def shelf(self, key: str, width: int) -> "Shelf":
        """The rows of one encoder, ``width`` numbers each; to be used in a ``with``."""
        return Shelf(self.folder, f"{sha256(key.encode()).hexdigest()[:32]}-{width}", width)


class Shelf(SqliteCache):
    """The rows of one encoder."""

    def __init__(self, folder: Path, name: str, width: int) -> None:
        super().__init__(folder, name, _TABLE, _PROBE)
        self.width = width

    def get(self, contents: Sequence[bytes]) -> dict[bytes, Rows]:
        """The rows that are there, by content; one that does not bear its own sum is not there."""
        found: dict[bytes, Rows] = {}
        base = self.base
        if base is None:
            return found
        try:
            for start in range(0, len(contents), _AT_ONCE):
                some = contents[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"SELECT content, row, crc FROM rows WHERE content IN ({marks})"
                for content, row, crc in base.execute(query, some):
                    if len(row) == 4 * self.width and zlib.crc32(row) == crc:
                        found[content] = np.frombuffer(row, "<f4").astype(np.float32)
        except (sqlite3.Error, OSError) as error:
            self.failed(error)
        return found

    def put(self, rows: Mapping[bytes, Rows]) -> None:
        """Keep rows, (D,) each, by content; they are on disk when this returns."""
        try:
            if self.base is not None:
                with self.base:
                    self.base.executemany(
                        "INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", _records(rows.items())
                    )
        except (sqlite3.Error, OSError) as error:
            self.failed(error)


def _records(rows: Iterable[tuple[bytes, Rows]]) -> Iterable[tuple[bytes, bytes, int]]:
    for content, row in rows:
        data = row.astype("<f4").tobytes()
        yield content, data, zlib.crc32(data)
