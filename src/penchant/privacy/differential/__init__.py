"""Differential privacy: accounting, noise, bounded contributions, DP-SGD."""
