"""Metrics: array functions, one value per user; their means and intervals.

Letters: B cases (users), T truth items of all cases, N items, k length of a list. Several truths
per case come as CSR: ``truth[indptr[b]:indptr[b + 1]]`` are those of case b, and each function
of ranks takes the same ``indptr``. A case without any truth has no value: NaN, and the interval
functions leave it out.

    ranks, list_ranks       from scores or lists to the rank of each truth item
    recall ... auc          from those ranks, one value per case
    accuracy, coverage ...  pairs of items, whole lists
    brier, ece ...          probabilities
    bootstrap, paired ...   means and ratios with their interval
    ips, snips ...          what another policy would have earned, from logged propensities
"""

from penchant.evaluation.metrics.calibration import brier, brier_skill, ece, log_loss, reliability
from penchant.evaluation.metrics.intervals import (
    Interval,
    bootstrap,
    difference_interval,
    paired,
    ratio_interval,
    skill_interval,
)
from penchant.evaluation.metrics.lists import (
    accuracy,
    coverage,
    exposure,
    gini,
    intra_list_distance,
    miscalibration,
    novelty,
    sample_unseen,
)
from penchant.evaluation.metrics.off_policy import (
    effective_sample_size,
    importance_weights,
    ips,
    ips_interval,
    snips,
    snips_interval,
)
from penchant.evaluation.metrics.ranking import (
    AT_K,
    auc,
    average_precision,
    distinct_truths,
    hit_rate,
    list_ranks,
    mrr,
    ndcg,
    precision,
    ranks,
    recall,
    recall_min,
)

__all__ = [
    "AT_K",
    "Interval",
    "accuracy",
    "auc",
    "average_precision",
    "bootstrap",
    "brier",
    "brier_skill",
    "coverage",
    "difference_interval",
    "distinct_truths",
    "ece",
    "effective_sample_size",
    "exposure",
    "gini",
    "hit_rate",
    "importance_weights",
    "intra_list_distance",
    "ips",
    "ips_interval",
    "list_ranks",
    "log_loss",
    "miscalibration",
    "mrr",
    "ndcg",
    "novelty",
    "paired",
    "precision",
    "ranks",
    "ratio_interval",
    "recall",
    "recall_min",
    "reliability",
    "sample_unseen",
    "skill_interval",
    "snips",
    "snips_interval",
]
