"""Baselines that every table of accuracy shows."""
