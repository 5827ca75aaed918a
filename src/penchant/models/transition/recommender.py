"""The closed-form expert: a ridge regression of the next event on the decayed history.

The family of EASE (Steck 2019, eq. 8) and SLIST (Choi et al. 2021), with content kernels in G and C
as in collective EASE. ``statistics`` makes the sums, ``solve`` the matrix B, and here it scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.config import TransitionSettings
from penchant.data.dataset import Catalogue, Dataset, Histories
from penchant.features.kernels import Contents, content_rows, weighted_sum
from penchant.models.base import DataChange, Family, Recommender
from penchant.models.transition.cold_start import ColdStartContext
from penchant.models.transition.event_masking import TransitionWithoutEvent
from penchant.models.transition.exact_sums import Sums
from penchant.models.transition.incremental import solve_changed
from penchant.models.transition.side_information import SideInformation
from penchant.models.transition.solver import ALPHA, contents, solve, system
from penchant.models.transition.statistics import (
    SUMMED,
    WEIGHT_BITS,
    Predictors,
    Statistics,
    decays,
    grid,
    statistics,
)
from penchant.types import Arrays, Floats, Ints, Scores, TimeKind

_FEW_ITEMS, _MANY, _USUAL = 5000, 500, 200  # candidates, where the settings leave them open


@dataclass(frozen=True)
class Transition(Recommender):
    """A solved expert: scores of all items from a history, by one sparse product.

    Parameters
    ----------
    B
        (P, N) sparse float32.
    weight
        Weight of each behavior in a history, in units of 2^-12, (A,).
    decay
        Decay of each behavior's events, (A,).
    statistics
        The sums that B solves, for updates.
    catalogue
        What it was fitted on, and ``known`` (N,), the items that had events.
    domain
        Domain of each item, (N,), where domains have no order in common.
    side_information
        What stands beside the histories of the dataset's users.
    """

    B: sparse.csr_array
    weight: Ints
    decay: Floats
    predictors: Predictors
    settings: TransitionSettings
    time: TimeKind
    statistics: Statistics
    catalogue: Catalogue
    known: NDArray[np.bool_]
    domain: Ints | None = None
    side_information: SideInformation | None = None

    @property
    def name(self) -> str:
        return "transition"

    @property
    def transition(self) -> "Transition":
        return self

    @property
    def any_target(self) -> bool:
        return self.settings.other_behavior_weight == 1

    def saved_head(self, main: Recommender) -> tuple[Mapping[str, object] | None, Arrays]:
        return (None, {}) if self is main else super().saved_head(main)

    def updated(self, change: DataChange) -> tuple["Transition", int]:
        B, sums, columns = solve_changed(self, change)
        return Transition.of(B, change.merged.dataset, self.settings, sums), columns

    def remapped(self, dataset: Dataset, tokens: Ints, seed: int) -> "Transition":
        old, known = self.catalogue, self.catalogue.attributes
        rows = np.ones(len(Predictors.of(old)), bool)
        rows[len(old) : len(old) + len(tokens)] = tokens >= 0
        rows[len(rows) - len(known) :] = np.isin(known.ids, dataset.catalogue.attributes.ids)
        return Transition.of(self.B[rows], dataset, self.settings, self.statistics.only(rows))

    def without_event(self, history: Histories, place: int) -> Scores:
        return TransitionWithoutEvent(self, place).score(history)

    @classmethod
    def of(
        cls,
        B: sparse.csc_array | sparse.csr_array,
        dataset: Dataset,
        settings: TransitionSettings,
        statistics: Statistics,
    ) -> "Transition":
        """The expert of a solution; ``dataset`` gives its catalogue and the meaning of time."""
        weight = grid(dataset.catalogue, settings.behavior_weights, WEIGHT_BITS)
        predictors = Predictors.of(dataset.catalogue)
        decay = decays(dataset.catalogue, settings)
        domain = dataset.catalogue.domain if dataset.domains_unordered else None
        solved = B.tocsr(), weight, decay, predictors, settings, dataset.time, statistics
        return cls(
            *solved,
            dataset.catalogue,
            dataset.event_counts > 0,
            domain,
            SideInformation.of(dataset),
        )

    def weights(self, histories: Histories, item: int | None = None) -> Floats:
        """Weight of each event of the histories now: w(behavior) decay^(age - 1), (E,).

        The latest event has age 1; events past the window have weight 0. Where domains have no
        order in common, the latest of each has age 1, and those of other domains than the
        ``item``'s weigh w(behavior) across.
        """
        weight: Floats = self.weight[histories.events.behavior].astype(np.float64)
        weight *= 2.0**-WEIGHT_BITS
        if self.time == "none":
            return weight
        domain = histories.events.domain
        age = np.repeat(histories.indptr[1:], histories.lengths) - np.arange(len(weight))
        if self.domain is not None:
            unit = histories.owner * (int(domain.max(initial=-1)) + 2) + domain + 1
            order = np.argsort(unit, kind="stable")
            last = np.searchsorted(unit[order], unit[order], "right")
            age[order] = last - np.arange(len(weight))
        age = np.minimum(age, self.settings.window + 1)
        inside = age <= self.settings.window
        decay = self.decay[histories.events.behavior]
        decayed: Floats = np.where(inside, weight * decay ** (age - 1.0), 0.0)
        if self.domain is not None and item is not None:
            other = domain != self.domain[item]
            decayed[other] = weight[other] * self.settings.cross_domain_weight
        return decayed

    def inputs(self, histories: Histories, item: int | None = None) -> sparse.csr_array:
        """x of each history, (B, P) sparse float64; of an item's domain, see ``weights``."""
        p = self.predictors.rows(histories.events)
        x = self.weights(histories, item), p, histories.indptr.copy()  # the sums are made in place
        own = sparse.csr_array(x, shape=(len(histories), len(self.predictors)))
        own.sum_duplicates()
        if self.side_information is None or not self.side_information.counts(self.settings):
            return own
        return (own + self.side_inputs(histories)).tocsr()

    def side_inputs(self, histories: Histories) -> sparse.csr_array:
        """What stands beside the histories, (B, P) sparse float64."""
        if self.side_information is None:
            return sparse.csr_array((len(histories), len(self.predictors)))
        first, size = self.predictors.side_offset, len(self.predictors)
        return (
            self.side_information.side_inputs(histories, self.settings, first, size)
            * 2.0**-WEIGHT_BITS
        )

    def score(self, histories: Histories) -> Scores:
        return self.score_inputs(histories, self.inputs(histories))

    def score_inputs(self, histories: Histories, x: sparse.csr_array) -> Scores:
        """As ``score``, from inputs (B, P) that are at hand."""
        # each row of a sparse product is summed on its own, so batches cannot change it
        if self.domain is None:
            scores: Scores = (x @ self.whole).toarray()
        else:
            scores = np.zeros((len(histories), self.B.shape[1]))
            for items, columns in self.by_domain:
                x = self.inputs(histories, int(items[0]))
                scores[:, items] = (x @ columns).toarray()
        if len(self.unscored):
            scores[:, self.unscored] = -np.inf
        return scores

    def positive(self, history: Histories, x: sparse.csr_array) -> tuple[Ints, Floats]:
        """The items whose score after one history is above 0, (I,), and these scores."""
        if self.domain is None:
            scores = weighted_sum(self.whole, x.indices, x.data)
        else:
            scores = self.score_inputs(history, x)[0]
        items = np.flatnonzero(scores > 0)
        return items, scores[items]

    @cached_property
    def cold_start_context(self) -> ColdStartContext:
        """What the columns of new items read, made when the first of them comes."""
        return ColdStartContext.of(content_rows(self.catalogue), self.settings, self.known)

    @cached_property
    def by_domain(self) -> list[tuple[Ints, sparse.csr_array]]:
        """The items of each domain and their columns of B."""
        assert self.domain is not None
        items = [np.flatnonzero(self.domain == one) for one in np.unique(self.domain)]
        return [(some, self.whole[:, some]) for some in items]

    @cached_property
    def whole(self) -> sparse.csr_array:
        """B in float64, so that no product converts it again."""
        return self.B.astype(np.float64)

    @cached_property
    def unscored(self) -> Ints:
        """The items without a column."""
        return np.flatnonzero(~self.scored)

    @cached_property
    def scored(self) -> NDArray[np.bool_]:
        """Which items have a column, (N,)."""
        return np.bincount(self.B.indices, minlength=self.B.shape[1]) > 0

    def likeness(self, item: int) -> Floats:
        """Cosine of an item's column of B with each other's, (N,)."""
        length = np.sqrt(np.bincount(self.B.indices, self.whole.data**2, self.B.shape[1]))
        column = self.whole[:, [item]].toarray().ravel()
        product: Floats = np.asarray(self.whole.T @ column)
        scale = length * length[item]
        np.divide(product, scale, out=product, where=scale > 0)
        return product

    @cached_property
    def cross(self) -> sparse.csr_array:
        """C, (P, N) sparse float64, in units of one event."""
        return self.statistics.cross(self.settings.reverse).tocsr()

    def alpha(self, modality: str) -> float:
        """What a modality weighs."""
        return self.settings.content_weights.get(modality, ALPHA)

    def arrays(self) -> Arrays:
        found: Arrays = {"weight": self.weight}
        matrices = {"B": self.B}
        for side in ("forward", "backward"):
            sums: Sums = getattr(self.statistics, side)
            matrices |= {f"{side}.G": sums.G, f"{side}.C": sums.C}
        for name, matrix in matrices.items():
            for part in ("data", "indices", "indptr"):
                found[f"{name}.{part}"] = getattr(matrix, part)
        return found


def restore(arrays: Arrays, dataset: Dataset, settings: TransitionSettings) -> Transition:
    """The expert that gave these arrays."""
    N = len(dataset.catalogue)
    P = len(Predictors.of(dataset.catalogue))

    def matrix(name: str, columns: int) -> sparse.csr_array:
        parts = tuple(arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
        return sparse.csr_array(parts, shape=(P, columns))

    sums = (Sums(matrix(f"{s}.G", P), matrix(f"{s}.C", N)) for s in ("forward", "backward"))
    return Transition.of(matrix("B", N), dataset, settings, Statistics(*sums))


class TransitionFitter:
    """Fits the expert on a dataset, again and again for the settings of a search.

    The content and, for each (decay, window, weights), the sums are made once.
    """

    def __init__(self, dataset: Dataset, seed: int = 0) -> None:
        self.dataset = dataset
        self.sums: dict[str, Statistics] = {}
        self.contents: dict[int, Contents] = {}

    def __call__(self, settings: TransitionSettings) -> Transition:
        settings = with_defaults(settings, self.dataset)
        sums = self.statistics(settings)
        both = system(sums, self.content(settings), settings, self.dataset.event_counts)
        B = solve(both, settings.candidates)
        return Transition.of(B, self.dataset, settings, sums)

    def statistics(self, settings: TransitionSettings) -> Statistics:
        """The sums of the dataset's events under these settings."""
        key = settings.model_dump_json(include=set(SUMMED))
        if key not in self.sums:
            data = self.dataset
            self.sums[key] = statistics(
                data.events,
                data.catalogue,
                settings,
                data.time,
                data.target,
                SideInformation.of(data),
            )
        return self.sums[key]

    def content(self, settings: TransitionSettings) -> Contents:
        """The catalogue's content with each item's nearest."""
        if settings.neighbors not in self.contents:
            self.contents[settings.neighbors] = contents(self.dataset, settings)
        return self.contents[settings.neighbors]


def with_defaults(settings: TransitionSettings, dataset: Dataset) -> TransitionSettings:
    """The settings with what they leave to the dataset: candidates, and the weight of openings."""
    count = settings.candidates
    if not count:
        count = _MANY if len(dataset.catalogue) <= _FEW_ITEMS else _USUAL
    opening = settings.short_history_weight
    if opening is None:
        opening = float(len(dataset.catalogue.attributes) + len(dataset.relations) > 0)
    return settings.model_copy(update={"candidates": count, "short_history_weight": opening})


def default_entry(settings: TransitionSettings, name: str, dataset: Dataset) -> float:
    """What an entry stands at where the settings say nothing of it."""
    field, _, key = name.partition(".")
    if field == "content_weights":
        return ALPHA
    if field == "decays":
        return settings.decay
    return dataset.catalogue.behaviors[dataset.catalogue.behavior(key)].strength


TRANSITION = Family(
    "transition",
    TransitionSettings,
    {
        "decay": (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0),
        "behavior_weights.*": (0.0, 0.1, 0.2, 0.5, 1.0),
        "other_behavior_weight?": (0.0, 0.1, 0.2, 0.5, 1.0),
        "content_weights.tags": (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0),
        "ridge": (5.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0),
        "content_weights.*": (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0),
        "cross_domain_weight": (0.0, 0.05, 0.1, 0.2, 0.5, 1.0),
        # never 0: to who has no events yet they are all there is
        "friends": (0.02, 0.05, 0.1, 0.2, 0.5),
        "attributes": (0.05, 0.1, 0.2, 0.5, 1.0, 2.0),
        "reverse": (0.0, 0.15, 0.3, 0.5, 0.8),
        "cold": (0.0, 1.0, 3.0, 10.0, 30.0),
    },
    TransitionFitter,
    restore,
    default_entry,
    cheap={"candidates": 100},
)
