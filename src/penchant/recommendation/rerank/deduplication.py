"""One of several that are the same: variants, equal titles, contents that hardly differ."""

from collections.abc import Sequence

import numpy as np

from penchant.features.kernels import Rows
from penchant.recommendation.rerank.similarity import cosines
from penchant.types import Ints

_ROUNDING = 1e-9  # a cosine of equal rows may miss 1 by this


class TooShort(Exception):  # noqa: N818 - it asks for more, it is no error
    """The walk has come to the end of a ranking that goes on."""


class Walk:
    """Down a ranking of items, keeping the best of each that are one.

    items    rows of the catalogue, best first
    labels   numbers of items by rule, (N,) each: items with an equal one are one, -1 with none
    content  unit rows of the items, (N, D) each, where their cosines are compared
    near     from which cosine on two items are one; another kind compares none
    whole    how long the ranking is that ``items`` are the first of; default: they are all

    ``removed`` counts what was passed over, by rule.
    """

    def __init__(
        self,
        items: Ints,
        labels: dict[str, Ints],
        content: Sequence[Rows] = (),
        near: float | str | None = None,
        whole: int | None = None,
    ) -> None:
        self.whole = len(items) if whole is None else whole
        self.items, self.labels, self.content = items, labels, content
        self.near = near if isinstance(near, float) else None
        self.at = 0
        self.kept: list[int] = []
        self.met: dict[str, set[int]] = {name: set() for name in labels}
        self.removed = dict.fromkeys([*labels, *(["near"] if self.near else [])], 0)

    @property
    def ahead(self) -> int:
        """How many items it has not come to."""
        return len(self.items) - self.at

    def further(self, count: int) -> list[int]:
        """The next items that stay, up to ``count`` of them; fewer at the end.

        Raises TooShort at the end of items that are not the whole ranking.
        """
        found: list[int] = []
        while self.ahead and len(found) < count:
            wanted = count - len(found)
            more = self._block(wanted) if self.removed else self._plain(wanted)
            self.kept += more
            found += more
        if len(found) < count and len(self.items) < self.whole:
            raise TooShort
        return found

    def _plain(self, count: int) -> list[int]:
        found: list[int] = self.items[self.at : self.at + count].tolist()
        self.at += len(found)
        return found

    def _block(self, count: int) -> list[int]:
        block = self.items[self.at : self.at + max(count, 32)]
        earlier = len(self.kept)
        alike = None
        if self.near is not None:
            others = np.concatenate([np.array(self.kept, np.int64), block])
            alike = cosines(self.content, block, others) >= self.near - _ROUNDING
        stays = np.zeros(earlier + len(block), bool)
        stays[:earlier] = True
        found: list[int] = []
        for place, item in enumerate(block.tolist()):
            if len(found) == count:
                break
            self.at += 1
            rule = next((n for n, of in self.labels.items() if int(of[item]) in self.met[n]), None)
            if rule is None and alike is not None and (alike[place] & stays).any():
                rule = "near"
            if rule is not None:
                self.removed[rule] += 1
                continue
            stays[earlier + place] = True
            found.append(item)
            for name, of in self.labels.items():
                if of[item] >= 0:
                    self.met[name].add(int(of[item]))
        return found
