"""A fitted model with its data: it recommends, finds similar items, saves and loads."""

from penchant.model.model import Model, unknown_item
from penchant.model.saved import load, save_controls, save_profiles

__all__ = ["Model", "load", "save_controls", "save_profiles", "unknown_item"]
