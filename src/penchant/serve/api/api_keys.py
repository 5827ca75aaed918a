"""API keys and rate limits: who may do what, and how often."""

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
    "write": "events, sessions, interest settings, consent and erasure",
    "admin": "everything, including items, exports, metrics and the reload of artifacts",
}
_CACHE_SECONDS = 5.0
"""Seconds for which a worker caches a key; a revoked one may work for as long."""


class ApiKey(NamedTuple):
    """A key as the store keeps it; of the secret it has only a digest."""

    id: str
    name: str
    scopes: frozenset[str]
    time: int
    revoked: int | None

    def may(self, scope: str) -> bool:
        """Whether the key has a scope."""
        return scope in self.scopes or "admin" in self.scopes


class ApiKeys:
    """The keys of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.seen: dict[str, tuple[float, ApiKey | None]] = {}

    def add(self, name: str, scopes: set[str]) -> str:
        """Create a key, which is shown only once; ConfigError for an unknown scope."""
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

    def list_all(self) -> list[ApiKey]:
        """All keys, the oldest first."""
        columns = (t.keys.c.id, t.keys.c.name, t.keys.c.scopes, t.keys.c.time, t.keys.c.revoked)
        with self.store.reader.connect() as connection:
            return [
                _api_key(row)
                for row in connection.execute(select(*columns).order_by(t.keys.c.time))
            ]

    def revoke(self, id: str) -> None:
        """Revoke a key; ConfigError for an unknown id."""
        with writing(self.store.engine) as connection:
            statement = update(t.keys).where(t.keys.c.id == id).values(revoked=now())
            if not connection.execute(statement).rowcount:
                raise unknown("key", id, [key.id for key in self.list_all()] or ["none"])

    def check(self, key: str) -> ApiKey | None:
        """The key of a secret that a request brings; None for an unknown or a revoked one."""
        digest = _digest(key)
        at, cached = self.seen.get(digest, (-_CACHE_SECONDS, None))
        if time.monotonic() - at < _CACHE_SECONDS:
            return cached
        columns = (t.keys.c.id, t.keys.c.name, t.keys.c.scopes, t.keys.c.time, t.keys.c.revoked)
        with self.store.reader.connect() as connection:
            row = connection.execute(select(*columns).where(t.keys.c.digest == digest)).first()
        checked = None if row is None or row[4] is not None else _api_key(row)
        if len(self.seen) > 10_000:  # somebody is guessing keys
            self.seen.clear()
        self.seen[digest] = time.monotonic(), checked
        return checked


class RateLimiter:
    """A token bucket: ``rate`` requests a second for each caller, twice as many at once."""

    def __init__(self, rate: float) -> None:
        self.rate, self.capacity = rate, 2 * rate
        self.left: dict[str, tuple[float, float]] = {}
        self.lock = threading.Lock()

    def wait(self, caller: str, at: float | None = None) -> float:
        """Take a token; seconds to wait for one, 0 where there was one.

        >>> limiter = RateLimiter(1.0)
        >>> [limiter.wait("a", at=0.0) for _ in range(3)]
        [0.0, 0.0, 1.0]
        """
        if self.rate <= 0:
            return 0.0
        at = time.monotonic() if at is None else at
        with self.lock:
            left, before = self.left.get(caller, (self.capacity, at))
            left = min(self.capacity, left + (at - before) * self.rate)
            taken = left >= 1
            if len(self.left) > 100_000:
                self.left.clear()
            self.left[caller] = left - taken, at
        return 0.0 if taken else (1 - left) / self.rate


def _digest(key: str) -> str:
    # a key is 32 random bytes: one round of a plain hash hides it as well as a slow one would
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _api_key(row: Any) -> ApiKey:
    return ApiKey(row[0], row[1], frozenset(row[2].split()), row[3], row[4])
