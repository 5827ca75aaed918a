"""A fitted model with its data: it recommends, finds similar items, saves and loads."""

from penchant.recommendation.loading import load
from penchant.recommendation.run_files import save_controls, save_profiles
from penchant.recommendation.verbs import Model

__all__ = ["Model", "load", "save_controls", "save_profiles"]
