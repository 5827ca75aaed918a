"""Readers of files as they come: formats, encodings, column names, timestamps."""
