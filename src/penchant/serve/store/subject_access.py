"""What the store holds about one user, to be exported or erased."""

from pathlib import Path
from typing import Any

from sqlalchemy import Table, and_, or_, select

from penchant.errors import ConfigError
from penchant.serve.store import tables as t
from penchant.serve.store.store import Store

_SQLITE = "sqlite:///"


Record = dict[str, Any]
"""A row of a table, as JSON types."""

Records = dict[str, list[Record]]


class SubjectAccess:
    """Access to everything that a store holds about a user."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def opened(cls, address: str) -> "SubjectAccess":
        """The access to the store at an address; ConfigError for a file that does not exist."""
        file = Path(address.removeprefix(_SQLITE))
        if address.startswith(_SQLITE) and not file.exists():
            raise ConfigError(
                f"expected the store of a service, received {file}, which does not exist"
            )
        return cls(Store(address))

    def records(self, user: str) -> Records:
        """The rows about a user, by table, as JSON types; empty for an unknown user.

        Impressions of their signed-in sessions are included, since those are erased as well.
        """
        own_sessions = select(t.sessions.c.session).where(t.sessions.c.user == user)
        impressions = t.impressions.c
        orphans = and_(impressions.user.is_(None), impressions.session.in_(own_sessions))
        by_table = {
            "events": self._rows(t.events, t.events.c.user == user),
            "people": self._rows(t.users, t.users.c.user == user),
            "profiles": self._rows(t.profiles, t.profiles.c.user == user),
            "sessions": self._rows(t.sessions, t.sessions.c.user == user),
            "impressions": self._rows(t.impressions, or_(impressions.user == user, orphans)),
        }
        return {name: rows for name, rows in by_table.items() if rows}

    def forget(self, user: str) -> dict[str, int]:
        """Erase all rows of a user; how many of each table."""
        return self.store.forget(user)

    def close(self) -> None:
        """Close all connections."""
        self.store.close()

    def _rows(self, table: Table, where: Any) -> list[Record]:
        columns = [column.label(column.key) for column in table.columns]
        query = select(*columns).where(where).order_by(*table.primary_key.columns)
        with self.store.reader.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]
