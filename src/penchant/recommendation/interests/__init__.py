"""Interests: named clusters of a user's own events, and what the user says of them."""

from penchant.recommendation.interests.clusters import Interest, Interests, interests_of
from penchant.recommendation.interests.controls import (
    Control,
    Steered,
    controlled,
    matched,
    steered,
)
from penchant.recommendation.interests.item_space import Space
from penchant.recommendation.interests.profile import Profile

__all__ = [
    "Control",
    "Interest",
    "Interests",
    "Profile",
    "Space",
    "Steered",
    "controlled",
    "interests_of",
    "matched",
    "steered",
]
