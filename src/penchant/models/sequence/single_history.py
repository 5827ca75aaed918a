"""The network for one history, in NumPy, and what any number of states say of all items.

One history is little to compute, and each step of torch costs more than what it computes; that of
NumPy costs less. Of the last block the latest event alone is needed.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from penchant.data.dataset import Dataset, Histories
from penchant.models.sequence.batches import Inputs
from penchant.models.sequence.network import ItemTable, Network

Array = NDArray[np.float32]


@dataclass(frozen=True)
class SingleHistoryNetwork:
    """What ``Network.read`` and ``Network.logits`` say of one history, for one interest.

    L events, N items, D width.
    """

    network: Network
    dataset: Dataset
    vectors: Array
    transposed: Array
    bias: Array
    blocks: "tuple[_ArrayBlock, ...]"
    last: "_ArrayNorm"

    @classmethod
    def of(cls, network: Network, table: ItemTable, dataset: Dataset) -> Self | None:
        """Of a network on the processor; None for several interests, or another device."""
        settings = network.settings
        if settings.interests * settings.facets > 1 or settings.device != "cpu":
            return None
        assert table.unit is not None
        transposed = np.array(
            table.unit.numpy().T, order="C"
        )  # as a vector times a matrix reads it
        blocks = tuple(_ArrayBlock.of(block) for block in network.blocks)
        arrays = table.vectors.numpy(), transposed, table.bias.detach().numpy()
        return cls(network, dataset, *arrays, blocks, _ArrayNorm.of(network.last))

    def logits(self, history: Histories) -> Array:
        """Scores of all items after one history that is not empty, (N,)."""
        return self.met(self.state(history)[None])[0]

    def met(self, states: Array) -> Array:
        """Scores of all items for asked states (B, D), (B, N).

        On one thread the BLAS of NumPy takes half the time of that of torch for many columns.
        """
        scale = self.network.settings.scale
        if scale:
            length = np.sqrt(np.einsum("bd,bd->b", states, states))
            states = states * (scale / np.maximum(length, np.float32(1e-12)))[:, None]
        found: Array = states @ self.transposed
        found += self.bias
        return found

    def state(self, history: Histories) -> Array:
        """The state after the latest event, asked for the dataset's target, (D,)."""
        x = self._embedded(history)
        for place, block in enumerate(self.blocks, 1):
            x = block(x, place == len(self.blocks))
        state: Array = self.last(x[-1:])[0]
        return state

    def _embedded(self, history: Histories) -> Array:
        """Embedded events, (L, D)."""
        catalogue, length = self.dataset.catalogue, self.network.settings.max_length
        read = Inputs.latest(history.events, length, catalogue, self.dataset.time)
        asked = np.append(read.behavior[1:], catalogue.behavior(self.dataset.target))
        thing, N = read.thing, len(self.vectors)
        x = self.vectors[np.minimum(thing, N - 1)]
        about = thing >= N
        if about.any():
            x[about] = _array(self.network.tokens.weight)[thing[about] - N]
        told = ("behaviors", read.behavior), ("domains", read.domain), ("gaps", read.gap)
        for name, rows in (*told, ("asked", asked)):
            x += _array(getattr(self.network, name).weight)[rows]
        x += _array(self.network.places.weight)[-len(x) :]
        return x


@dataclass(frozen=True)
class _ArrayNorm:
    """Layer normalization (Ba et al. 2016)."""

    weight: Array
    bias: Array
    least: float

    @classmethod
    def of(cls, norm: Any) -> Self:
        return cls(_array(norm.weight), _array(norm.bias), norm.eps)

    def __call__(self, x: Array) -> Array:
        y = x - x.mean(axis=1, keepdims=True)
        square = np.einsum("ld,ld->l", y, y) / np.float32(x.shape[1])
        y *= (1 / np.sqrt(square + np.float32(self.least)))[:, None]
        y *= self.weight
        y += self.bias
        return y


@dataclass(frozen=True)
class _ArrayBlock:
    """Pre-norm causal attention and feed-forward, each with a residual."""

    heads: int
    before_attention: _ArrayNorm
    before_forward: _ArrayNorm
    qkv: Array
    out: Array
    up: Array
    up_bias: Array
    down: Array
    down_bias: Array

    @classmethod
    def of(cls, block: Any) -> Self:
        norms = _ArrayNorm.of(block.before_attention), _ArrayNorm.of(block.before_forward)
        up, down = (
            (_transposed(block.up.weight), _array(block.up.bias)),
            _transposed(block.down.weight),
        )
        attention = _transposed(block.qkv.weight), _transposed(block.out.weight)
        return cls(block.heads, *norms, *attention, *up, down, _array(block.down.bias))

    def __call__(self, x: Array, latest: bool) -> Array:
        """States after each event from (L, D), or with ``latest`` after the last alone, (1, D)."""
        L, D = x.shape
        first = L - 1 if latest else 0
        told = (self.before_attention(x) @ self.qkv).reshape(L, 3, self.heads, D // self.heads)
        q, k, v = (told[:, part].transpose(1, 0, 2) for part in range(3))
        weight = q[:, first:] @ k.transpose(0, 2, 1)
        weight *= np.float32((D // self.heads) ** -0.5)
        if not latest:
            weight += np.triu(np.full((L, L), -np.inf, np.float32), 1)
        weight -= weight.max(axis=-1, keepdims=True)
        np.exp(weight, out=weight)
        weight /= weight.sum(axis=-1, keepdims=True)
        x = x[first:] + (weight @ v).transpose(1, 0, 2).reshape(L - first, D) @ self.out
        inner = self.before_forward(x) @ self.up
        inner += self.up_bias
        x += np.maximum(inner, 0, out=inner) @ self.down
        x += self.down_bias
        return x


def _array(parameter: Tensor) -> Array:
    found: Array = parameter.detach().numpy()
    return found


def _transposed(parameter: Tensor) -> Array:
    return np.array(_array(parameter).T, order="C")
