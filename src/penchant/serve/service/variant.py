"""An artifact in service: its model, what came into the store since, and what lists may hold."""

import gc
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from penchant.data.dataset import Events, Histories
from penchant.data.io.assembler import TOKEN_PREFIXES
from penchant.data.text_query import TextQuery
from penchant.errors import ArtifactError, ConfigError
from penchant.recommendation import Model, load
from penchant.recommendation.rerank import Reranker, Rules
from penchant.recommendation.rerank.filters import BOUNDS, bound, bounds, missing, moment
from penchant.serve.service.posted_items import new_items
from penchant.serve.store.records import Kept
from penchant.storage.artifact import MANIFEST
from penchant.training.update import with_new_data
from penchant.types import Mask

log = logging.getLogger(__name__)

_RERANKERS = 64  # rules whose filters are kept ready

State = Mapping[str, Any]
"""What is said of an item at run time: hidden, deleted, stock, available_from, available_until."""


@dataclass(frozen=True)
class Arm:
    """A run that serves.

    digest       of its manifest, by which it is known
    seq, change  the last event and the last change of the store that the run itself holds
    states       of items, by identifier
    """

    name: str
    path: Path
    digest: str
    model: Model
    seq: int
    change: int
    states: Mapping[str, State] = field(default_factory=dict)
    heads: dict[str, Model] = field(default_factory=dict, compare=False)
    rerankers: "OrderedDict[tuple[str, str], Reranker]" = field(
        default_factory=OrderedDict, compare=False
    )
    lock: Any = field(default_factory=threading.Lock, compare=False)

    @classmethod
    def load(cls, name: str, path: str | Path, store: str | None = None) -> "Arm":
        """Read a run and make what requests need; ``store`` is the identity of where it serves.

        Raises ArtifactError where a byte of it has changed, or where another run was put in its
        place while it was read.
        """
        path = Path(path)
        digest = digest_of(path)
        model = load(path)
        if digest_of(path) != digest:
            raise ArtifactError(f"{path} was replaced while it was read; read it again")
        arm = cls(name, path, digest, model, *held(model, store))
        arm.warm()
        return arm

    def warm(self) -> None:
        """Make what the first request would wait for."""
        for behavior in (self.model.dataset.target, *self.model.others):
            head = self.head(behavior)
            _ = head.by_popularity
            head.recommend(history=list(self.model.dataset.catalogue.items.ids[:2]), k=1)
        # the collector need not walk through all that a run holds, while a request waits
        gc.freeze()

    def head(self, behavior: str | None) -> Model:
        """The model for a behavior, made once; ConfigError where there is none for it."""
        name = behavior or self.model.dataset.target
        if name not in self.heads:
            self.heads[name] = self.model.with_target(name)
        return self.heads[name]

    def reranker(self, behavior: str | None, rules: Rules) -> Reranker:
        """What makes lists by rules; the latest are kept ready."""
        key = behavior or self.model.dataset.target, rules.model_dump_json()
        with self.lock:
            if key in self.rerankers:
                self.rerankers.move_to_end(key)
                return self.rerankers[key]
        made = Reranker(self.head(behavior), rules)
        with self.lock:
            self.rerankers[key] = made
            while len(self.rerankers) > _RERANKERS:
                self.rerankers.popitem(last=False)
        return made

    def history(self, user: str | None, kept: Sequence[Kept]) -> tuple[Histories, tuple[str, ...]]:
        """Events of the run and of the store as one history; items that are not known.

        Of equal times, those of the run came first. ``user`` None has no past in the run.
        """
        data = self.model.dataset
        past = data.history(user) if user is not None else Events.empty().histories(np.array([-1]))
        if not kept:
            return past, ()
        fresh, strange = self._events(kept, past)
        events = past.events + replace(fresh, user=np.full(len(fresh), past.users[0]))
        order = np.lexsort((np.arange(len(events)), events.time))
        found = Histories(past.users, np.array([0, len(events)]), events.take(order))
        return replace(found, queries=self._said(past, kept)), strange

    def _said(self, past: Histories, kept: Sequence[Kept]) -> tuple[TextQuery, ...] | None:
        """The searches of a history, with those of the store as they were typed."""
        typed = [place for place, event in enumerate(kept) if event.kind == "query"]
        if not typed:
            return None
        # its own words may be no tokens of the run, so that the events do not tell it
        later = np.array([event.kind != "query" for event in kept])[::-1].cumsum()[::-1]
        said = [TextQuery(kept[place].about, int(later[place]), 0) for place in typed]
        before = self.model.text_matcher.queries(past)
        said += [one._replace(events_since=one.events_since + int(later[0])) for one in before]
        return tuple(said)

    def _events(self, kept: Sequence[Kept], past: Histories) -> tuple[Events, tuple[str, ...]]:
        data, strange = self.model.dataset, []
        catalogue = data.catalogue
        behaviors = {b.name: row for row, b in enumerate(catalogue.behaviors)}
        rows: list[tuple[int, int, int, int, int, float]] = []
        first = int(past.events.time.max(initial=-1)) + 1
        for place, event in enumerate(kept):
            behavior = behaviors.get(event.behavior, -1)
            time = {"clock": event.time, "order": first + place, "none": 0}[data.time]
            value = np.nan if event.value is None else event.value
            domain = -1
            if event.domain in catalogue.domains:
                domain = catalogue.domains.index(event.domain)
            if event.kind == "item":
                item = catalogue.items.index.get(event.about, -1)
                if item < 0 or behavior < 0:
                    strange.append(event.about)
                    continue
                domain = domain if domain >= 0 else int(catalogue.domain[item])
                rows.append((item, -1, behavior, domain, time, value))
                continue
            for term in terms(event.kind, event.about):
                token = catalogue.tokens.index.get(term, -1)
                if token >= 0 and behavior >= 0:
                    rows.append((-1, token, behavior, domain, time, value))
        columns = list(zip(*rows, strict=True)) or [()] * 6
        item_, token_, behavior_, domain_, time_ = (
            np.array(column, np.int64) for column in columns[:5]
        )
        number = np.arange(len(rows))
        value_ = np.array(columns[5], np.float64)
        events = Events(number, item_, token_, behavior_, domain_, time_, value_, number)
        return events, tuple(dict.fromkeys(strange))

    def stated(self, states: Mapping[str, State]) -> "Arm":
        """The same arm where items are in other states."""
        return replace(self, states=states)

    def with_items(self, items: Sequence[Mapping[str, Any]]) -> "Arm":
        """The arm whose model knows further items, or old ones anew.

        Raises DataError for columns that cannot be read.
        """
        model, _ = with_new_data(self.model, new_items(self.model.dataset, items))
        arm = replace(self, model=model, heads={}, rerankers=OrderedDict())
        arm.warm()
        return arm

    def keep(self, at: float) -> Mask | None:
        """Which items lists may hold at a time in ms, (N,); None where they may hold all."""
        found = self._bounds
        if found is None:
            return None
        there, first, last = found
        kept: Mask = there & (first <= at) & (at < last)
        return kept

    @cached_property
    def _bounds(self) -> tuple[Mask, Any, Any] | None:
        """Which items are there at all, and from and until when, (N,) each."""
        catalogue = self.model.dataset.catalogue
        N = len(catalogue)
        there = np.ones(N, bool)
        for row, cell in enumerate(catalogue.columns.get("stock", ())):
            there[row] = _in_stock(cell)
        times = {name: bounds(catalogue, name) for name in BOUNDS}
        for item, state in self.states.items():
            row = catalogue.items.index.get(item, -1)
            if row < 0:
                continue
            if "stock" in state:
                there[row] = _in_stock(state["stock"])
            there[row] &= not (state.get("hidden") or state.get("deleted"))
            for name, of in times.items():
                if state.get(name) is not None:
                    of[row] = bound(name, state[name])
        first, last = times.values()
        if there.all() and np.isneginf(first).all() and np.isposinf(last).all():
            return None
        return there, first, last


def held(model: Model, store: str | None) -> tuple[int, int]:
    """The last event and change of a store that a run holds; 0 where it was made from another."""
    position = model.report.store
    if position is None:
        return 0, 0
    if store is not None and position.store != store:
        log.warning("the run was updated from another store: all events of this one are new to it")
        return 0, 0
    return position.seq, position.change


def digest_of(path: Path) -> str:
    """The digest of a run's manifest; ArtifactError where there is none."""
    try:
        return str(json.loads((path / MANIFEST).read_bytes())["digest"])
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"expected a saved run at {path}, found no {MANIFEST} there") from error


def terms(kind: str, about: str) -> list[str]:
    """The tokens of an event that is about no item; a query has one for each word.

    >>> terms("query", "Red  shoes"), terms("topic", "Jazz")
    (['query:red', 'query:shoes'], ['topic:Jazz'])
    """
    words = about.lower().split() if kind == "query" else [about]
    return [TOKEN_PREFIXES[kind] + word for word in words]


def _in_stock(cell: Any) -> bool:
    """Whether something is left; what cannot be read as a number says nothing."""
    try:
        return missing(cell) or float(cell) > 0
    except (TypeError, ValueError):
        return True


def checked_state(state: State) -> State:
    """A state whose times can be read; ConfigError names the one that cannot."""
    for name in BOUNDS:
        if state.get(name) is not None and moment(state[name]) is None:
            raise ConfigError(
                f"{name}: expected a time as 2026-05-01T12:00, received {state[name]!r}"
            )
    return state
