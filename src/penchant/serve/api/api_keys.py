"""API keys: who may do what, and how often."""

import secrets
import threading
import time
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update

from penchant.errors import ConfigError, unknown
from penchant.serve.store import tables as t
from penchant.serve.store.records import now
from penchant.serve.store.store import Store
from penchant.serve.store.tables import writing

SCOPES = {
    "read": "lists, similar items, interests and explanations",
    "write": "events, sessions, what users say of interests and of consent",
    "admin": "everything, items, forgetting, metrics and the reload of artifacts among it",
}
_FRESH = 5.0
"""Seconds for which a worker remembers a key: as long may a revoked one still work."""


class Key(NamedTuple):
    """A key as the store knows it: by its digest alone."""

    id: str
    name: str
    scopes: frozenset[str]
    time: int
    revoked: int | None

    def may(self, scope: str) -> bool:
        """Whether it opens a scope."""
        return scope in self.scopes or "admin" in self.scopes


class Keys:
    """The keys of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.seen: dict[str, tuple[float, Key | None]] = {}

    def add(self, name: str, scopes: set[str]) -> str:
        """Make a key; it is told now and never again. ConfigError for a scope that is none."""
        for scope in scopes:
            if scope not in SCOPES:
                raise unknown("scope", scope, SCOPES)
        if not scopes:
            raise ConfigError(f"expected scopes among {', '.join(SCOPES)}, received none")
        key = f"pk_{secrets.token_urlsafe(32)}"
        row = {
            "id": secrets.token_hex(4),
            "name": name,
            "digest": _digest(key),
            "scopes": " ".join(sorted(scopes)),
            "time": now(),
        }
        with writing(self.store.engine) as connection:
            connection.execute(insert(t.keys).values(row))
        return key

    def listed(self) -> list[Key]:
        """All keys, the oldest first."""
        columns = (t.keys.c.id, t.keys.c.name, t.keys.c.scopes, t.keys.c.time, t.keys.c.revoked)
        with self.store.reader.connect() as connection:
            return [
                _key(row) for row in connection.execute(select(*columns).order_by(t.keys.c.time))
            ]

    def revoke(self, id: str) -> None:
        """End a key; ConfigError where there is none of this id."""
        with writing(self.store.engine) as connection:
            one = update(t.keys).where(t.keys.c.id == id).values(revoked=now())
            if not connection.execute(one).rowcount:
                raise unknown("key", id, [key.id for key in self.listed()] or ["none"])

    def check(self, key: str) -> Key | None:
        """The key that a request brings; None where it is none, or revoked."""
        digest = _digest(key)
        at, found = self.seen.get(digest, (-_FRESH, None))
        if time.monotonic() - at < _FRESH:
            return found
        columns = (t.keys.c.id, t.keys.c.name, t.keys.c.scopes, t.keys.c.time, t.keys.c.revoked)
        with self.store.reader.connect() as connection:
            row = connection.execute(select(*columns).where(t.keys.c.digest == digest)).first()
        found = None if row is None or row[4] is not None else _key(row)
        if len(self.seen) > 10_000:  # somebody tries keys
            self.seen.clear()
        self.seen[digest] = time.monotonic(), found
        return found


class Bucket:
    """So many requests a second for each caller, twice as many at once (token bucket)."""

    def __init__(self, rate: float) -> None:
        self.rate, self.most = rate, 2 * rate
        self.left: dict[str, tuple[float, float]] = {}
        self.lock = threading.Lock()

    def wait(self, caller: str, at: float | None = None) -> float:
        """Take one; seconds to wait for it, 0 where there was one.

        >>> bucket = Bucket(1.0)
        >>> [bucket.wait("a", at=0.0) for _ in range(3)]
        [0.0, 0.0, 1.0]
        """
        if self.rate <= 0:
            return 0.0
        at = time.monotonic() if at is None else at
        with self.lock:
            left, before = self.left.get(caller, (self.most, at))
            left = min(self.most, left + (at - before) * self.rate)
            taken = left >= 1
            if len(self.left) > 100_000:
                self.left.clear()
            self.left[caller] = left - taken, at
        return 0.0 if taken else (1 - left) / self.rate


def _digest(key: str) -> str:
    # a key is 32 random bytes: one round of a plain hash hides it as well as a slow one would
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: Any) -> Key:
    return Key(row[0], row[1], frozenset(row[2].split()), row[3], row[4])
