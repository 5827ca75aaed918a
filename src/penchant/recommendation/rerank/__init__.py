"""Re-ranking: a list by the rules of a business, and what each of them kept out.

filters         which items pass, and how columns group them
deduplication   one of several items that are the same
diversity       relevance against similarity, under caps
interest_quota  a share of the list for each interest
exploration     places that are drawn, with their propensities
similarity      how alike items are
rule_index      what rules need to know of the items
reranker        all of them in order
"""

from penchant.recommendation.request import InterestShares
from penchant.recommendation.rerank.diversity import dpp, mmr
from penchant.recommendation.rerank.interest_quota import calibrated, guaranteed
from penchant.recommendation.rerank.reranker import Reranker
from penchant.recommendation.results import Reranked
from penchant.recommendation.rules import Condition, Rules

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
]
