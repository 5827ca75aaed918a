"""One of several that are the same: variants, equal titles, contents that hardly differ."""

from collections.abc import Sequence

import numpy as np

from penchant.features.kernels import Rows
from penchant.recommendation.rerank.similarity import cosines
from penchant.types import Ints

_ROUNDING = 1e-9  # a cosine of equal rows may miss 1 by this


class RankingTooShort(Exception):  # noqa: N818 - it asks for more, it is no error
    """All items that were read of a longer ranking are used up."""


class Deduplicator:
    """Goes down a ranking and keeps the best of items that are the same.

    items    rows of the catalogue, best first
    labels   numbers of items by rule, (N,) each: items with an equal one are the same, -1 for none
    content  unit rows of the items, (N, D) each, where their cosines are compared
    near     from which cosine on two items are the same; any other type compares none
    total    how long the ranking is whose first items these are; default: they are all

    ``removed`` counts how many were passed over, by rule.
    """

    def __init__(
        self,
        items: Ints,
        labels: dict[str, Ints],
        content: Sequence[Rows] = (),
        near: float | str | None = None,
        total: int | None = None,
    ) -> None:
        self.total = len(items) if total is None else total
        self.items, self.labels, self.content = items, labels, content
        self.near = near if isinstance(near, float) else None
        self.at = 0
        self.kept: list[int] = []
        self.seen_labels: dict[str, set[int]] = {name: set() for name in labels}
        self.removed = dict.fromkeys([*labels, *(["near"] if self.near else [])], 0)

    @property
    def ahead(self) -> int:
        """How many items it has not come to."""
        return len(self.items) - self.at

    def take(self, count: int) -> list[int]:
        """The next items that stay, up to ``count`` of them; fewer at the end.

        Raises RankingTooShort at the end of items that are not the whole ranking.
        """
        taken: list[int] = []
        while self.ahead and len(taken) < count:
            wanted = count - len(taken)
            more = self._block(wanted) if self.removed else self._plain(wanted)
            self.kept += more
            taken += more
        if len(taken) < count and len(self.items) < self.total:
            raise RankingTooShort
        return taken

    def _plain(self, count: int) -> list[int]:
        taken: list[int] = self.items[self.at : self.at + count].tolist()
        self.at += len(taken)
        return taken

    def _block(self, count: int) -> list[int]:
        block = self.items[self.at : self.at + max(count, 32)]
        earlier = len(self.kept)
        alike = None
        if self.near is not None:
            others = np.concatenate([np.array(self.kept, np.int64), block])
            alike = cosines(self.content, block, others) >= self.near - _ROUNDING
        stays = np.zeros(earlier + len(block), bool)
        stays[:earlier] = True
        taken: list[int] = []
        for place, item in enumerate(block.tolist()):
            if len(taken) == count:
                break
            self.at += 1
            rule = next(
                (n for n, of in self.labels.items() if int(of[item]) in self.seen_labels[n]), None
            )
            if rule is None and alike is not None and (alike[place] & stays).any():
                rule = "near"
            if rule is not None:
                self.removed[rule] += 1
                continue
            stays[earlier + place] = True
            taken.append(item)
            for name, of in self.labels.items():
                if of[item] >= 0:
                    self.seen_labels[name].add(int(of[item]))
        return taken
