"""What the store knows of lists that were shown: who was shown what, and what they clicked."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, and_, case, cast, exists, func, or_, select
from sqlalchemy.sql import ColumnElement

from penchant.serve.store import tables as t
from penchant.serve.store.records import Kept
from penchant.serve.store.store import Store

Who = tuple[str, str]
"""Who was shown a list: ("user", name), ("session", name), else ("request", name)."""


class Part(NamedTuple):
    """What an arm has shown one person: lists, places, and places that were clicked."""

    arm: str
    who: Who
    lists: int
    places: int
    clicks: int


class Slot(NamedTuple):
    """A place that was drawn; ``candidates`` are what it was drawn from, the item among them."""

    who: Who
    request: str
    behavior: str
    item: str
    propensity: float
    candidates: tuple[str, ...]
    time: int
    clicked: bool


def parts(store: Store, positive: Sequence[str]) -> list[Part]:
    """What each arm has shown to each person, by arm.

    A place is clicked where an event of a ``positive`` behavior about its item carries the request
    of its list.
    """
    i = t.impressions.c
    inner = select(
        i.arm, *_who(i), i.request, case((_clicked(positive), 1), else_=0).label("clicked")
    ).subquery()
    of = inner.c
    keys = of.arm, of.user, of.session, of.alone
    counts = func.count(of.request.distinct()), func.count(), func.sum(of.clicked)
    rows = _read(store, select(*keys, *counts).group_by(*keys).order_by(*keys))
    return [Part(row[0], _named(*row[1:4]), *map(int, row[4:])) for row in rows]


def artifacts(store: Store) -> dict[str, int]:
    """How many artifacts each arm has served."""
    i = t.impressions.c
    query = select(i.arm, func.count(i.artifact.distinct())).group_by(i.arm)
    return {arm: int(count) for arm, count in _read(store, query)}


def slots(store: Store, positive: Sequence[str]) -> list[Slot]:
    """All places that were drawn, in the order in which they were shown; see ``parts``."""
    i = t.impressions.c
    columns = i.request, i.behavior, i.item, i.propensity, i.candidates, i.time
    query = select(*_who(i), *columns, _clicked(positive)).where(_drawn()).order_by(i.id)
    return [
        Slot(_named(*who), request, behavior, item, propensity, tuple(candidates), time, bool(hit))
        for *who, request, behavior, item, propensity, candidates, time, hit in _read(store, query)
    ]


def pasts(store: Store, after: int) -> dict[Who, list[Kept]]:
    """The events past a number of all users and sessions that were shown a drawn place.

    Oldest first. An event of a session is kept under the session too, whoever signed in later.
    """
    i, e = t.impressions.c, t.events.c
    found: dict[Who, list[Kept]] = {}
    columns = [e[name] for name in Kept._fields]
    for kind, whose, other in (("user", i.user, None), ("session", i.session, i.user)):
        asked = select(whose).where(_drawn(), whose.isnot(None))
        if other is not None:
            asked = asked.where(other.is_(None))
        query = select(e[kind], *columns).where(e.seq > after, e[kind].in_(asked))
        for name, *row in _read(store, query.order_by(e.time, e.seq)):
            found.setdefault((kind, name), []).append(Kept(*row))
    return found


def unwilling(store: Store) -> set[Who]:
    """The users who do not consent to personalization now."""
    query = select(t.people.c.user).where(t.people.c.consent.is_(False))
    return {("user", name) for (name,) in _read(store, query)}


def taken(store: Store, until: int, since: int) -> int:
    """Events with numbers up to one, of a time (ms) or later."""
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


def _drawn() -> ColumnElement[bool]:
    # a place that was not drawn holds the JSON text null, in some rows SQL's own
    candidates = t.impressions.c.candidates
    return and_(candidates.isnot(None), cast(candidates, Text) != "null")


def _who(i: Any) -> tuple[Any, ...]:
    """Columns for who was shown a row: of the three one is not null."""
    named = or_(i.user.isnot(None), i.session.isnot(None))
    return (
        i.user,
        case((i.user.is_(None), i.session)).label("session"),
        case((~named, i.request)).label("alone"),
    )


def _named(user: str | None, session: str | None, alone: str | None) -> Who:
    if user is not None:
        return "user", user
    return ("session", session) if session is not None else ("request", alone or "")


def _read(store: Store, query: Select[Any]) -> Sequence[Any]:
    with store.reader.connect() as connection:
        return connection.execute(query).all()
