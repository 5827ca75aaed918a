"""An SQLite file of what was made once and can be made again.

A file that is damaged is given up for a new one, whose name bears the next number, so that a
process which still has the old one open loses nothing but its writes.
"""

import os
import re
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Self

# SQLITE_ERROR: the few statements fail on a file that is not ours
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_WAIT = 60.0  # seconds for another process to finish its batch


class SqliteCache:
    """A table in a file, open within a ``with``.

    What goes wrong costs time, never a run: it stands in ``notes``.

    name   of the file, without number and ending
    table  the statement that creates the table where it is not there
    probe  a query that fails where the table is another
    aside  whether a file that was given up stays beside the new one as NAME.NUMBER.aside
    """

    def __init__(
        self, folder: Path, name: str, table: str, probe: str, aside: bool = False
    ) -> None:
        self.folder, self.name = folder, name
        self._table, self._probe, self._aside = table, probe, aside
        self.notes: list[str] = []
        self.base: sqlite3.Connection | None = None
        self.number = 0

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._open()
        except (sqlite3.Error, OSError) as error:
            self.failed(error)
        return self

    def __exit__(self, *_: object) -> None:
        if self.base is not None:
            self.base.close()
            self.base = None

    @property
    def path(self) -> Path:
        """The file in use."""
        return self.folder / f"{self.name}.{self.number}.sqlite"

    def failed(self, error: sqlite3.Error | OSError) -> None:
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
            self.base.execute(self._table)
        self.base.execute(self._probe).fetchone()

    def _remove(self, number: int) -> None:
        old = self.folder / f"{self.name}.{number}.sqlite"
        if self._aside:
            with suppress(OSError):
                old.replace(old.with_suffix(".aside"))
        for end in ("", "-wal", "-shm"):
            with suppress(OSError):
                (self.folder / f"{self.name}.{number}.sqlite{end}").unlink()


def default_folder() -> Path:
    """Where files are kept unless a folder is named; an empty variable counts as none."""
    if named := os.environ.get("PENCHANT_CACHE"):
        return Path(named)
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches) / "penchant"
    return Path.home() / ".cache" / "penchant"
