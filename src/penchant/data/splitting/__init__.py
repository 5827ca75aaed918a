"""Splits into training, validation and test events, and the check that nothing leaks."""
