"""Fit, tune, update and benchmark models."""
