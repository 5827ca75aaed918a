"""What diversity costs: accuracy along the dials of re-ranking, for an expert that saw no test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from penchant.data.splitting.cases import Cases
from penchant.data.splitting.split import split
from penchant.errors import ConfigError, DataError
from penchant.evaluation import metrics
from penchant.evaluation.metrics import Interval
from penchant.features.kernels import Rows, tag_rows, unit_rows
from penchant.models.transition.recommender import TransitionFitter
from penchant.recommendation import Model
from penchant.recommendation.interests import Interests
from penchant.recommendation.request import ListRequest
from penchant.recommendation.rerank import Reranker, Rules
from penchant.recommendation.rerank.similarity import known_rows, similarities
from penchant.report.html import Section, figures, number, paragraph, share, table
from penchant.report.svg import Point, curve
from penchant.types import Floats, Ints, Progress

DIALS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
QUOTAS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
K = 10


@dataclass(frozen=True)
class Setting:
    """What lists at one setting of a dial are.

    ndcg      mean over the cases
    lost      paired: NDCG at 0 less this one's
    coverage  share of the catalogue that stands in any list
    distance  mean intra-list distance; NaN where no list has two items
    apart     mean interest calibration error, in nats; NaN where no case has interests
    """

    dial: float
    ndcg: float
    lost: Interval
    coverage: float
    distance: float
    calibration_error: float


@dataclass(frozen=True)
class Tradeoff:
    """Both dials on the same test cases."""

    cases: int
    by: str
    diversity: tuple[Setting, ...]
    quota: tuple[Setting, ...]


def tradeoff(
    model: Model, cases: int = 300, seed: int = 0, progress: Progress | None = None
) -> Tradeoff:
    """Lists of at most ``cases`` test cases, drawn by a hash of their users, at each dial.

    The run's own model has seen the test events, so the transition expert is fitted again on the
    training events of the same split, with the run's settings; a history is what is known of the
    user before the case. The order of work is fixed, so the same run gives the same numbers.

    Raises ConfigError for a run without a transition expert, DataError where no event can be held
    out.
    """
    if model.transition is None:
        raise ConfigError(
            f"diversity is measured with a transition expert, received a run of {model.family!r}"
        )
    progress = progress or (lambda text: None)
    data = model.dataset
    parts = split(data, seed=model.recipe.seed)
    train = data.with_events(parts.train)
    progress("report: fitting a transition expert without the test events")
    expert = TransitionFitter(train, model.recipe.seed)(model.transition.settings)
    asked = parts.test.sample(data.users.ids, cases, seed)
    if not len(asked.histories):
        raise DataError("expected test cases of known users with a history, received none")
    others = ~np.isin(parts.train.user, asked.histories.users)
    events = (parts.train.take(others) + asked.histories.events).sorted()
    space = Model(train, expert, model.recipe).space  # of training events alone
    holdout_model = Model(data.with_events(events), expert, model.recipe).within(space)
    names = [data.users.ids[user] for user in asked.histories.users.tolist()]
    interests = [holdout_model.interests(name) for name in names]
    domains = [data.catalogue.domains[d] if d >= 0 else None for d in asked.domain.tolist()]

    rules = [Rules(method="mmr", diversity=d) if d else Rules() for d in DIALS]
    rules += [Rules(quota=q) for q in QUOTAS[1:]]
    rerankers = [Reranker(holdout_model, of) for of in rules]
    progress(f"report: {len(rules)} settings of diversity, {len(names)} cases each")
    lists = np.full((len(rules), len(names), K), -1)
    of_items, N = known_rows(holdout_model), len(data.catalogue)
    for case, (name, own, domain) in enumerate(zip(names, interests, domains, strict=True)):
        alike = _Alike(of_items, N)
        history = holdout_model.dataset.history(name)
        request = ListRequest(k=K, user=name, domain=domain, interests=own, similarity=alike)
        for row, reranker in enumerate(rerankers):
            items = reranker(history, request).items
            lists[row, case, : len(items)] = data.catalogue.items.rows(one.item for one in items)
    known = any(data.catalogue.tags)
    rows = unit_rows(tag_rows(data.catalogue.tags)) if known else holdout_model.space.vectors
    judged = _judge(asked, sparse.csr_array(rows), interests, seed)
    dials = [judged(dial, of, lists[0]) for dial, of in zip(DIALS, lists, strict=False)]
    quotas = [
        judged(quota, of, lists[0])
        for quota, of in zip(QUOTAS, [lists[0], *lists[len(DIALS) :]], strict=True)
    ]
    return Tradeoff(
        len(names),
        "tags" if known else "co-occurrence",
        tuple(dials),
        tuple(quotas),
    )


def diversity(
    model: Model, cases: int = 300, seed: int = 0, progress: Progress | None = None
) -> Section:
    """The section on what diversity costs."""
    title = "What diversity costs"
    try:
        found = tradeoff(model, cases, seed, progress)
    except (ConfigError, DataError) as error:
        reason = f"Not measured: {error}."
        return Section("diversity", title, paragraph(reason, kind="absent"))
    whose = "the transition expert of this fusion" if model.family == "fusion" else "this model"
    body = paragraph(
        "Lists can be made more varied, or closer to all interests of a user, at a cost in "
        "accuracy. At 0 the ranking stays as it is.",
        f"The curves are of {whose}, fitted again without the test events, on {found.cases:,} test "
        "cases drawn by chance; the figures above are of all cases, so they differ.",
    )
    plots = [
        curve(
            "Diversity (MMR)",
            "intra-list distance",
            "NDCG@10",
            [Point(s.distance, s.ndcg, f"{s.dial:g}") for s in found.diversity],
        )
    ]
    if not np.isnan([s.calibration_error for s in found.quota]).any():
        plots.append(
            curve(
                "Interest quota",
                "interest calibration error, nats",
                "NDCG@10",
                [Point(s.calibration_error, s.ndcg, f"{s.dial:g}") for s in found.quota],
            )
        )
    body += figures(
        *plots,
        caption=f"Each dot is one setting. Distance is 1 - cosine by {found.by}, "
        "averaged over the pairs of a list; the calibration error is the distance between the "
        "interests in a list and the user's (Steck 2018): lower is closer. Axes do not start at 0.",
    )
    lost = "NDCG@10 lost"
    body += table(
        ("diversity", "NDCG@10", lost, "coverage", "intra-list distance"),
        [
            (
                f"{s.dial:g}",
                number(s.ndcg),
                _interval(s.lost),
                share(s.coverage),
                number(s.distance),
            )
            for s in found.diversity
        ],
    )
    body += table(
        ("quota", "NDCG@10", lost, "coverage", "interest calibration error"),
        [
            (
                f"{s.dial:g}",
                number(s.ndcg),
                _interval(s.lost),
                share(s.coverage),
                number(s.calibration_error),
            )
            for s in found.quota
        ],
    )
    return Section("diversity", title, body)


class _Alike:
    """Similarities of one case's pool, which all settings select from: computed once."""

    def __init__(self, rows: list[Rows], count: int) -> None:
        self.rows, self.count = rows, count
        self.items, self.found = np.zeros(0, np.int64), np.zeros((0, 0))

    def __call__(self, items: Ints) -> Floats:
        if not np.array_equal(items, self.items):
            self.items, self.found = items, similarities(items, self.count, self.rows, None)
        return self.found


def _judge(
    asked: Cases, rows: sparse.csr_array, interests: Sequence[Interests], seed: int
) -> Callable[[float, Ints, Ints], Setting]:
    """What tells how good lists (B, k) at a dial are, beside the plain ones."""
    truth, indptr = metrics.distinct_truths(asked.truth, asked.indptr)

    def ndcg(lists: Ints) -> Floats:
        return metrics.ndcg(metrics.list_ranks(lists, truth, indptr), K, indptr)

    def calibration_error(lists: Ints) -> Floats:
        found = np.full(len(lists), np.nan)
        for case, (own, items) in enumerate(zip(interests, lists, strict=True)):
            if len(own) and (items >= 0).any():
                shares = own.shares(items[items >= 0]).mean(axis=0)
                found[case] = metrics.miscalibration(own.weights, shares)
        return found

    def judged(dial: float, lists: Ints, plain: Ints) -> Setting:
        values = ndcg(lists)
        return Setting(
            dial,
            float(np.nanmean(values)),
            metrics.paired(ndcg(plain), values, seed),
            metrics.coverage(lists, rows.shape[0]),
            metrics.bootstrap(metrics.intra_list_distance(lists, rows), seed, 1).value,
            metrics.bootstrap(calibration_error(lists), seed, 1).value,
        )

    return judged


def _interval(found: Interval) -> str:
    value, low, high = (number(v, signed=True) for v in found)
    return f"{value} [{low}, {high}]"
