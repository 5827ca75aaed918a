"""Erasure of users from a run, exactly, with a signed receipt."""
