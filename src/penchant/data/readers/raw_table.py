"""What reading one source yields."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class RawTable:
    """What was read into a table: its columns, and the rows that could not be read.

    ``rejected`` counts them, ``examples`` shows up to five; ``single`` are the columns that were
    float32.
    """

    source: str
    columns: list[str]
    rejected: int = 0
    examples: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    single: tuple[str, ...] = ()


def suffix(path: Path) -> str:
    """The ending that tells a file's format, in lower case; ".gz" behind it is passed over."""
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    return suffixes[-1] if suffixes else ""
