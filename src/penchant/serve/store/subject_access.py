"""What the store holds about one user: told, or erased."""

from pathlib import Path
from typing import Any

from sqlalchemy import Table, and_, or_, select

from penchant.errors import ConfigError
from penchant.serve.store import tables as t
from penchant.serve.store.store import Store

_SQLITE = "sqlite:///"


class Held:
    """A store as a place that holds users."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def opened(cls, address: str) -> "Held":
        """That of an address; ConfigError where a file is named that is not there."""
        file = Path(address.removeprefix(_SQLITE))
        if address.startswith(_SQLITE) and not file.exists():
            raise ConfigError(
                f"expected the store of a service, received {file}, which is not there"
            )
        return cls(Store(address))

    def held(self, user: str) -> dict[str, Any]:
        """The rows about a user, by table, as JSON types; empty for a stranger.

        Impressions of their signed-in sessions are among them, as those are erased with them.
        """
        mine = select(t.sessions.c.session).where(t.sessions.c.user == user)
        shown = t.impressions.c
        orphans = and_(shown.user.is_(None), shown.session.in_(mine))
        found = {
            "events": self._rows(t.events, t.events.c.user == user),
            "people": self._rows(t.people, t.people.c.user == user),
            "profiles": self._rows(t.profiles, t.profiles.c.user == user),
            "sessions": self._rows(t.sessions, t.sessions.c.user == user),
            "impressions": self._rows(t.impressions, or_(shown.user == user, orphans)),
        }
        return {name: rows for name, rows in found.items() if rows}

    def forget(self, user: str) -> dict[str, int]:
        """Erase all rows of a user; how many of each table."""
        return self.store.forget(user)

    def close(self) -> None:
        """Close all connections."""
        self.store.close()

    def _rows(self, table: Table, where: Any) -> list[dict[str, Any]]:
        query = select(table).where(where).order_by(*table.primary_key.columns)
        with self.store.reader.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]
