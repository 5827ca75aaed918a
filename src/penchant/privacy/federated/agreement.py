"""What the parties of a federation agree on, and a client's statistics in that form.

The items of the block, their tags and domains, the behaviors and all settings are public. A
client's statistics are a dense vector whose size follows from them alone: neither its size nor
which of its cells are there reveals anything about a history. What would (a client's own items, a
sparse form) is never sent; a smaller message takes a smaller public block.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.config import SequenceSettings, TransitionSettings, current_names
from penchant.data.dataset import Behavior, Catalogue, Dataset, Events
from penchant.data.vocabulary import Vocabulary
from penchant.errors import ConfigError, DataError
from penchant.features.kernels import Content, content_rows
from penchant.models.transition.exact_sums import Sums, canonical
from penchant.models.transition.recommender import Transition, TransitionFitter, with_defaults
from penchant.models.transition.solver import solve, system
from penchant.models.transition.statistics import Predictors, Statistics
from penchant.types import Ints, TimeKind

UInt64s = NDArray[np.uint64]
"""Integers modulo 2^64."""


@dataclass(frozen=True)
class Agreement:
    """The public side of a federation.

    Attributes
    ----------
    catalogue
        The items of the public block with their tags and domains, and the behaviors.
    time, target
        What the events' time means, and the behavior that is predicted.
    transition, sequence
        The experts' settings, the same for all clients.
    """

    catalogue: Catalogue
    time: TimeKind
    target: str
    transition: TransitionSettings = field(default_factory=TransitionSettings)
    sequence: SequenceSettings = field(default_factory=SequenceSettings)

    @classmethod
    def of(
        cls, dataset: Dataset, items: Sequence[str] | None = None, **settings: Any
    ) -> "Agreement":
        """An agreement with a dataset's behaviors and some of its items (default: all of them).

        Raises ConfigError for an item that the dataset lacks, or without any.
        """
        whole = dataset.catalogue
        block = whole.items if items is None else Vocabulary.of(items)
        rows = whole.items.rows(block.ids)
        if not len(rows) or (rows < 0).any():
            unknown = [name for name, row in zip(block.ids, rows, strict=True) if row < 0]
            raise ConfigError(
                "expected a block of items of the catalogue, received "
                + (f"{len(unknown)} others: {', '.join(unknown[:3])} ..." if unknown else "none")
            )
        catalogue = Catalogue(
            items=block,
            behaviors=whole.behaviors,
            domains=whole.domains,
            domain=whole.domain[rows],
            tags=tuple(whole.tags[row] for row in rows) if whole.tags else (),
        )
        return cls(catalogue, dataset.time, dataset.target, **settings)

    def to_json(self) -> str:
        """One line that ``from_json`` reads."""
        catalogue = self.catalogue
        content = {
            "items": catalogue.items.ids,
            "domain": catalogue.domain.tolist(),
            "domains": catalogue.domains,
            "tags": catalogue.tags,
            "behaviors": [asdict(behavior) for behavior in catalogue.behaviors],
            "time": self.time,
            "target": self.target,
            "transition": self.transition.model_dump(),
            "sequence": self.sequence.model_dump(),
        }
        return json.dumps(content, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Agreement":
        """The agreement that gave this text."""
        content = json.loads(text)
        catalogue = Catalogue(
            items=Vocabulary(tuple(content["items"])),
            behaviors=tuple(Behavior(**fields) for fields in content["behaviors"]),
            domains=tuple(content["domains"]),
            domain=np.array(content["domain"], np.int64),
            tags=tuple(map(tuple, content["tags"])),
        )
        settings = (
            TransitionSettings(**current_names(TransitionSettings, content["transition"])),
            SequenceSettings(**current_names(SequenceSettings, content["sequence"])),
        )
        return cls(catalogue, content["time"], content["target"], *settings)

    def align(self, dataset: Dataset) -> Dataset:
        """A dataset in this form: its events about items of the block, by known behaviors.

        Raises DataError where time means something else there.
        """
        if dataset.time != self.time:
            raise DataError(
                f"expected events whose time is {self.time!r}, as the federation's is, received "
                f"{dataset.time!r}; ingest them with that meaning of time"
            )
        held_out = dataset.held_out
        return Dataset(
            dataset.name,
            self.catalogue,
            dataset.users,
            self._events(dataset.events, dataset.catalogue),
            self.time,
            self.target,
            dataset.protocol,
            None if held_out is None else self._events(held_out, dataset.catalogue),
        )

    def _events(self, events: Events, catalogue: Catalogue) -> Events:
        names = {behavior.name: row for row, behavior in enumerate(self.catalogue.behaviors)}
        domains = {name: row for row, name in enumerate(self.catalogue.domains)}
        item = _moved(events.item, self.catalogue.items.rows(catalogue.items.ids))
        behavior = np.array([names.get(b.name, -1) for b in catalogue.behaviors], np.int64)
        domain = np.array([domains.get(name, -1) for name in catalogue.domains], np.int64)
        aligned = replace(
            events,
            item=item,
            behavior=_moved(events.behavior, behavior),
            domain=_moved(events.domain, domain),
        )
        return aligned.take((item >= 0) & (aligned.behavior >= 0))

    @property
    def rows(self) -> int:
        """R: rows of the sums, an item under all behaviors of one polarity each."""
        return Predictors.of(self.catalogue).side_offset

    @property
    def cells(self) -> int:
        """Length of a vector: N events of items, then G and C of each direction."""
        return cells(len(self.catalogue), self.rows, self.time)

    @cached_property
    def empty(self) -> Dataset:
        """A dataset of this form without any user."""
        none = Vocabulary(())
        return Dataset("federation", self.catalogue, none, Events.empty(), self.time, self.target)

    @property
    def settings(self) -> TransitionSettings:
        """The transition's settings, none of them left open."""
        return with_defaults(self.transition, self.empty)

    def vector(self, dataset: Dataset) -> UInt64s:
        """The sums of an aligned dataset's events, (``cells``,), zeros and all."""
        statistics = TransitionFitter(dataset).statistics(self.settings)
        parts = [dataset.event_counts]
        for sums in (statistics.forward, statistics.backward)[: _directions(self.time)]:
            parts += [sums.G[: self.rows, : self.rows].toarray().ravel()]
            parts += [sums.C[: self.rows].toarray().ravel()]
        return np.concatenate(parts).astype(np.uint64)

    def read(self, vector: UInt64s) -> tuple[Ints, Statistics]:
        """The events of each item (N,) and the sums of a vector.

        Raises DataError where a cell is no sum of counts: below 0 or from 2^62 on.
        """
        if (vector >= 1 << 62).any():
            raise DataError(
                "expected sums below 2^62, received a cell beyond; a client sent what is no sum of "
                "its events, or the behaviors' weights are to be scaled down"
            )
        values = vector.astype(np.int64)
        N, R, P = len(self.catalogue), self.rows, len(Predictors.of(self.catalogue))
        sums = []
        for place in range(_directions(self.time)):
            begin = N + place * R * (R + N)
            G, C = np.split(values[begin : begin + R * (R + N)], [R * R])
            sums.append(Sums(_whole(G, R, (P, P)), _whole(C, N, (P, N))))
        backward = sums[1] if len(sums) > 1 else Sums.zero(P, N)
        return values[:N], Statistics(sums[0], backward)

    def solve(self, event_counts: Ints, statistics: Statistics) -> Transition:
        """The transition expert of all clients' sums: the bits of a fit on all their events."""
        settings = self.settings
        contents = {
            name: Content.of(rows, settings.neighbors, event_counts > 0)
            for name, rows in content_rows(self.catalogue).items()
        }
        B = solve(system(statistics, contents, settings, event_counts), settings.candidates)
        expert = Transition.of(B, self.empty, settings, statistics)
        return replace(expert, known=event_counts > 0)


def cells(items: int, rows: int | None = None, time: TimeKind = "clock") -> int:
    """Cells of a client's vector: N + d R (R + N), d = 2 directions, or 1 where time is none.

    R is the N items where no behavior is negative. Each cell takes 8 bytes.

    >>> cells(500) * 8, cells(5_000) * 8
    (8004000, 800040000)
    """
    rows = items if rows is None else rows
    return items + _directions(time) * rows * (rows + items)


def best_sellers(dataset: Dataset, count: int) -> list[str]:
    """The items with most events of the target, ties to the lower row: a block for simulations.

    In a federation nobody has these counts; there the block is what the public knows.
    """
    order = np.argsort(-dataset.counts(), kind="stable")[:count]
    return [dataset.catalogue.items.ids[row] for row in order]


def split_users(dataset: Dataset, clients: int) -> Iterator[Dataset]:
    """The dataset's users among some clients, in order, each with its own users alone.

    Raises ConfigError for fewer users than clients, or no client.
    """
    users = len(dataset.users)
    if not 1 <= clients <= users:
        raise ConfigError(
            f"expected from 1 to {users} clients, a user or more each, received {clients}"
        )
    bounds = np.arange(clients + 1) * users // clients
    start = np.searchsorted(dataset.events.user, bounds)
    for place in range(clients):
        events = dataset.events.take(slice(int(start[place]), int(start[place + 1])))
        yield Dataset(
            dataset.name,
            dataset.catalogue,
            Vocabulary(dataset.users.ids[bounds[place] : bounds[place + 1]]),
            replace(events, user=events.user - bounds[place]),
            dataset.time,
            dataset.target,
            dataset.protocol,
        )


def _moved(rows: Ints, to: Ints) -> Ints:
    """Rows under other numbers; -1 stays."""
    return np.append(to, -1)[rows]


def _directions(time: TimeKind) -> int:
    return 1 if time == "none" else 2


def _whole(values: Ints, columns: int, shape: tuple[int, int]) -> sparse.csr_array:
    """A dense block as the first rows of a sparse matrix."""
    block = sparse.coo_array(values.reshape(-1, columns))
    return canonical(sparse.csr_array((block.data, (block.row, block.col)), shape=shape))
