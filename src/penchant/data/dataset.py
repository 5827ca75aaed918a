"""Events, catalogue and users as arrays: what every model, split and metric reads.

Identifiers are strings outside, kept byte for byte, and dense int64 rows inside. A row's number
is the rank of its identifier in byte order, so that a tie broken by row is broken by identifier.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from penchant.data.arrays import ranges
from penchant.data.text_query import TextQuery
from penchant.data.tombstones import Tombstones
from penchant.data.vocabulary import Vocabulary
from penchant.errors import ConfigError, DataError, counted, unknown
from penchant.types import Floats, Ints, TimeKind

if TYPE_CHECKING:
    from penchant.data.item_columns import ColumnFeatures
    from penchant.data.item_features import Feature

T = TypeVar("T")

ENRICHED, SUMMARY = "enriched:tags", "enriched:summary"
"""Columns of a catalogue that hold what a language model said of the items."""


@dataclass(frozen=True)
class Behavior:
    """One kind of event: its strength (weight among positives) and its polarity.

    A negative behavior (dislike, hide, return) is a token of its own and a filter, never a
    negative count.
    """

    name: str
    strength: float = 1.0
    polarity: Literal[1, -1] = 1

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 64:
            raise DataError(
                f"behavior {self.name!r}: expected a strength from 0 to 64, received "
                f"{self.strength}; rescale the strengths so that the largest is 1"
            )


@dataclass(frozen=True)
class Events:
    """E events as arrays, ordered by user, then time, then row of the source.

    ``item`` is -1 for an event about a token (a query term, a topic, a creator), ``token`` is -1
    for an event about an item. ``time`` is int64 UTC milliseconds (or the position, where time is
    an order; 0 where there is none). ``value`` is NaN where absent. ``row`` is the source row.
    """

    user: Ints
    item: Ints
    token: Ints
    behavior: Ints
    domain: Ints
    time: Ints
    value: Floats
    row: Ints

    def __len__(self) -> int:
        return len(self.user)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Events":
        """The events at an index, a mask or a slice, in that order."""
        return Events(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def sorted(self) -> "Events":
        """Ordered by user, time, source row; stable, so equal keys keep their order."""
        return self.take(np.lexsort((self.row, self.time, self.user)))

    def __add__(self, other: "Events") -> "Events":
        return Events(
            **{
                f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)])
                for f in fields(self)
            }
        )

    def indptr(self, users: int) -> Ints:
        """Offsets of each user's events, (users + 1,)."""
        return np.searchsorted(self.user, np.arange(users + 1)).astype(np.int64)

    def histories(self, users: Ints) -> "Histories":
        """The events of some users (repeats allowed), one history for each."""
        start = np.searchsorted(self.user, users, "left")
        length = np.searchsorted(self.user, users, "right") - start
        indptr = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
        return Histories(users, indptr, self.take(ranges(start, length)))

    @staticmethod
    def empty() -> "Events":
        none = np.zeros(0, np.int64)
        return Events(none, none, none, none, none, none, np.zeros(0), none)


@dataclass(frozen=True)
class Histories:
    """B histories: ``events[indptr[b]:indptr[b + 1]]`` is that of ``users[b]``, oldest first.

    ``users[b]`` is -1 for a history that belongs to no known user. ``queries`` are the
    users' searches and texts; None where the events' tokens hold them all.
    """

    users: Ints
    indptr: Ints
    events: Events
    queries: tuple[TextQuery, ...] | None = None

    def __len__(self) -> int:
        return len(self.users)

    @property
    def lengths(self) -> Ints:
        return np.diff(self.indptr)

    @property
    def owner(self) -> Ints:
        """The history's number for each event, (E,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, index: Ints | slice) -> "Histories":
        """Some of the histories, in that order."""
        index = np.arange(len(self))[index]
        length = self.lengths[index]
        indptr = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
        events = self.events.take(ranges(self.indptr[index], length))
        queries = self.queries and tuple(
            query._replace(history=row)
            for row, number in enumerate(index.tolist())
            for query in self.queries
            if query.history == number
        )
        return Histories(self.users[index], indptr, events, queries)

    def keep(self, mask: NDArray[np.bool_]) -> "Histories":
        """The same histories with only the events of a mask over their events."""
        indptr = np.concatenate([[0], np.cumsum(mask)])[self.indptr].astype(np.int64)
        return Histories(self.users, indptr, self.events.take(mask), self.queries)


@dataclass(frozen=True)
class Catalogue:
    """What can be recommended and what an event can be about.

    items    identifiers of the N items
    tokens   identifiers of what an event can be about besides items ("query:red", "topic:jazz")
    domain   row in ``domains`` of each item, (N,); -1 where unknown
    titles   (N,) of str or None
    tags     (N,) of tuples of str
    columns  further item columns, name -> (N,) object array; None where missing
    counted  those among them that tell what an item is
    features what encoders found in the items, by modality
    attributes what can be known of a user, as "column=value"
    """

    items: Vocabulary
    behaviors: tuple[Behavior, ...]
    domains: tuple[str, ...]
    domain: Ints
    tokens: Vocabulary = Vocabulary(())
    titles: tuple[str | None, ...] = ()
    tags: tuple[tuple[str, ...], ...] = ()
    columns: dict[str, NDArray[np.object_]] = field(default_factory=dict)
    features: dict[str, "Feature"] = field(default_factory=dict)
    attributes: Vocabulary = Vocabulary(())
    counted: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The names of what is known of the items' content."""
        own = {
            "tags": any(self.tags),
            "columns": self.counted,
            "enriched": any(self.enriched),
        }
        return tuple(sorted([*self.features, *(name for name, there in own.items() if there)]))

    @cached_property
    def _derived(self) -> dict[object, Any]:
        return {}

    def once(self, make: "Callable[[Catalogue], T]") -> T:
        """What a function makes of the catalogue, made once and kept as long as it."""
        if make not in self._derived:
            self._derived[make] = make(self)
        derived: T = self._derived[make]
        return derived

    @cached_property
    def enriched(self) -> tuple[tuple[str, ...], ...]:
        """Tags that a language model gave each item, and ``for: x``, whom it is for, (N,)."""
        cells = self.columns.get(ENRICHED, ())
        return tuple(tuple(cell) if isinstance(cell, list | tuple) else () for cell in cells)

    @cached_property
    def column_features(self) -> "ColumnFeatures":
        """The counted columns as rows of numbers."""
        from penchant.data.item_columns import encode_columns

        return encode_columns({name: self.columns[name].tolist() for name in self.counted})

    def behavior(self, name: str) -> int:
        """Row of a behavior by name; ConfigError lists the known ones."""
        names = [behavior.name for behavior in self.behaviors]
        if name not in names:
            raise unknown("behavior", name, names)
        return names.index(name)

    def domain_row(self, name: str) -> int:
        """Row of a domain by name; ConfigError lists the known ones."""
        if name not in self.domains:
            raise unknown("domain", name, self.domains)
        return self.domains.index(name)

    def domains_unordered(self, time: TimeKind) -> bool:
        """Whether domains have no order in common: time is the order within each of several."""
        return time == "order" and len(self.domains) > 1

    def title(self, item: int) -> str | None:
        return self.titles[item] if self.titles else None


@dataclass(frozen=True, repr=False)
class Dataset:
    """Items, users and their events, as ``from_columns`` and ``load_dataset`` make them.

    Parameters
    ----------
    name, catalogue, users, events
        The name in messages and reports, the N items, the U users, and the events in order.
    time
        "clock", "order" within a domain, or "none".
    target, protocol
        The behavior to predict, and how events are held out.
    held_out
        The test events of the protocol "given" (test.parquet), else None.
    attributes
        The users' columns by name, (U,) object.
    relations
        Pairs of users (R, 2): the first has the second for a friend.
    notes
        What was inferred on loading, in words.
    tombstones
        Of users who were forgotten: whose rows are not taken in again.

    Examples
    --------
    >>> from penchant import from_columns
    >>> from_columns(user=["ann", "ann", "bo"], item=["tea", "cup", "tea"])
    Dataset(3 events, 2 users, 2 items)
    """

    name: str
    catalogue: Catalogue
    users: Vocabulary
    events: Events
    time: TimeKind
    target: str
    protocol: str = "leave-one-out"
    held_out: Events | None = None
    attributes: dict[str, NDArray[np.object_]] = field(default_factory=dict)
    relations: Ints = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    notes: tuple[str, ...] = ()
    tombstones: Tombstones = field(default_factory=Tombstones)

    def __repr__(self) -> str:
        users, items = counted(len(self.users), "user"), counted(len(self.catalogue), "item")
        return f"Dataset({counted(len(self.events), 'event')}, {users}, {items})"

    def with_events(self, events: Events) -> "Dataset":
        """The dataset with these events in place of its own."""
        return replace(self, events=events)

    @property
    def domains_unordered(self) -> bool:
        """Whether its domains have no order in common."""
        return self.catalogue.domains_unordered(self.time)

    @property
    def no_common_clock(self) -> bool:
        """Whether no clock tells which of two events of different domains came first."""
        return self.time != "clock" and len(self.catalogue.domains) > 1

    def with_target(self, target: str | None) -> "Dataset":
        """The dataset with another target behavior; ConfigError lists the known ones."""
        if target is None:
            return self
        self.catalogue.behavior(target)
        return replace(self, target=target)

    def counts(self) -> Ints:
        """Events of the target behavior on each item, (N,)."""
        target = self.events.behavior == self.catalogue.behavior(self.target)
        item = self.events.item[target & (self.events.item >= 0)]
        return np.bincount(item, minlength=len(self.catalogue)).astype(np.int64)

    @property
    def event_counts(self) -> Ints:
        """Events of any behavior on each item, (N,)."""
        item = self.events.item
        return np.bincount(item[item >= 0], minlength=len(self.catalogue)).astype(np.int64)

    def unknown_user(self, user: str) -> ConfigError:
        """The error for a user that the dataset does not hold."""
        return unknown("user", user, [*self.users.ids[:3], f"... ({len(self.users)} in all)"])

    def unknown_item(self, item: str) -> ConfigError:
        """The error for an item that the catalogue does not hold."""
        ids = self.catalogue.items.ids
        return unknown("item", item, [*ids[:3], f"... ({len(ids)} in all)"])

    def history(self, user: str) -> Histories:
        """One user's history; empty, with user row -1, where the user is unknown."""
        return self.events.histories(self.users.rows([user]))


def behaviors_of(names: Sequence[str], declared: dict[str, dict[str, float]]) -> list[Behavior]:
    """Behaviors by name, with their declared strength and polarity.

    Undeclared names among the usual negative ones are negative.
    """
    negative = {"dislike", "hide", "return", "unfollow", "block", "report", "skip"}
    result = []
    for name in sorted(set(names) | set(declared)):
        given = declared.get(name, {})
        polarity = int(given.get("polarity", -1 if name in negative else 1))
        if polarity not in (1, -1):
            raise DataError(f"behavior {name!r}: expected polarity 1 or -1, received {polarity}")
        result.append(Behavior(name, float(given.get("strength", 1.0)), 1 if polarity == 1 else -1))
    return result
