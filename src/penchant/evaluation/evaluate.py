"""Evaluation: full ranking of every case, in blocks, with intervals.

Per case, all N items are scored, the seen ones left out, and the truth is ranked among the rest.
Blocks run on all cores; the result has the same bits for any size of block.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.data.arrays import blocks, ranges
from penchant.data.dataset import Catalogue
from penchant.data.splitting.cases import Cases
from penchant.evaluation import metrics as measures
from penchant.evaluation.fit_report import Slice
from penchant.evaluation.metrics import Interval
from penchant.evaluation.outside_metrics import Metric, RankedCases, measured_by, outside_metrics
from penchant.features.kernels import on_cores, tag_rows, unit_rows
from penchant.models.base import Recommender
from penchant.models.topk import CELLS, mask_other_domains, mask_seen, top_k
from penchant.types import Floats, Ints

_OF_LISTS = ("novelty", "distance", "coverage", "gini")

CaseProgress = Callable[[int, int], None]
"""Told of (done, total) as work goes on."""


@dataclass(frozen=True)
class Evaluation:
    """What a model did on some cases.

    cases     metric -> one value per case, (B,); NaN where it has none
    whole     metrics of all lists together: coverage and Gini
    users     of each case, (B,): several cases of one user are drawn together
    lists     (B, k) item rows of each list, -1 as padding
    seconds   of scoring, ranking and listing
    """

    cases: dict[str, Floats]
    whole: dict[str, float]
    users: Ints
    lists: Ints
    seconds: float
    seed: int = 0

    @cached_property
    def metrics(self) -> dict[str, Interval]:
        """Mean of each metric with its bootstrap 95 % interval over users."""
        users = self.clusters

        def mean(values: Floats) -> Interval:
            return measures.bootstrap(values, self.seed, cluster=users)

        means = dict(zip(self.cases, on_cores(mean, list(self.cases.values())), strict=True))
        return means | {name: Interval(v, np.nan, np.nan) for name, v in self.whole.items()}

    @property
    def clusters(self) -> Ints | None:
        """The user of each case where one has several; None where each has one."""
        once = len(np.unique(self.users)) == len(self.users) and self.users.min(initial=0) >= 0
        return None if once else self.users

    def minus(self, other: "Evaluation", metric: str) -> Interval:
        """Paired difference to another evaluation of the same cases, with its interval."""
        return measures.paired(
            self.cases[metric], other.cases[metric], self.seed, cluster=self.clusters
        )

    def by(self, groups: Sequence[object]) -> dict[str, Slice]:
        """Recall@10 and NDCG@10 of each group of cases; ``groups`` has one for each case.

        A case whose group is None is in none.
        """

        def sliced(mine: NDArray[np.bool_]) -> Slice:
            users = self.users[mine]
            recall, ndcg = (
                measures.bootstrap(self.cases[name][mine], self.seed, cluster=users)
                for name in ("recall@10", "ndcg@10")
            )
            return Slice(int(mine.sum()), recall, ndcg)

        names = np.array([None if group is None else str(group) for group in groups], object)
        return {name: sliced(names == name) for name in sorted({*names} - {None})}

    def mean(self, metric: str) -> float:
        """The mean of one metric; NaN cases are left out."""
        return float(np.nanmean(self.cases[metric]))


def evaluate(
    model: Recommender,
    catalogue: Catalogue,
    cases: Cases,
    *,
    k: int = 10,
    repeats: bool = False,
    popularity: Ints | None = None,
    listed: bool = True,
    metrics: Sequence[str | Metric] | None = None,
    block: int | None = None,
    threads: int | None = None,
    seed: int = 0,
    progress: CaseProgress | None = None,
) -> Evaluation:
    """Rank all items for each case and measure the list.

    Parameters
    ----------
    model
        What scores the items.
    catalogue
        Of the N items.
    cases
        B questions with their true items. One of a single domain ranks that domain's items; one
        without any scored item counts as zero.
    k
        Length of the lists.
    repeats
        Let seen items be recommended; otherwise a truth that was seen cannot be hit.
    popularity : array of int, shape (N,), optional
        Events of each item, for novelty.
    listed
        Without it there are no lists, and no metrics that read them: ranks alone take less time.
    metrics
        Those that come back: built-in names such as "ndcg@10", entry points of
        ``penchant.metrics``, "package.module:Name", or callables (see ``RankedCases``); by default
        all that are built in.
    block, threads
        Cases scored at once, and how many cores; the result has the same bits for any.
    seed
        Of the sampled items of "accuracy", and of the intervals.
    progress
        Called with the cases done and their total.

    Returns
    -------
    Evaluation
        One value per case for each metric, and the lists, (B, k).

    Raises
    ------
    ConfigError
        For a metric that is not known.
    """
    further = ("accuracy", "auc", *(f"{name}@{k}" for name in _OF_LISTS))
    built_in = [*(f"{name}@{k}" for name in measures.AT_K), *further]
    custom = outside_metrics(metrics or (), built_in)
    listed = listed or bool(custom)

    def wanted(name: str) -> bool:
        return metrics is None or name in metrics or name in custom

    began = time.perf_counter()
    size = block or max(1, CELLS // max(1, len(catalogue)))
    truth, indptr = measures.distinct_truths(cases.truth, cases.indptr)
    seen, offsets = _seen_items(cases, truth, indptr)
    others = measures.sample_unseen(seen, offsets, len(catalogue), seed)
    ranks, won = np.zeros(len(truth)), np.zeros(len(truth))
    lists, room = np.zeros((len(others), k), np.int64), np.zeros(len(others), np.int64)
    done = 0

    def work(part: Ints) -> None:
        nonlocal done
        histories = cases.histories.take(part)
        scores = model.score(histories)
        counts = np.diff(indptr)[part]
        places = ranges(indptr[part], counts)
        own, mine = truth[places], np.append(0, np.cumsum(counts))
        case = np.repeat(np.arange(len(part)), counts)
        other = others[part]
        beside = np.where(other < 0, -np.inf, scores[np.arange(len(other)), other])
        both = measures.accuracy(scores[case, own], beside[case])
        won[places] = np.where(other[case] < 0, np.nan, both)
        mask_seen(scores, histories, None if repeats else histories.events.item)
        mask_other_domains(scores, catalogue, cases.domain[part])
        ranks[places] = measures.ranks(scores, own, mine)
        if listed:
            room[part] = np.count_nonzero(scores > -np.inf, axis=1)
            lists[part] = top_k(scores, k).items
        done += len(part)
        if progress:
            progress(done, len(others))

    # histories of one length are read together
    order = np.argsort(cases.histories.lengths, kind="stable")
    on_cores(work, [order[part] for part in blocks(len(order), size)], threads)
    seconds = time.perf_counter() - began
    per_case = {f"{name}@{k}": at_k(ranks, k, indptr) for name, at_k in measures.AT_K.items()}
    per_case["accuracy"] = _per_case(won, indptr)
    if not listed:
        per_case = {name: values for name, values in per_case.items() if wanted(name)}
        return Evaluation(per_case, {}, cases.histories.users, lists[:, :0], seconds, seed)
    per_case["auc"] = measures.auc(ranks, np.maximum(room, 1), indptr)
    if popularity is not None:
        per_case[f"novelty@{k}"] = measures.novelty(lists, popularity)
    if any(catalogue.tags):
        rows = sparse.csr_array(unit_rows(tag_rows(catalogue.tags)))
        per_case[f"distance@{k}"] = measures.intra_list_distance(lists, rows)
    whole = {
        f"coverage@{k}": measures.coverage(lists, len(catalogue)),
        f"gini@{k}": measures.gini(measures.exposure(lists, len(catalogue))),
    }
    ranked = RankedCases(cases, catalogue, truth, indptr, ranks, lists, popularity)
    per_case |= {name: measured_by(metric, name, ranked) for name, metric in custom.items()}
    per_case = {name: values for name, values in per_case.items() if wanted(name)}
    whole = {name: value for name, value in whole.items() if wanted(name)}
    return Evaluation(per_case, whole, cases.histories.users, lists, seconds, seed)


def _seen_items(cases: Cases, truth: Ints, indptr: Ints) -> tuple[Ints, Ints]:
    """What no sampled pair may use: each case's history and truth, and their offsets."""
    histories = cases.histories
    about = histories.events.item >= 0
    case = np.repeat(np.arange(len(histories)), np.diff(indptr))
    owner = np.concatenate([histories.owner[about], case])
    item = np.concatenate([histories.events.item[about], truth])
    order = np.argsort(owner, kind="stable")
    start = np.searchsorted(owner[order], np.arange(len(histories) + 1))
    return item[order], start.astype(np.int64)


def _per_case(values: Floats, indptr: Ints) -> Floats:
    """Mean of the values of each case; NaN where it has none."""
    case = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    known = ~np.isnan(values)
    count = np.bincount(case[known], minlength=len(indptr) - 1)
    total = np.bincount(case[known], values[known], len(indptr) - 1)
    mean: NDArray[np.float64] = np.full(len(count), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean
