"""Re-ranking: a list by the rules of a business, and what each of them kept out.

rules       the rules as data
filters     which items pass, and what columns say of groups
collapse    one of several that are the same
selection   relevance against unlikeness, under caps
quota       a share of the list for each interest
exploring   places that are drawn, with their propensities
similarity  how alike items are
reranking   all of them in order
"""

from penchant.recommendation.rerank.diversity import dpp, mmr
from penchant.recommendation.rerank.interest_quota import InterestShares, calibrated, guaranteed
from penchant.recommendation.rerank.reranker import Reranker, reranked
from penchant.recommendation.rerank.rules import Condition, Rules
from penchant.recommendation.results import Reranked

__all__ = [
    "Condition",
    "InterestShares",
    "Reranked",
    "Reranker",
    "Rules",
    "calibrated",
    "dpp",
    "guaranteed",
    "mmr",
    "reranked",
]
