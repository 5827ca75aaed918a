"""Queries over impressions: who was shown what, and what they clicked."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, and_, case, cast, exists, func, or_, select
from sqlalchemy.sql import ColumnElement

from penchant.serve.store import tables as t
from penchant.serve.store.records import StoredEvent
from penchant.serve.store.store import Store

Viewer = tuple[str, str]
"""Who was shown a list: ("user", name), ("session", name), else ("request", name)."""


class ViewerCounts(NamedTuple):
    """What a variant has shown one viewer: lists, impressions, and clicks."""

    variant: str
    viewer: Viewer
    lists: int
    impressions: int
    clicks: int


class ExploredSlot(NamedTuple):
    """A position filled by exploration; ``candidates`` are the items it was sampled from."""

    viewer: Viewer
    request: str
    behavior: str
    item: str
    propensity: float
    candidates: tuple[str, ...]
    time: int
    clicked: bool


def viewer_counts(store: Store, positive: Sequence[str]) -> list[ViewerCounts]:
    """What each variant has shown to each viewer, by variant.

    An impression is clicked where an event of a ``positive`` behavior about its item carries the
    request of its list.
    """
    i = t.impressions.c
    inner = select(
        i.variant,
        *_viewer_columns(i),
        i.request,
        case((_clicked(positive), 1), else_=0).label("clicked"),
    ).subquery()
    of = inner.c
    keys = of.variant, of.user, of.session, of.alone
    counts = func.count(of.request.distinct()), func.count(), func.sum(of.clicked)
    rows = _read(store, select(*keys, *counts).group_by(*keys).order_by(*keys))
    return [ViewerCounts(row[0], _viewer(*row[1:4]), *map(int, row[4:])) for row in rows]


def artifact_counts(store: Store) -> dict[str, int]:
    """How many artifacts each variant has served."""
    i = t.impressions.c
    query = select(i.variant, func.count(i.artifact.distinct())).group_by(i.variant)
    return {variant: int(count) for variant, count in _read(store, query)}


def explored_slots(store: Store, positive: Sequence[str]) -> list[ExploredSlot]:
    """All explored positions, in the order in which they were shown; see ``viewer_counts``."""
    i = t.impressions.c
    columns = i.request, i.behavior, i.item, i.propensity, i.candidates, i.time
    query = (
        select(*_viewer_columns(i), *columns, _clicked(positive)).where(_explored()).order_by(i.id)
    )
    return [
        ExploredSlot(
            _viewer(*who), request, behavior, item, propensity, tuple(candidates), time, bool(hit)
        )
        for *who, request, behavior, item, propensity, candidates, time, hit in _read(store, query)
    ]


def viewer_events(store: Store, after: int) -> dict[Viewer, list[StoredEvent]]:
    """The events past a number of all viewers of an explored position, oldest first.

    An event of a session is listed under the session too, whoever signed in later.
    """
    i, e = t.impressions.c, t.events.c
    events: dict[Viewer, list[StoredEvent]] = {}
    columns = [e[name] for name in StoredEvent._fields]
    for kind, whose, other in (("user", i.user, None), ("session", i.session, i.user)):
        viewers = select(whose).where(_explored(), whose.isnot(None))
        if other is not None:
            viewers = viewers.where(other.is_(None))
        query = select(e[kind], *columns).where(e.seq > after, e[kind].in_(viewers))
        for name, *row in _read(store, query.order_by(e.time, e.seq)):
            events.setdefault((kind, name), []).append(StoredEvent(*row))
    return events


def without_consent(store: Store) -> set[Viewer]:
    """The users who do not consent to personalization now."""
    query = select(t.users.c.user).where(t.users.c.consent.is_(False))
    return {("user", name) for (name,) in _read(store, query)}


def count_events_since(store: Store, until: int, since: int) -> int:
    """How many events with numbers up to one have a time (ms) or a later one."""
    e = t.events.c
    query = select(func.count()).where(e.seq <= until, e.time >= since)
    return int(_read(store, query)[0][0])


def _clicked(positive: Sequence[str]) -> ColumnElement[bool]:
    i, e = t.impressions.c, t.events.c
    return exists().where(
        e.request == i.request,
        e.kind == "item",
        e.about == i.item,
        e.behavior.in_(list(positive)),
    )


def _explored() -> ColumnElement[bool]:
    # other positions hold the JSON text null, and some rows a null of SQL
    candidates = t.impressions.c.candidates
    return and_(candidates.isnot(None), cast(candidates, Text) != "null")


def _viewer_columns(i: Any) -> tuple[Any, ...]:
    """Columns for the viewer of a row: one of the three is not null."""
    named = or_(i.user.isnot(None), i.session.isnot(None))
    return (
        i.user,
        case((i.user.is_(None), i.session)).label("session"),
        case((~named, i.request)).label("alone"),
    )


def _viewer(user: str | None, session: str | None, alone: str | None) -> Viewer:
    if user is not None:
        return "user", user
    return ("session", session) if session is not None else ("request", alone or "")


def _read(store: Store, query: Select[Any]) -> Sequence[Any]:
    with store.reader.connect() as connection:
        return connection.execute(query).all()
