"""A fitted model with its data: it recommends, finds similar items, saves and loads."""

from penchant.recommendation.loading import load
from penchant.recommendation.model import Model
from penchant.recommendation.run_files import save_controls, save_profiles

__all__ = ["Model", "load", "save_controls", "save_profiles"]
