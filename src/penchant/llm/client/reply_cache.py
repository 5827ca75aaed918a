"""Replies that came once, kept by what was asked of whom.

An SQLite file of SHA-256 of the question -> the reply's text and its CRC-32. No question is in it.
"""

import json
import sqlite3
import zlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from penchant.llm.client.base import Prompt
from penchant.storage.sqlite_cache import SqliteCache, default_folder

_TABLE = (
    "CREATE TABLE IF NOT EXISTS replies "
    "(question BLOB PRIMARY KEY, reply TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID"
)
_PROBE = "SELECT question, reply, crc FROM replies LIMIT 1"


class ReplyCache:
    """The kept replies in a folder, for any number of threads and processes.

    A file that is damaged or not ours is put aside; ``notes`` tells of it.

    folder  default: as that of encoded content, from PENCHANT_CACHE
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_folder()
        self.notes: list[str] = []

    def get(self, question: bytes) -> str | None:
        """The reply to a question, None where there is none that bears its own sum."""
        found = None
        with self._file() as file:
            try:
                if file.base is not None:
                    query = "SELECT reply, crc FROM replies WHERE question = ?"
                    found = file.base.execute(query, (question,)).fetchone()
            except sqlite3.Error as error:
                file.failed(error)
        self._tell(file)
        if found is None or not isinstance(found[0], str) or _sum(found[0]) != found[1]:
            return None
        return str(found[0])

    def put(self, question: bytes, reply: str) -> None:
        """Keep a reply; it is on disk when this returns."""
        with self._file() as file:
            try:
                if file.base is not None:
                    with file.base:
                        row = (question, reply, _sum(reply))
                        file.base.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", row)
            except sqlite3.Error as error:
                file.failed(error)
        self._tell(file)

    def _file(self) -> SqliteCache:
        # open for one question: connections are not shared by threads, and this takes a
        # thousandth of what a model takes
        return SqliteCache(self.folder, "replies", _TABLE, _PROBE, aside=True)

    def _tell(self, file: SqliteCache) -> None:
        self.notes += [note for note in file.notes if note not in self.notes]


def reply_key(asked: Mapping[str, object], prompt: Prompt, schema: Mapping[str, object]) -> bytes:
    """The key of a reply: of whom it was asked and how, the prompt's messages, and its form."""
    parts = [dict(asked), prompt.system, prompt.user, dict(schema)]
    return sha256(json.dumps(parts, sort_keys=True).encode()).digest()


def _sum(reply: str) -> int:
    return zlib.crc32(reply.encode())
