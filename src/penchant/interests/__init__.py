"""Interests: named clusters of a user's own events, and what the user says of them."""

from penchant.interests.control import Control, Steered, controlled, matched, steered
from penchant.interests.found import Interest, Interests, interests_of
from penchant.interests.profile import Profile
from penchant.interests.space import Space

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
