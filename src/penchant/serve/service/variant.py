"""A variant: a run in service, its models by behavior, and what lists may hold."""

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
from penchant.serve.store.records import StoredEvent
from penchant.storage.artifact import MANIFEST
from penchant.training.update import with_new_data
from penchant.types import Mask

log = logging.getLogger(__name__)

_RERANKERS = 64  # rules whose filters are kept ready

ItemState = Mapping[str, Any]
"""An item at run time: hidden, deleted, stock, available_from, available_until."""


@dataclass(frozen=True)
class Variant:
    """A run in service.

    digest       the digest of its manifest, which identifies it
    seq, change  the last event and the last change of the store that the run itself contains
    states       states of items, by identifier
    """

    name: str
    path: Path
    digest: str
    model: Model
    seq: int
    change: int
    states: Mapping[str, ItemState] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict, compare=False)
    rerankers: "OrderedDict[tuple[str, str], Reranker]" = field(
        default_factory=OrderedDict, compare=False
    )
    lock: Any = field(default_factory=threading.Lock, compare=False)

    @classmethod
    def load(cls, name: str, path: str | Path, store: str | None = None) -> "Variant":
        """Read a run and prepare what requests need; ``store`` is the identity of its store.

        Raises ArtifactError where a byte of it has changed, or where another run was put in its
        place while it was read.
        """
        path = Path(path)
        digest = digest_of(path)
        model = load(path)
        if digest_of(path) != digest:
            raise ArtifactError(f"{path} was replaced while it was read; read it again")
        variant = cls(name, path, digest, model, *store_position(model, store))
        variant.warm()
        return variant

    def warm(self) -> None:
        """Prepare what the first request would wait for."""
        for behavior in (self.model.dataset.target, *self.model.others):
            model = self.model_for(behavior)
            _ = model.by_popularity
            model.recommend(history=list(self.model.dataset.catalogue.items.ids[:2]), k=1)
        # the garbage collector need not visit a whole run while a request waits
        gc.freeze()

    def model_for(self, behavior: str | None) -> Model:
        """The model that predicts a behavior, made once; ConfigError where there is none."""
        name = behavior or self.model.dataset.target
        if name not in self.models:
            self.models[name] = self.model.with_target(name)
        return self.models[name]

    def reranker(self, behavior: str | None, rules: Rules) -> Reranker:
        """A re-ranker for rules; the latest ones are cached."""
        key = behavior or self.model.dataset.target, rules.model_dump_json()
        with self.lock:
            if key in self.rerankers:
                self.rerankers.move_to_end(key)
                return self.rerankers[key]
        reranker = Reranker(self.model_for(behavior), rules)
        with self.lock:
            self.rerankers[key] = reranker
            while len(self.rerankers) > _RERANKERS:
                self.rerankers.popitem(last=False)
        return reranker

    def history(
        self, user: str | None, stored: Sequence[StoredEvent]
    ) -> tuple[Histories, tuple[str, ...]]:
        """Events of the run and of the store as one history, and the items that are unknown.

        Of equal times, those of the run came first. ``user`` None has no past in the run.
        """
        data = self.model.dataset
        past = data.history(user) if user is not None else Events.empty().histories(np.array([-1]))
        if not stored:
            return past, ()
        fresh, unknown = self._events(stored, past)
        events = past.events + replace(fresh, user=np.full(len(fresh), past.users[0]))
        order = np.lexsort((np.arange(len(events)), events.time))
        history = Histories(past.users, np.array([0, len(events)]), events.take(order))
        return replace(history, queries=self._queries(past, stored)), unknown

    def _queries(
        self, past: Histories, stored: Sequence[StoredEvent]
    ) -> tuple[TextQuery, ...] | None:
        """The searches of a history, with those of the store as they were typed."""
        typed = [place for place, event in enumerate(stored) if event.kind == "query"]
        if not typed:
            return None
        # words that are no tokens of the run are in no event, so the text itself is read
        following = np.array([event.kind != "query" for event in stored])[::-1].cumsum()[::-1]
        queries = [TextQuery(stored[place].about, int(following[place]), 0) for place in typed]
        before = self.model.text_matcher.queries(past)
        queries += [
            query._replace(events_since=query.events_since + int(following[0])) for query in before
        ]
        return tuple(queries)

    def _events(
        self, stored: Sequence[StoredEvent], past: Histories
    ) -> tuple[Events, tuple[str, ...]]:
        data, unknown = self.model.dataset, []
        catalogue = data.catalogue
        behaviors = {b.name: row for row, b in enumerate(catalogue.behaviors)}
        rows: list[tuple[int, int, int, int, int, float]] = []
        first = int(past.events.time.max(initial=-1)) + 1
        for place, event in enumerate(stored):
            behavior = behaviors.get(event.behavior, -1)
            time = {"clock": event.time, "order": first + place, "none": 0}[data.time]
            value = np.nan if event.value is None else event.value
            domain = -1
            if event.domain in catalogue.domains:
                domain = catalogue.domains.index(event.domain)
            if event.kind == "item":
                item = catalogue.items.index.get(event.about, -1)
                if item < 0 or behavior < 0:
                    unknown.append(event.about)
                    continue
                domain = domain if domain >= 0 else int(catalogue.domain[item])
                rows.append((item, -1, behavior, domain, time, value))
                continue
            for term in token_names(event.kind, event.about):
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
        return events, tuple(dict.fromkeys(unknown))

    def with_states(self, states: Mapping[str, ItemState]) -> "Variant":
        """The same variant where items are in other states."""
        return replace(self, states=states)

    def with_items(self, items: Sequence[Mapping[str, Any]]) -> "Variant":
        """The variant whose model knows more items, or has their columns replaced.

        Raises DataError for columns that cannot be read.
        """
        model, _ = with_new_data(self.model, new_items(self.model.dataset, items))
        variant = replace(self, model=model, models={}, rerankers=OrderedDict())
        variant.warm()
        return variant

    def keep(self, at: float) -> Mask | None:
        """Which items lists may hold at a time in ms, (N,); None where they may hold all."""
        if self._bounds is None:
            return None
        present, first, last = self._bounds
        keep: Mask = present & (first <= at) & (at < last)
        return keep

    @cached_property
    def _bounds(self) -> tuple[Mask, Any, Any] | None:
        """Which items are present at all, and from and until when, (N,) each."""
        catalogue = self.model.dataset.catalogue
        N = len(catalogue)
        present = np.ones(N, bool)
        for row, cell in enumerate(catalogue.columns.get("stock", ())):
            present[row] = _in_stock(cell)
        times = {name: bounds(catalogue, name) for name in BOUNDS}
        for item, state in self.states.items():
            row = catalogue.items.index.get(item, -1)
            if row < 0:
                continue
            if "stock" in state:
                present[row] = _in_stock(state["stock"])
            present[row] &= not (state.get("hidden") or state.get("deleted"))
            for name, bounds_ in times.items():
                if state.get(name) is not None:
                    bounds_[row] = bound(name, state[name])
        first, last = times.values()
        if present.all() and np.isneginf(first).all() and np.isposinf(last).all():
            return None
        return present, first, last


def store_position(model: Model, store: str | None) -> tuple[int, int]:
    """The last event and change of a store that a run contains; 0 where it is from another."""
    position = model.report.store
    if position is None:
        return 0, 0
    if store is not None and position.store != store:
        log.warning(
            "the run was updated from another store: it treats all events of this one as new"
        )
        return 0, 0
    return position.seq, position.change


def digest_of(path: Path) -> str:
    """The digest of a run's manifest; ArtifactError where there is none."""
    try:
        return str(json.loads((path / MANIFEST).read_bytes())["digest"])
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"expected a saved run at {path}, found no {MANIFEST} there") from error


def token_names(kind: str, about: str) -> list[str]:
    """The names of the tokens of an event about no item; a query has one for each word.

    >>> token_names("query", "Red  shoes"), token_names("topic", "Jazz")
    (['query:red', 'query:shoes'], ['topic:Jazz'])
    """
    words = about.lower().split() if kind == "query" else [about]
    return [TOKEN_PREFIXES[kind] + word for word in words]


def _in_stock(cell: Any) -> bool:
    """Whether an item is in stock; a cell that is no number counts as in stock."""
    try:
        return missing(cell) or float(cell) > 0
    except (TypeError, ValueError):
        return True


def validated_state(state: ItemState) -> ItemState:
    """A state whose times can be read; ConfigError names the one that cannot be."""
    for name in BOUNDS:
        if state.get(name) is not None and moment(state[name]) is None:
            raise ConfigError(
                f"{name}: expected a time as 2026-05-01T12:00, received {state[name]!r}"
            )
    return state
