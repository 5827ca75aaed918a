"""Settings: frozen, typed, checked; a key that is not known is an error.

A recipe is a TOML file of the same keys; ``--set section.key=value`` overrides one of them.
"""

from penchant.config.experts import SequenceSettings, TransitionSettings
from penchant.config.recipe import Recipe, assign, parse, read_toml
from penchant.config.sections import (
    CleaningSettings,
    ContentSettings,
    InterestSettings,
    PrivacySettings,
    QuerySettings,
    SearchSettings,
    UserSettings,
)
from penchant.config.settings import Settings, current_names, warn_of_names

__all__ = [
    "CleaningSettings",
    "ContentSettings",
    "InterestSettings",
    "PrivacySettings",
    "QuerySettings",
    "Recipe",
    "SearchSettings",
    "SequenceSettings",
    "Settings",
    "TransitionSettings",
    "UserSettings",
    "assign",
    "current_names",
    "parse",
    "read_toml",
    "warn_of_names",
]
