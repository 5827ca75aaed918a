"""Rows that were made once, kept by what they were made of.

One SQLite file for each encoder key, in it one row for each content: SHA-256 of the content ->
float32 bytes and their CRC-32. A file that is damaged is given up for a new one, whose name bears
the next number, so that a process which still has the old one open loses nothing but its writes.
"""

import os
import re
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]

# SQLITE_ERROR: our few statements fail on a file that is not ours
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_WAIT = 60.0  # seconds for another process to finish its batch
_AT_ONCE = 500  # SQLite's oldest limit on the parameters of a statement is 999
_TABLE = (
    "CREATE TABLE IF NOT EXISTS rows "
    "(content BLOB PRIMARY KEY, row BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID"
)


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


class Shelf:
    """The rows of one encoder. What goes wrong costs time, never a run: it stands in ``notes``."""

    def __init__(self, folder: Path, name: str, width: int) -> None:
        self.folder, self.name, self.width = folder, name, width
        self.notes: list[str] = []
        self.base: sqlite3.Connection | None = None
        self.number = 0

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._open()
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
        return self

    def __exit__(self, *_: object) -> None:
        if self.base is not None:
            self.base.close()
            self.base = None

    @property
    def path(self) -> Path:
        """The file in use."""
        return self.folder / f"{self.name}.{self.number}.sqlite"

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
            self._failed(error)
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
            self._failed(error)

    def _open(self) -> None:
        """Open the file of the highest number, and remove those that were given up."""
        pattern = re.compile(re.escape(self.name) + r"\.(\d+)\.sqlite")
        names = (pattern.fullmatch(path.name) for path in self.folder.iterdir())
        numbers = sorted(int(name[1]) for name in names if name)
        self.number = max([self.number, *numbers])
        for old in numbers:
            if old < self.number:
                self._remove(old)
        self.base = sqlite3.connect(self.path, timeout=_WAIT)
        self.base.execute("PRAGMA journal_mode = WAL")
        self.base.execute("PRAGMA synchronous = NORMAL")
        with self.base:
            self.base.execute(_TABLE)
        self.base.execute("SELECT content, row, crc FROM rows LIMIT 1").fetchone()

    def _failed(self, error: sqlite3.Error | OSError) -> None:
        """Go on with a new file where this one is damaged, without any where that is no help."""
        path, code = self.path, getattr(error, "sqlite_errorcode", 0)
        self.__exit__()
        if code & 0xFF not in _DAMAGE:
            self.notes.append(f"no cache in {self.folder}, so all is made anew: {error}")
            return
        self.notes.append(f"the cache {path.name} was damaged ({error}) and is begun anew")
        self.number += 1
        try:
            self._open()
        except (sqlite3.Error, OSError) as second:
            self.__exit__()
            self.notes.append(f"no cache in {self.folder}: {second}")

    def _remove(self, number: int) -> None:
        for end in ("", "-wal", "-shm"):
            with suppress(OSError):
                (self.folder / f"{self.name}.{number}.sqlite{end}").unlink()


def default_folder() -> Path:
    """Where rows are kept unless a folder is named; an empty variable counts as none."""
    if named := os.environ.get("PENCHANT_CACHE"):
        return Path(named)
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches) / "penchant"
    return Path.home() / ".cache" / "penchant"


def _records(rows: Iterable[tuple[bytes, Rows]]) -> Iterable[tuple[bytes, bytes, int]]:
    for content, row in rows:
        data = row.astype("<f4").tobytes()
        yield content, data, zlib.crc32(data)
