"""Texts in which people say what they want, as part of a list: searches, questions, profiles.

parsing     what a text asks for and what it rules out
relevance   how well each item fits a text
slots       the places of a list that the items which fit a text take
"""

from penchant.recommendation.text_search.parsing import ParsedQuery, named_tags, parse_query
from penchant.recommendation.text_search.relevance import TextMatcher
from penchant.recommendation.text_search.slots import (
    ActiveQuery,
    BlendedScores,
    active_queries,
    blend_queries,
    profile_query,
    queries_in,
)

__all__ = [
    "ActiveQuery",
    "BlendedScores",
    "ParsedQuery",
    "TextMatcher",
    "active_queries",
    "blend_queries",
    "named_tags",
    "parse_query",
    "profile_query",
    "queries_in",
]
