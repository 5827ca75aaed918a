"""Identifiers and their rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from penchant.types import Ints


@dataclass(frozen=True)
class Vocabulary:
    """Sorted, unique identifiers and their rows.

    >>> Vocabulary.of(["7", "007", "b"]).ids
    ('007', '7', 'b')
    >>> Vocabulary.of(["7", "007"]).rows(["7", "9"]).tolist()
    [1, -1]
    """

    ids: tuple[str, ...]

    @classmethod
    def of(cls, ids: Iterable[str]) -> Self:
        return cls(tuple(sorted(set(ids))))

    @cached_property
    def index(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, name: object) -> bool:
        return name in self.index

    def rows(self, ids: Iterable[str]) -> Ints:
        """Rows of identifiers, int64; -1 for those that are not known."""
        index = self.index
        return np.fromiter((index.get(name, -1) for name in ids), np.int64)
