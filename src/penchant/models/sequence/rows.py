"""AdamW for tables of which a step reads few rows, at the cost of those rows alone."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class RowAdam:
    """AdamW (Loshchilov and Hutter 2019) for tables with one row for each item, (N, ...) each.

    Between two steps that read a row, dense AdamW goes on moving it: its moments decay, and it
    drifts with what is left of its momentum. ``refresh`` does all the steps that some rows have
    missed at once, as the geometric series that they are; it takes the rate and the bias
    correction of the latest step for all of them. So a row is brought up to date before it is
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
    def refresh(self, rows: Tensor) -> None:
        """Do what the rows (I,) have missed."""
        missed = (self.steps - self.seen[rows]).to(self.tables[0].dtype)
        self.seen[rows] = self.steps
        if not self.steps:
            return
        b1, b2 = self.betas
        ratio = b1 / b2**0.5
        scale = self.rate * self._correction() * ratio * (1 - ratio**missed) / (1 - ratio)
        for table, m, v, decay in self._each():
            shape = (-1, *[1] * (table.ndim - 1))
            left = missed.view(shape)
            own, first, second = (each.index_select(0, rows) for each in (table, m, v))
            moved = first / (second.sqrt() + self.epsilon) * scale.view(shape)
            table.index_copy_(0, rows, own * (1 - self.rate * decay) ** left - moved)
            m.index_copy_(0, rows, first * b1**left)
            v.index_copy_(0, rows, second * b2**left)

    @torch.no_grad()
    def step(self, rows: Tensor, gradients: Sequence[Tensor], rate: float) -> None:
        """One step from the gradients of the rows (I,), which are distinct and refreshed."""
        self.steps += 1
        self.rate = rate
        self.seen[rows] = self.steps
        b1, b2 = self.betas
        for (table, m, v, decay), gradient in zip(self._each(), gradients, strict=True):
            own, first, second = (each.index_select(0, rows) for each in (table, m, v))
            first = torch.lerp(gradient, first, b1)
            second = torch.lerp(gradient * gradient, second, b2)
            m.index_copy_(0, rows, first)
            v.index_copy_(0, rows, second)
            moved = first / (second.sqrt() + self.epsilon) * (rate * self._correction())
            table.index_copy_(0, rows, own * (1 - rate * decay) - moved)

    def settle(self) -> None:
        """Bring all rows up to date."""
        self.refresh(torch.arange(len(self.seen), device=self.seen.device))

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
