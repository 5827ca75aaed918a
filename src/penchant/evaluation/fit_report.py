"""What a fit found: its notes, trials, evaluation, slices, weights and probabilities, typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from penchant.data.cleaning.report import CleaningReport
from penchant.evaluation.metrics import Interval
from penchant.features.item_content import ModalityRead
from penchant.models.base import FeatureEffects
from penchant.storage.json_records import OPTIONAL, JsonRecord, key


@dataclass(frozen=True)
class Trial(JsonRecord):
    """A setting that was tried: what differs from the start, and its validation NDCG@10."""

    changes: Mapping[str, Any]
    ndcg: float = field(metadata=key("ndcg@10"))


@dataclass(frozen=True)
class QueryTrials(JsonRecord):
    """Shares of a list's places for the latest search: the one chosen, and NDCG@10 of each."""

    share: float
    cases: int
    ndcg: Mapping[str, float] = field(metadata=key("ndcg@10"))


@dataclass(frozen=True)
class HoldoutReport(JsonRecord):
    """Metrics of the holdout model on the test cases of a protocol, with 95 % intervals."""

    protocol: str
    cases: int
    seed: int
    metrics: Mapping[str, Interval]


@dataclass(frozen=True)
class Slice(JsonRecord):
    """Metrics of a part of the test cases."""

    cases: int
    recall: Interval = field(metadata=key("recall@10"))
    ndcg: Interval = field(metadata=key("ndcg@10"))


Slices = Mapping[str, Slice]
"""Parts of the test cases by name."""


@dataclass(frozen=True)
class Comparison(JsonRecord):
    """Another model on the same cases, and the paired difference of the model less that one."""

    metrics: Mapping[str, Interval]
    less: Mapping[str, Interval]


@dataclass(frozen=True)
class VectorReport(JsonRecord):
    """How far the K vectors of a user differ, and what each of them finds.

    active     mean number of active vectors of a case: those that hold at least a tenth of the
               gates over its list
    collapse   mean cosine of pairs of active vectors of a case; 1 where they are all one, NaN
               where no case has two
    recall     of the list that each vector would make alone; ``together`` of all these lists
    agreement  with the interests found in the events (adjusted Rand index); None where there are
               none to compare with
    """

    vectors: int
    active: float
    collapse: float
    recall: tuple[float, ...] = field(metadata=key("recall@10"))
    together: float = field(metadata=key("recall@10 together"))
    agreement: float | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class ReliabilityBin(JsonRecord):
    """Predictions of about the same probability, and how often they came true."""

    predicted: float = field(metadata=key("said"))
    observed: float = field(metadata=key("happened"))
    pairs: int


@dataclass(frozen=True)
class Likelier(JsonRecord):
    """Share of item pairs whose probability is above that of another behavior."""

    share: float | None
    pairs: int


@dataclass(frozen=True)
class ProbabilityReport(JsonRecord):
    """How good the probabilities of one behavior are, on pairs of a case and an item of its list.

    events_ahead  how many events the probability looks ahead
    listed        how many of a case's best items are judged
    held_out      share of the pairs that came true
    above         how often this behavior is likelier than another, by its name
    """

    behavior: str
    events_ahead: float
    listed: int
    pairs: int
    base_rate: float
    held_out: float
    skill_over_base_rate: Interval
    skill_over_popularity: Interval
    log_loss: float
    log_loss_of_base_rate: float
    log_loss_of_popularity: float
    ece: float
    reliability: tuple[ReliabilityBin, ...]
    above: Mapping[str, Likelier] | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class PrivacyReport(JsonRecord):
    """The budget of a private run, what it was spent on, and what the guarantee covers.

    rho  the budget of a release of sums, of which ``spent`` has parts by name; of a training,
         which has none, ``spent`` has its epsilon, delta, noise, sampling rate and steps
    """

    epsilon: float
    delta: float
    rho: float | None = field(metadata=OPTIONAL)
    spent: Mapping[str, float]
    unit: str
    method: str
    covered: str
    not_covered: tuple[str, ...] = field(metadata=key("not covered"))


@dataclass(frozen=True)
class StorePosition(JsonRecord):
    """What a run holds of a service's store: up to which event and change, and of which store."""

    store: str = field(metadata=key("of"))
    seq: int
    change: int


@dataclass(frozen=True)
class ForgottenReport(JsonRecord):
    """Who was forgotten since the fit, and what stands as it was until the next, due by when.

    strict  whether the deep expert was taken out
    """

    count: int
    deadline: str
    pending: tuple[str, ...]
    strict: bool


@dataclass(frozen=True)
class RerankReport(JsonRecord):
    """Lists with re-ranking by a language model and without, on the same cases.

    wins        the interval of the paired difference of NDCG@10 lies above 0, on cases enough
    shortened   histories were cut, as too few users have short ones
    failed      replies that cannot be used; ``invented``, ``repeated`` and ``left_out`` count
                numbers of the others
    cost        requests, tokens, seconds and money
    """

    wins: bool
    difference: float
    low: float
    high: float
    model: str
    behavior: str
    settings: Mapping[str, Any]
    protocol: str
    cases: int
    shortened: bool
    seed: int
    without: Mapping[str, Interval]
    reranked: Mapping[str, Interval] = field(metadata=key("with"))
    less: Mapping[str, Interval]
    failed: int
    invented: int
    repeated: int
    left_out: int
    cost: Mapping[str, float]


@dataclass(frozen=True)
class FitReport(JsonRecord):
    """What a fit found, and what became of the run since; immutable, as the model that has it.

    What is None was not measured: too few events could be held out, the family has no such part,
    or the run was fitted before it was measured.

    Attributes
    ----------
    notes
        What a person should know, in words.
    content
        What was read of the items, by modality.
    trials
        Settings that were tried on validation events, in order.
    searches
        Shares of the latest search that were tried, where users search.
    evaluation
        The holdout model on the test events.
    slices
        Parts of the test cases: by ``history``, ``item``, ``behavior`` and ``domain``.
    baselines
        Simpler models on the same cases, by name.
    groups
        Test cases by the protected attributes that the recipe opted in.
    vectors
        How far several vectors of a user differ.
    weights
        What each part of a fusion weighs.
    probabilities
        How good probabilities are, the target's first.
    privacy
        The budget of a private run.
    cleaning
        What cleaning did to the raw files.
    store
        What the run holds of a service's store.
    forgotten
        Who was forgotten since.
    reorder
        Whether re-ranking by a language model pays.
    """

    notes: tuple[str, ...] = ()
    content: Mapping[str, ModalityRead] | None = field(default=None, metadata=OPTIONAL)
    trials: tuple[Trial, ...] | None = field(default=None, metadata=OPTIONAL)
    searches: QueryTrials | None = field(default=None, metadata=OPTIONAL)
    evaluation: HoldoutReport | None = field(default=None, metadata=OPTIONAL)
    slices: Mapping[str, Slices] | None = field(default=None, metadata=OPTIONAL)
    baselines: Mapping[str, Comparison] | None = field(default=None, metadata=OPTIONAL)
    groups: Mapping[str, Slices] | None = field(default=None, metadata=OPTIONAL)
    vectors: VectorReport | None = field(default=None, metadata=OPTIONAL)
    weights: FeatureEffects | None = field(default=None, metadata=OPTIONAL)
    probabilities: tuple[ProbabilityReport, ...] | None = field(default=None, metadata=OPTIONAL)
    privacy: PrivacyReport | None = field(default=None, metadata=OPTIONAL)
    cleaning: CleaningReport | None = field(default=None, metadata=OPTIONAL)
    store: StorePosition | None = field(default=None, metadata=OPTIONAL)
    forgotten: ForgottenReport | None = field(default=None, metadata=OPTIONAL)
    reorder: RerankReport | None = field(default=None, metadata=OPTIONAL)

    def noting(self, *notes: str) -> Self:
        """The report with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The report that gave this JSON; 0.1.0 wrote empty searches where none was tried."""
        some = {name: part for name, part in content.items() if part or name != "searches"}
        return super().from_dict(some)
