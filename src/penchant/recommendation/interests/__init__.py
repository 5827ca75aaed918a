"""Interests: named clusters of a user's own events, and what the user says of them."""

from penchant.recommendation.interests.clusters import Interest, Interests, interests_of
from penchant.recommendation.interests.controls import (
    Control,
    ControlledScores,
    apply_controls,
    match_controls,
    set_control,
)
from penchant.recommendation.interests.item_space import ItemSpace
from penchant.recommendation.interests.profile import Profile

__all__ = [
    "Control",
    "ControlledScores",
    "Interest",
    "Interests",
    "ItemSpace",
    "Profile",
    "apply_controls",
    "interests_of",
    "match_controls",
    "set_control",
]
