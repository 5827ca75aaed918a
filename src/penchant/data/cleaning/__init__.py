"""Cleaning rules, their report, exclusions and pseudonyms."""
