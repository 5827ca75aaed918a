"""How far the K vectors of the deep expert differ, and what each of them finds alone."""

from typing import Any

import numpy as np

from penchant.config import InterestSettings
from penchant.data.arrays import blocks
from penchant.data.dataset import Catalogue, Dataset
from penchant.data.splitting.cases import Cases
from penchant.evaluation import metrics
from penchant.evaluation.fit_report import VectorReport
from penchant.models.sequence import SequenceExpert
from penchant.models.topk import CELLS, mask_other_domains, mask_seen, top_k
from penchant.models.transition.statistics import Statistics
from penchant.recommendation.interests import ItemSpace, interests_of
from penchant.types import Floats, Ints

MOST = 500
"""Cases whose interests are compared with the vectors."""

_LISTED = 10

ACTIVE = 0.1
"""Share of the gates, over a case's list, from which on a vector is active."""


def judge_vectors(
    expert: SequenceExpert, catalogue: Catalogue, cases: Cases, *, repeats: bool = False
) -> VectorReport:
    """The vectors of an expert with several interests on some cases, over lists of ten items."""
    K = expert.settings.interests
    size = max(1, CELLS // max(1, len(catalogue) * K))
    active: list[Floats] = []
    cosines: list[Floats] = []
    alone: list[Floats] = []
    union: list[Floats] = []
    for part in blocks(len(cases.histories), size):
        histories = cases.histories.take(part)
        unit, scores, shares = expert.vectors(histories)
        own, mine = cases.truth, cases.indptr[part.start : part.stop + 1]
        truth, indptr = metrics.distinct_truths(own[mine[0] : mine[-1]], mine - mine[0])

        def ranked(of: Floats, histories: Any = histories, part: slice = part) -> Floats:
            mask_seen(of, histories, None if repeats else histories.events.item)
            mask_other_domains(of, catalogue, cases.domain[part])
            return of

        weighted = np.where(scores > -np.inf, scores, 0.0) * shares
        whole = np.where((scores > -np.inf).any(axis=1), weighted.sum(axis=1), -np.inf)
        listed = top_k(ranked(whole), _LISTED).items
        inside = (listed >= 0)[:, None]
        held = np.take_along_axis(shares, np.maximum(listed, 0)[:, None, :], axis=2)
        held = (held * inside).sum(axis=2) / np.maximum(inside.sum(axis=2), 1)
        on = (held >= ACTIVE) & (histories.lengths > 0)[:, None]
        active.append(on.sum(axis=1).astype(np.float64))
        cosine = unit @ unit.transpose(0, 2, 1)
        pairs = on[:, :, None] & on[:, None, :] & np.triu(np.ones((K, K), bool), 1)
        count = pairs.sum(axis=(1, 2))
        mean = (cosine * pairs).sum(axis=(1, 2)) / np.maximum(count, 1)
        cosines.append(np.where(count > 0, mean, np.nan))
        ranks = [metrics.ranks(ranked(scores[:, v]), truth, indptr) for v in range(K)]
        alone.append(np.stack([metrics.recall(r, _LISTED, indptr) for r in ranks]))
        union.append(metrics.recall(np.min(ranks, axis=0), _LISTED, indptr))
    index = np.concatenate(cosines)
    recall = np.concatenate(alone, axis=1)
    return VectorReport(
        vectors=K,
        active=float(np.concatenate(active).mean()),
        collapse=np.nan if np.isnan(index).all() else float(np.nanmean(index)),
        recall=tuple(float(np.nanmean(row)) for row in recall),
        together=float(np.nanmean(np.concatenate(union))),
    )


def agreement(
    expert: SequenceExpert,
    dataset: Dataset,
    statistics: Statistics,
    settings: InterestSettings,
    seed: int,
    cases: Cases,
) -> float | None:
    """How far the K vectors part a user's items as the user's interests do.

    The mean over at most 500 cases with two interests or more of the adjusted Rand index between
    the interest of each item of the history and the vector that scores it highest: 1 where they
    part alike, 0 as chance would. None where no case has two interests. ``statistics`` are those of
    the dataset's events.
    """
    space = ItemSpace.of(dataset.catalogue, statistics, dataset.event_counts, settings, seed)
    found = []
    for case in range(min(len(cases.histories), MOST)):
        history = cases.histories.take(np.array([case]))
        interests = interests_of(space, dataset, history, settings).clusters
        if len(interests) < 2:
            continue
        items = np.concatenate([one.members for one in interests])
        of = np.repeat(np.arange(len(interests)), [len(one.members) for one in interests])
        scores = expert.vectors(history)[1][0][:, items]
        found.append(rand_index(of, scores.argmax(axis=0)))
    return float(np.mean(found)) if found else None


def rand_index(first: Ints, second: Ints) -> float:
    """The adjusted Rand index of two partitions of n things (Hubert and Arabie 1985, eq. 5).

    >>> rand_index(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]))
    1.0
    >>> round(rand_index(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])), 2)
    -0.5
    """
    table = np.zeros((int(first.max()) + 1, int(second.max()) + 1))
    np.add.at(table, (first, second), 1)

    def pairs(counts: Floats) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    chance = rows * columns / max(pairs(np.array([len(first)])), 1.0)
    most = (rows + columns) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)
