"""The store: events, users, impressions and changes, durable and shared by all workers."""

import hmac
import secrets as random
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from penchant.recommendation.interests import Control
from penchant.serve.store import tables as t
from penchant.serve.store.records import (
    Change,
    Impression,
    IncomingEvent,
    PostResult,
    UserSnapshot,
    now,
)
from penchant.serve.store.snapshot import REVISION, read_snapshot
from penchant.serve.store.tables import engine_of, lock_table, writing

REASONS = {
    "forgotten": "this user was forgotten after the event; only later events are accepted",
    "consent": "this user does not consent to personalization",
}
"""Why an event is refused, whatever it is about."""


class Store:
    """A database of SQLite or PostgreSQL; tables that are missing are created.

    Parameters
    ----------
    url
        ``sqlite:///FILE`` or ``postgresql+psycopg://USER@HOST/NAME``.

    Raises
    ------
    ConfigError
        For an address of another kind, or of SQLite without a file.
    MissingExtraError
        Where the driver of PostgreSQL is not installed.
    """

    def __init__(self, url: str) -> None:
        self.engine = engine_of(url)
        self.sqlite = self.engine.dialect.name == "sqlite"
        # a reader needs no transaction: each statement sees all that was committed before it
        self.reader = (
            self.engine
            if self.sqlite
            else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        with writing(self.engine) as connection:
            if not self.sqlite:  # of several that start at once, one makes the tables
                connection.execute(text("select pg_advisory_xact_lock(7236341)"))
            t.metadata.create_all(connection)
            row = {"name": "forgotten", "value": random.token_hex(32)}
            connection.execute(self.insert(t.secrets).values(row).on_conflict_do_nothing())
        self.secret = bytes.fromhex(self._read(select(t.secrets.c.value))[0][0])

    @property
    def identity(self) -> str:
        """An identifier by which a run recognizes the store that it was updated from."""
        return hmac.new(self.secret, b"identity", sha256).hexdigest()[:16]

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    # events

    def add(self, posted: Sequence[IncomingEvent]) -> PostResult:
        """Store events, on disk when this returns; one whose id is known is a duplicate."""
        with writing(self.engine) as connection:
            rows, refused = self._admitted(connection, posted)
            if not rows:
                return PostResult(0, 0, refused)
            statement = self.insert(t.events).on_conflict_do_nothing(index_elements=["id"])
            kept = connection.execute(
                statement.returning(t.events.c.seq), [row._asdict() for row in rows]
            )
            accepted = len(kept.all())
        return PostResult(accepted, len(rows) - accepted, refused)

    def _admitted(
        self, connection: Connection, posted: Sequence[IncomingEvent]
    ) -> tuple[list[IncomingEvent], tuple[tuple[int, str], ...]]:
        """The events to store, signed-in sessions under their user, and what is refused."""
        of = t.sessions.c
        signed = {e.session for e in posted if e.session is not None and e.user is None}
        users = {}
        if signed:
            found = select(of.session, of.user).where(of.session.in_(sorted(signed)))
            users = dict(map(tuple, connection.execute(found)))
        rows = [e._replace(user=users.get(e.session or "", e.user)) for e in posted]
        names = sorted({row.user for row in rows if row.user is not None})
        marks = {name: self.mark(name) for name in names}
        since = self._since(connection, marks.values())
        refusing = select(t.users.c.user).where(
            t.users.c.user.in_(names), t.users.c.consent.is_(False)
        )
        silent = set(connection.scalars(refusing)) if names else set()
        kept, refused = [], []
        for place, row in enumerate(rows):
            if row.user is not None and row.time <= since.get(marks[row.user], -1):
                refused.append((place, REASONS["forgotten"]))
            elif row.user in silent:
                refused.append((place, REASONS["consent"]))
            else:
                kept.append(row)
        return kept, tuple(refused)

    def snapshot(
        self, user: str | None, session: str | None = None, after: int = 0
    ) -> UserSnapshot:
        """What a request of a user, or of an anonymous session, reads; events past a number.

        One statement, so that all of it is from one moment.
        """
        with self.reader.connect() as connection:
            return read_snapshot(connection, user, session, after)

    def events_between(self, after: int, until: int) -> list[IncomingEvent]:
        """Events of users with numbers in (after, until], in order, for an update."""
        columns = [t.events.c[name] for name in IncomingEvent._fields]
        number = t.events.c.seq
        query = select(*columns).where(number > after, number <= until, t.events.c.user.isnot(None))
        return [IncomingEvent(*row) for row in self._read(query.order_by(number))]

    def last_numbers(self) -> tuple[int, int]:
        """Numbers of the last event and the last change, below which none can come any more."""
        with writing(self.engine) as connection:
            lock_table(connection, t.events)
            lock_table(connection, t.changes)
            last = connection.scalar(select(func.max(t.events.c.seq))) or 0
            return last, connection.scalar(REVISION) or 0

    def merge(self, session: str, user: str) -> int:
        """Assign an anonymous session to a user; how many events that adds to theirs.

        A session that another user has signed in stays theirs.
        """
        with writing(self.engine) as connection:
            values = {"session": session, "user": user}
            connection.execute(self.insert(t.sessions).values(values).on_conflict_do_nothing())
            of = t.sessions.c
            owner = connection.scalar(select(of.user).where(of.session == session))
            if owner != user:
                return 0
            # renumbered, so that a reader of all events so far does not miss them
            mine = and_(t.events.c.session == session, t.events.c.user.is_(None))
            names = [name for name in IncomingEvent._fields if name != "user"]
            columns = [t.events.c[name] for name in names]
            found = connection.execute(select(*columns).where(mine).order_by(t.events.c.seq))
            rows = [dict(zip(names, row, strict=True)) | {"user": user} for row in found]
            if rows:
                connection.execute(delete(t.events).where(mine))
                connection.execute(insert(t.events), rows)
            return len(rows)

    # users

    def set_controls(self, user: str, controls: Sequence[Control]) -> None:
        """Store the interest settings of a user."""
        self._upsert_user(user, {"controls": [control.to_dict() for control in controls]})

    def set_consent(self, user: str, given: bool) -> None:
        """Store whether a user consents to personalization; without it, generated texts are erased.

        A text of the user's own stays, and nothing reads it.
        """
        self._upsert_user(user, {"consent": given})
        if not given:
            generated = and_(t.profiles.c.user == user, t.profiles.c.edited.is_(False))
            nothing = {"text": "", "model": None, "made": "", "note": None}
            with writing(self.engine) as connection:
                connection.execute(update(t.profiles).where(generated).values(nothing))

    def _upsert_user(self, user: str, values: Mapping[str, Any]) -> None:
        with writing(self.engine) as connection:
            row = {"user": user, "controls": [], **values}
            statement = self.insert(t.users).values(row)
            statement = statement.on_conflict_do_update(index_elements=["user"], set_=values)
            connection.execute(statement)

    def mark(self, user: str) -> str:
        """A keyed digest of a user, which recognizes them and does not reveal them."""
        return hmac.new(self.secret, user.encode("utf-8", "surrogatepass"), sha256).hexdigest()

    def forget(self, user: str) -> dict[str, int]:
        """Erase all rows of a user and leave a mark; how many of each were erased."""
        at = now()
        with writing(self.engine) as connection:
            mine = select(t.sessions.c.session).where(t.sessions.c.user == user)
            orphans = and_(t.impressions.c.user.is_(None), t.impressions.c.session.in_(mine))
            erased = {
                "impressions": connection.execute(delete(t.impressions).where(orphans)).rowcount
            }
            for name in ("events", "impressions", "people", "profiles", "sessions"):
                table = t.metadata.tables[name]
                count = connection.execute(delete(table).where(table.c.user == user)).rowcount
                erased[name] = erased.get(name, 0) + count
            mark = self.mark(user)
            statement = self.insert(t.forgotten).values({"mark": mark, "time": at})
            connection.execute(
                statement.on_conflict_do_update(index_elements=["mark"], set_={"time": at})
            )
            self._publish(connection, "forgotten", mark, {})
        if self.engine.dialect.name == "sqlite":
            with (
                self.engine.connect() as connection
            ):  # the write-ahead log still has what was erased
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()
        return erased

    def forgotten(self) -> dict[str, int]:
        """The mark of each user that was forgotten, and when."""
        return dict(map(tuple, self._read(select(t.forgotten.c.mark, t.forgotten.c.time))))

    # what all workers follow

    def publish(self, kind: str, contents: Mapping[str, Mapping[str, Any]]) -> int:
        """Publish changes of a kind to all workers at once, by key; the number of the last.

        The content of an item or state is merged into what was published before.
        """
        number = 0
        with writing(self.engine) as connection:
            for key, content in contents.items():
                number = self._publish(connection, kind, key, content)
        return number

    def _publish(
        self, connection: Connection, kind: str, key: str, content: Mapping[str, Any]
    ) -> int:
        lock_table(connection, t.changes)
        content = dict(content)
        if kind in ("item", "state"):  # one row holds all of an item, so that the table stays small
            same = and_(t.changes.c.kind == kind, t.changes.c.key == key)
            before = connection.scalar(select(t.changes.c.content).where(same))
            content = {**(before or {}), **content}
            connection.execute(delete(t.changes).where(same))
        row = {"kind": kind, "key": key, "content": content, "time": now()}
        number = connection.execute(insert(t.changes).values(row)).inserted_primary_key
        assert number is not None
        return int(number[0])

    def changes(self, after: int, kind: str | None = None) -> list[Change]:
        """What changed past a number, in order."""
        columns = [t.changes.c[name] for name in Change._fields]
        query = select(*columns).where(t.changes.c.id > after)
        if kind is not None:
            query = query.where(t.changes.c.kind == kind)
        return [Change(*row) for row in self._read(query.order_by(t.changes.c.id))]

    @property
    def revision(self) -> int:
        """The number of the last change."""
        return self._read(REVISION)[0][0] or 0

    # impressions

    def add_impressions(self, impressions: Iterable[Impression]) -> None:
        """Store impressions, but none of a user who was forgotten since."""
        rows = [impression._asdict() for impression in impressions]
        if not rows:
            return
        marks = {row["user"]: self.mark(row["user"]) for row in rows if row["user"] is not None}
        with writing(self.engine) as connection:
            since = self._since(connection, marks.values())
            kept = [row for row in rows if row["time"] > since.get(marks.get(row["user"], ""), -1)]
            if kept:
                connection.execute(insert(t.impressions), kept)

    def _since(self, connection: Connection, marks: Iterable[str]) -> dict[str, int]:
        """When the users of some marks were forgotten, of those that were."""
        of = t.forgotten.c
        query = select(of.mark, of.time).where(of.mark.in_(sorted(marks)))
        return dict(map(tuple, connection.execute(query)))

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        names = ("events", "people", "impressions", "changes", "forgotten")
        return {
            name: self._read(select(func.count()).select_from(t.metadata.tables[name]))[0][0]
            for name in names
        }

    def _read(self, query: Select[Any]) -> Sequence[Any]:
        with self.reader.connect() as connection:
            return connection.execute(query).all()

    def insert(self, table: Any) -> Any:
        """An insert in the dialect of the database, which supports ON CONFLICT."""
        return (sqlite if self.sqlite else postgresql).insert(table)
