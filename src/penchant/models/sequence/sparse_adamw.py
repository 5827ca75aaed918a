"""AdamW for tables of which a step reads few rows, at the cost of those rows alone."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from penchant.data.arrays import blocks

_SETTLED = 1 << 11
"""Rows that are brought up to date at once after a pass."""


class TableRows(NamedTuple):
    """Some rows of a table and of their two moments, as they are now, (I, ...) each."""

    own: Tensor
    first: Tensor
    second: Tensor


class SparseAdamW:
    """AdamW (Loshchilov and Hutter 2019) for tables with one row for each item, (N, ...) each.

    Between two steps that read a row, dense AdamW goes on moving it: its moments decay, and it
    drifts with what is left of its momentum. ``read`` does all the steps that some rows have
    missed at once, as the geometric series that they are; it takes the rate and the bias
    correction of the latest step for all of them. So a row is brought up to date when it is
    read, and nothing of the size of a table is ever computed. Rows are selected whole: an
    index in brackets takes several times as long.
    """

    def __init__(
        self,
        tables: Sequence[Tensor],
        decays: Sequence[float],
        betas: tuple[float, float] = (0.9, 0.98),
        epsilon: float = 1e-8,
    ) -> None:
        self.tables, self.decays, self.betas, self.epsilon = tables, decays, betas, epsilon
        self.first = [torch.zeros_like(table) for table in tables]
        self.second = [torch.zeros_like(table) for table in tables]
        self.seen = torch.zeros(len(tables[0]), dtype=torch.int64, device=tables[0].device)
        self.steps, self.rate = 0, 0.0

    @torch.no_grad()
    def read(self, rows: Tensor) -> list[TableRows]:
        """The rows (I,) of each table after all that they have missed; the tables stay."""
        found = [TableRows(*(x.index_select(0, rows) for x in each)) for *each, _ in self._each()]
        if not self.steps:
            return found
        b1, b2 = self.betas
        ratio = b1 / b2**0.5
        missed = (self.steps - self.seen[rows]).to(self.tables[0].dtype)
        scale = self.rate * self._correction() * ratio * (1 - ratio**missed) / (1 - ratio)
        for (own, first, second), decay in zip(found, self.decays, strict=True):
            shape = (-1, *[1] * (own.ndim - 1))
            left = missed.view(shape)
            moved = first / (second.sqrt() + self.epsilon) * scale.view(shape)
            own.mul_((1 - self.rate * decay) ** left).sub_(moved)
            first.mul_(b1**left)
            second.mul_(b2**left)
        return found

    @torch.no_grad()
    def step(
        self, rows: Tensor, found: Sequence[TableRows], gradients: Sequence[Tensor], rate: float
    ) -> None:
        """One step from the gradients of the rows (I,), which are distinct and ``found`` now."""
        self.steps += 1
        self.rate = rate
        b1, b2 = self.betas
        for (own, first, second), g, decay in zip(found, gradients, self.decays, strict=True):
            torch.lerp(g, first, b1, out=first)
            torch.lerp(g * g, second, b2, out=second)
            moved = first / (second.sqrt() + self.epsilon) * (rate * self._correction())
            own.mul_(1 - rate * decay).sub_(moved)
        self._write(rows, found)

    def settle(self) -> None:
        """Bring all rows up to date, some at a time."""
        for part in blocks(len(self.seen), _SETTLED):
            rows = torch.arange(part.start, part.stop, device=self.seen.device)
            self._write(rows, self.read(rows))

    def _write(self, rows: Tensor, found: Sequence[TableRows]) -> None:
        self.seen[rows] = self.steps
        for (*tables, _), row in zip(self._each(), found, strict=True):
            for table, values in zip(tables, row, strict=True):
                table.index_copy_(0, rows, values)

    def state(self) -> dict[str, Any]:
        """All that a later step depends on."""
        names = ("first", "second", "seen", "steps", "rate")
        return {name: getattr(self, name) for name in names}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        for name, value in state.items():
            setattr(self, name, value)

    def _correction(self) -> float:
        b1, b2 = self.betas
        return float((1 - b2**self.steps) ** 0.5 / (1 - b1**self.steps))

    def _each(self) -> Any:
        return zip(self.tables, self.first, self.second, self.decays, strict=True)
