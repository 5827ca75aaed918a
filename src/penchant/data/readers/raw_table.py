"""What reading one source yields."""

from dataclasses import dataclass, field
from pathlib import Path

PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst")
"""Endings of packed files."""


@dataclass(frozen=True)
class RawTable:
    """What was read into a table: its columns, and the rows that could not be read.

    ``rejected`` counts them, ``examples`` shows up to five; ``single`` are the columns that were
    float32; ``stray_quotes`` counts the rows in which a quote was taken as text.
    """

    source: str
    columns: list[str]
    rejected: int = 0
    examples: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    single: tuple[str, ...] = ()
    stray_quotes: int = 0
    stray_examples: list[dict[str, object]] = field(default_factory=list)


def suffix(path: Path) -> str:
    """The ending that tells a file's format, in lower case; that of a packed one is passed over."""
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in PACKED]
    return suffixes[-1] if suffixes else ""
