"""Probabilities fitted on one share of validation and judged on test."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penchant.data.arrays import blocks
from penchant.data.dataset import Catalogue, Dataset
from penchant.data.splitting.cases import Cases
from penchant.evaluation import metrics
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
class Lists:
    """The 100 best items of B cases and what happened.

    items, scores, outcome   (B, 100); -1, -inf and False where a list ends early
    lengths, users           of each case's history, (B,)
    """

    items: Ints
    scores: Floats
    outcome: NDArray[np.bool_]
    lengths: Ints
    users: Ints


def lists(model: Recommender, catalogue: Catalogue, cases: Cases, repeats: bool = False) -> Lists:
    """Each case's best, and which of them are among its held-out items."""
    N = len(catalogue)
    items = np.full((len(cases.histories), LISTED), -1)
    scores = np.full(items.shape, -np.inf)
    outcome = np.zeros(items.shape, bool)
    for part in blocks(len(items), max(1, CELLS // max(1, N))):
        histories = cases.histories.take(part)
        found = model.score(histories)
        mask_seen(found, histories, None if repeats else histories.events.item)
        mask_other_domains(found, catalogue, cases.domain[part])
        items[part], scores[part] = top_k(found, LISTED)
        start, stop = cases.indptr[part.start], cases.indptr[part.stop]
        truth = np.zeros(found.shape, bool)
        sizes = np.diff(cases.indptr[part.start : part.stop + 1])
        truth[np.repeat(np.arange(len(histories)), sizes), cases.truth[start:stop]] = True
        right = np.take_along_axis(truth, np.maximum(items[part], 0), axis=1)
        outcome[part] = right & (items[part] >= 0)
    return Lists(items, scores, outcome, cases.histories.lengths, cases.histories.users)


def calibrate(found: Lists) -> Calibration:
    """The calibration that some lists ask for."""
    return fit_calibration(found.scores, found.lengths, found.outcome)


def judge(
    calibration: Calibration, fitted: Lists, judged: Lists, popularity: Ints, seed: int = 0
) -> dict[str, Any]:
    """How good the probabilities of some lists are, as JSON types.

    ``fitted`` are the lists that the calibration was fitted on; the base rate and a calibrated
    popularity, on the same items, are fitted on them too. ``popularity`` (N,) counts target
    events. A skill is 1 - Brier / Brier of what it is compared with; its interval is over users.
    """
    r = calibration.probabilities(judged.scores, judged.lengths)
    there = ~np.isnan(r)
    p, y = r[there], judged.outcome[there].astype(np.float64)
    users = np.broadcast_to(judged.users[:, None], r.shape)[there]
    known = fitted.items >= 0
    base = np.full(len(p), fitted.outcome[known].mean())
    popular = _popular(fitted, popularity)(judged)[there]
    curve = metrics.reliability(p, y, BINS)
    return {
        "listed": LISTED,
        "pairs": len(p),
        "base_rate": float(base[0]),
        "held_out": float(y.mean()),
        "skill_over_base_rate": metrics.skill_interval(p, y, base, users, seed)._asdict(),
        "skill_over_popularity": metrics.skill_interval(p, y, popular, users, seed)._asdict(),
        "log_loss": float(metrics.log_loss(p, y).mean()),
        "log_loss_of_base_rate": float(metrics.log_loss(base, y).mean()),
        "log_loss_of_popularity": float(metrics.log_loss(popular, y).mean()),
        "ece": metrics.ece(p, y),
        "reliability": [
            {"said": float(said), "happened": float(happened), "pairs": int(count)}
            for said, happened, count in zip(*curve, strict=True)
        ],
    }


def measured(
    model: Recommender, train: Dataset, fitted: Cases, judged: Cases, repeats: bool, seed: int
) -> tuple[Calibration, Lists, dict[str, Any]] | None:
    """A calibration of the dataset's target, the judged lists, and how good it is on them.

    ``train`` holds the events that the model was fitted on; what is found are JSON types. None
    where nothing on the lists happened: no scores of these say how likely anything is.
    """
    made = lists(model, train.catalogue, fitted, repeats)
    if not made.outcome.any():
        return None
    asked = lists(model, train.catalogue, judged, repeats)
    calibration = calibrate(made)
    found = judge(calibration, made, asked, train.counts(), seed)
    ahead = len(judged.truth) / len(judged.histories)
    return calibration, asked, {"behavior": train.target, "events_ahead": ahead, **found}


def above(ours: tuple[Lists, Calibration], other: tuple[Lists, Calibration]) -> dict[str, Any]:
    """How often one behavior's probability is above another's, as JSON types.

    Of the items that are among the same case's best for both: P(buy) > P(view) says that the
    user's next purchase is likelier to be the item than the next view is.
    """
    (a, p), (b, q) = (
        (found, c.probabilities(found.scores, found.lengths)) for found, c in (ours, other)
    )
    more = pairs = 0
    for mine, theirs, first, second in zip(a.items, b.items, p, q, strict=True):
        _, i, j = np.intersect1d(mine, theirs, return_indices=True)
        both = mine[i] >= 0
        more += int(np.count_nonzero(first[i][both] > second[j][both]))
        pairs += int(np.count_nonzero(both))
    return {"share": more / pairs if pairs else None, "pairs": pairs}


def _popular(fitted: Lists, popularity: Ints) -> Any:
    """Probabilities that see an item's popularity and a history's length, and nothing else."""

    def features(found: Lists) -> Floats:
        popular = np.log1p(popularity[np.maximum(found.items, 0)])
        history = np.broadcast_to(np.log1p(found.lengths)[:, None], popular.shape)
        return np.stack([popular, history], axis=-1)

    known = fitted.items >= 0
    least = np.full(2, -np.inf)
    y = fitted.outcome[known].astype(np.float64)
    weights, bias = regression(features(fitted)[known], y, least)
    return lambda found: logistic(features(found), weights, bias)
