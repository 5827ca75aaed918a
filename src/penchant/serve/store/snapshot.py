"""The one statement that reads all that a request needs, so that it is from one moment."""

import json
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    select,
    text,
    union_all,
)

from penchant.recommendation.interests import Control
from penchant.serve.store import tables as t
from penchant.serve.store.records import StoredEvent, UserPreferences, UserSnapshot

REVISION: Select[Any] = select(func.max(t.changes.c.id))
"""The number of the last change."""

_OF_CHANGES, _OF_PREFERENCES, _OF_PROFILE, _OF_EVENTS = range(4)


def _row(part: int, number: Any, text_: Any, table: Any) -> Select[Any]:
    """A row of a snapshot that is no event, in the columns of events."""
    # the first part of a union names its columns
    nothing: list[Any] = [cast(null(), column.type).label(column.name) for column in _COLUMNS[2:]]
    return select(literal(part).label("part"), number, text_, *nothing).select_from(table)


_COLUMNS = [t.events.c[name] for name in StoredEvent._fields]
_ABOUT = select(literal(_OF_EVENTS), *_COLUMNS).where(t.events.c.seq > bindparam("after"))
_LATEST = _row(_OF_CHANGES, func.max(t.changes.c.id).label("seq"), cast(null(), Text), t.changes)
_CONSENT = case((t.users.c.consent.is_(True), 1), (t.users.c.consent.is_(False), 0))
_OF_USER = _row(_OF_PREFERENCES, _CONSENT, cast(t.users.c.controls, Text), t.users).where(
    t.users.c.user == bindparam("user")
)
_OWN = case((t.profiles.c.edited.is_(True), t.profiles.c.text), else_="")
_OF_TEXT = _row(_OF_PROFILE, cast(null(), t.events.c.seq.type), _OWN, t.profiles).where(
    t.profiles.c.user == bindparam("user")
)
# one statement for all that a request reads; parts in their order, events by time
_PAST = _ABOUT.where(t.events.c.user == bindparam("user"))
_SNAPSHOT = union_all(_LATEST, _OF_USER, _OF_TEXT, _PAST).order_by(
    text("part"), text("time"), text("seq")
)
_SESSION_SNAPSHOT = union_all(
    _LATEST, _ABOUT.where(t.events.c.session == bindparam("session"), t.events.c.user.is_(None))
).order_by(text("part"), text("time"), text("seq"))


def _controls(content: Any) -> tuple[Control, ...]:
    return tuple(Control(row["id"], row["factor"], tuple(row["items"])) for row in content)


def read_snapshot(
    connection: Connection, user: str | None, session: str | None, after: int
) -> UserSnapshot:
    """What a request of a user, or of an anonymous session, reads; events past a number."""
    query = _SNAPSHOT if user is not None else _SESSION_SNAPSHOT
    rows = connection.execute(query, {"user": user, "session": session, "after": after}).all()
    revision, preferences, first = rows[0][1] or 0, UserPreferences(), 1
    if len(rows) > first and rows[first][0] == _OF_PREFERENCES:
        consent = {None: None, 0: False}.get(rows[1][1], True)
        preferences, first = UserPreferences(_controls(json.loads(rows[1][2])), consent), 2
    if len(rows) > first and rows[first][0] == _OF_PROFILE:
        preferences, first = preferences._replace(profile=rows[first][2]), first + 1
    return UserSnapshot(revision, preferences, tuple(StoredEvent(*row[1:]) for row in rows[first:]))
