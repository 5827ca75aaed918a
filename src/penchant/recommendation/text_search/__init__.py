"""What people say they want, as part of a list: searches, questions, interests in own words.

A text is read against the catalogue (``reading``), and takes its share of a list's places
(``answering``). ``model.ranking`` brings both to every list.
"""

from penchant.recommendation.text_search.parsing import Understood, named_tags, understood
from penchant.recommendation.text_search.relevance import Reader
from penchant.recommendation.text_search.slots import (
    Answered,
    Wish,
    answered,
    said_in,
    wishes,
    written,
)

__all__ = [
    "Answered",
    "Reader",
    "Understood",
    "Wish",
    "answered",
    "named_tags",
    "said_in",
    "understood",
    "wishes",
    "written",
]
