"""Penchant: a recommender that fuses what people did, where, and what the items are."""

__version__ = "0.1.0"
