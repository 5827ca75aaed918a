"""Evaluation of ranked lists on held-out events: metrics, slices and probabilities."""
