"""Probabilities fitted on one share of validation and judged on test."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penchant.data.arrays import blocks
from penchant.data.dataset import Catalogue, Dataset
from penchant.data.splitting.cases import Cases
from penchant.evaluation import metrics
from penchant.evaluation.fit_report import Likelier, ProbabilityReport, ReliabilityBin
from penchant.models.base import Recommender
from penchant.models.calibration import (
    LISTED,
    Calibration,
    fit_calibration,
    logistic,
    regression,
)
from penchant.models.topk import CELLS, mask_other_domains, mask_seen, top_k
from penchant.types import Floats, Ints

BINS = 10


@dataclass(frozen=True)
class TopLists:
    """The 100 best items of B cases and what happened.

    items, scores, outcome   (B, 100); -1, -inf and False where a list ends early
    lengths, users           of each case's history, (B,)
    """

    items: Ints
    scores: Floats
    outcome: NDArray[np.bool_]
    lengths: Ints
    users: Ints


def top_lists(
    model: Recommender, catalogue: Catalogue, cases: Cases, repeats: bool = False
) -> TopLists:
    """Each case's best, and which of them are among its held-out items."""
    N = len(catalogue)
    items = np.full((len(cases.histories), LISTED), -1)
    scores = np.full(items.shape, -np.inf)
    outcome = np.zeros(items.shape, bool)
    for part in blocks(len(items), max(1, CELLS // max(1, N))):
        histories = cases.histories.take(part)
        scored = model.score(histories)
        mask_seen(scored, histories, None if repeats else histories.events.item)
        mask_other_domains(scored, catalogue, cases.domain[part])
        items[part], scores[part] = top_k(scored, LISTED)
        start, stop = cases.indptr[part.start], cases.indptr[part.stop]
        truth = np.zeros(scored.shape, bool)
        sizes = np.diff(cases.indptr[part.start : part.stop + 1])
        truth[np.repeat(np.arange(len(histories)), sizes), cases.truth[start:stop]] = True
        right = np.take_along_axis(truth, np.maximum(items[part], 0), axis=1)
        outcome[part] = right & (items[part] >= 0)
    return TopLists(items, scores, outcome, cases.histories.lengths, cases.histories.users)


def calibrate_lists(lists: TopLists) -> Calibration:
    """The calibration that some lists ask for."""
    return fit_calibration(lists.scores, lists.lengths, lists.outcome)


def assess_probabilities(
    calibration: Calibration,
    fitted: TopLists,
    judged: TopLists,
    train: Dataset,
    *,
    events_ahead: float,
    seed: int = 0,
) -> ProbabilityReport:
    """How good the probabilities of some lists are.

    ``fitted`` are the lists that the calibration was fitted on; the base rate and a calibrated
    popularity, on the same items, are fitted on them too. ``train`` holds the events that the
    model was fitted on. A skill is 1 - Brier / Brier of what it is compared with; its interval is
    over users.
    """
    r = calibration.probabilities(judged.scores, judged.lengths)
    there = ~np.isnan(r)
    p, y = r[there], judged.outcome[there].astype(np.float64)
    users = np.broadcast_to(judged.users[:, None], r.shape)[there]
    known = fitted.items >= 0
    base = np.full(len(p), fitted.outcome[known].mean())
    popular = _popular(fitted, train.counts())(judged)[there]
    curve = metrics.reliability(p, y, BINS)
    return ProbabilityReport(
        behavior=train.target,
        events_ahead=events_ahead,
        listed=LISTED,
        pairs=len(p),
        base_rate=float(base[0]),
        held_out=float(y.mean()),
        skill_over_base_rate=metrics.skill_interval(p, y, base, users, seed),
        skill_over_popularity=metrics.skill_interval(p, y, popular, users, seed),
        log_loss=float(metrics.log_loss(p, y).mean()),
        log_loss_of_base_rate=float(metrics.log_loss(base, y).mean()),
        log_loss_of_popularity=float(metrics.log_loss(popular, y).mean()),
        ece=metrics.ece(p, y),
        reliability=tuple(
            ReliabilityBin(float(predicted), float(observed), int(pairs))
            for predicted, observed, pairs in zip(*curve, strict=True)
        ),
    )


class Calibrated(NamedTuple):
    """A calibration, the lists that it was judged on, and how good it is on them."""

    calibration: Calibration
    lists: TopLists
    report: ProbabilityReport

    @property
    def probabilities(self) -> Floats:
        """Of the items of the lists, (B, 100)."""
        return self.calibration.probabilities(self.lists.scores, self.lists.lengths)


def evaluate_calibration(
    model: Recommender, train: Dataset, fitted: Cases, judged: Cases, repeats: bool, seed: int
) -> Calibrated | None:
    """A calibration of the dataset's target on some cases, judged on others.

    ``train`` holds the events that the model was fitted on. None where nothing on the lists
    happened: no scores of these say how likely anything is.
    """
    first = top_lists(model, train.catalogue, fitted, repeats)
    if not first.outcome.any():
        return None
    second, calibration = top_lists(model, train.catalogue, judged, repeats), calibrate_lists(first)
    ahead = len(judged.truth) / len(judged.histories)
    report = assess_probabilities(calibration, first, second, train, events_ahead=ahead, seed=seed)
    return Calibrated(calibration, second, report)


def probability_order(ours: Calibrated, other: TopLists, calibration: Calibration) -> Likelier:
    """How often one behavior's probability is above another's.

    Of the items that are among the same case's best for both: P(buy) > P(view) says that the
    user's next purchase is likelier to be the item than the next view is.
    """
    p, q = ours.probabilities, calibration.probabilities(other.scores, other.lengths)
    more = pairs = 0
    for mine, theirs, first, second in zip(ours.lists.items, other.items, p, q, strict=True):
        _, i, j = np.intersect1d(mine, theirs, return_indices=True)
        both = mine[i] >= 0
        more += int(np.count_nonzero(first[i][both] > second[j][both]))
        pairs += int(np.count_nonzero(both))
    return Likelier(more / pairs if pairs else None, pairs)


def _popular(fitted: TopLists, popularity: Ints) -> Any:
    """Probabilities that see an item's popularity and a history's length, and nothing else."""

    def features(lists: TopLists) -> Floats:
        popular = np.log1p(popularity[np.maximum(lists.items, 0)])
        history = np.broadcast_to(np.log1p(lists.lengths)[:, None], popular.shape)
        return np.stack([popular, history], axis=-1)

    known = fitted.items >= 0
    least = np.full(2, -np.inf)
    y = fitted.outcome[known].astype(np.float64)
    weights, bias = regression(features(fitted)[known], y, least)
    return lambda lists: logistic(features(lists), weights, bias)
