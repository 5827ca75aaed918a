"""Sampled softmax with negatives that a whole batch shares."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penchant.data.arrays import ranges


def sampled_softmax(
    positive: Tensor,
    negative: Tensor,
    log_expected: Tensor,
    excluded: Tensor,
) -> Tensor:
    """-log of an estimate of the softmax probability of each right item, (T,).

    positive      logit of the right item of each of T positions, (T,)
    negative      logits of the S shared negatives, (T, S); they are overwritten
    log_expected  log of how often each negative was to be expected among the S draws, (S,)
    excluded      places t S + s of those that are no negatives (``excluded_negatives``), (P,)

    log sum over all items of exp(s_i) is estimated by the right item's exp(s) and the negatives'
    exp(s_j) / E[draws of j]: importance sampling (Bengio and Senecal 2008, eq. 6). With each
    other item drawn once it is the exact softmax:

    >>> s = torch.tensor([[2.0, 1.0, 0.5]])
    >>> found = sampled_softmax(s[:, 0], s.clone(), torch.zeros(3), torch.tensor([0]))
    >>> torch.allclose(found, -torch.log_softmax(s, 1)[:, 0])
    True
    """
    apply: Callable[..., Tensor] = _SampledSoftmax.apply
    return apply(positive, negative, log_expected, excluded)


class _SampledSoftmax(torch.autograd.Function):
    """The logits' own (T, S) array serves both directions: fresh memory is what this costs.

    What gave the logits must not need them again for its gradient; nor is there a second one.
    """

    @staticmethod
    def forward(
        ctx: Any, positive: Tensor, negative: Tensor, log_expected: Tensor, excluded: Tensor
    ) -> Tensor:
        z = negative.detach().sub_(log_expected)
        z.view(-1).index_fill_(0, excluded, -torch.inf)
        top = torch.maximum(z.amax(dim=1), positive)
        z.sub_(top[:, None]).exp_()
        own = torch.exp(positive - top)
        total = z.sum(dim=1) + own
        z.div_(total[:, None])
        ctx.save_for_backward(own / total, z)
        return torch.log(total) + top - positive

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        own, others = ctx.saved_tensors
        (g,) = upstream
        return g * (own - 1), others.mul_(g[:, None]), None, None


def draw_negatives(
    targets: Tensor, items: int, count: int, share: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """``count`` item rows, half of the batch's targets, half uniform, and log E[draws], (S,).

    ``share`` (N,) is each item's share of all training targets: what a batch's targets are drawn
    from. log E[draws of i] = log(count (share_i + 1 / N) / 2).
    """
    half = count // 2
    among = torch.randint(len(targets), (half,), generator=generator)
    uniform = torch.randint(items, (count - half,), generator=generator)
    drawn = torch.cat([targets[among], uniform.to(targets.device)])
    expected = (share[drawn] + 1.0 / items) * (count / 2.0)
    return drawn, torch.log(expected)


def excluded_negatives(
    thing: NDArray[np.int64],
    wanted: NDArray[np.bool_],
    right: NDArray[np.int64],
    drawn: NDArray[np.int64],
    held: bool,
) -> NDArray[np.int64]:
    """Which negatives are none for which targets: places t S + s, a few of them twice, (P,).

    A target's own item is none; with ``held`` no item is that its history holds by then.

    thing    what each event of B windows of L events is about, (B, L)
    wanted   which events are followed by one of T targets, (B, L)
    right    the targets' items, (T,), and ``drawn`` the negatives, (S,), numbered as ``thing`` is

    They are few, and so take less time than a mask of (T, S).

    >>> thing, wanted = np.array([[4, 2, 4]]), np.array([[True, False, True]])
    >>> right, drawn = np.array([2, 0]), np.array([2, 4, 0])
    >>> given = thing, wanted, right, drawn
    >>> np.unique(excluded_negatives(*given, held=False)).tolist()  # 2 and 0 themselves
    [0, 5]
    >>> np.unique(excluded_negatives(*given, held=True)).tolist()  # 4, then 2 and 4
    [0, 1, 3, 4, 5]
    """
    order = np.argsort(drawn, kind="stable")
    draws = np.bincount(drawn, minlength=1 + max(thing.max(), right.max()))
    first = np.cumsum(draws) - draws
    rows, items = np.arange(len(right)), right
    counts = np.ones(len(right), np.int64)
    if held:
        B, L = thing.shape
        before: NDArray[np.int64] = np.cumsum(wanted) - wanted.ravel()
        after = np.repeat(np.cumsum(wanted.sum(1)), L) - before
        # the first event of a window about an item strikes it from all targets of the rest
        window = np.repeat(np.arange(B), L)
        _, some = np.unique(window * len(draws) + thing.ravel(), return_index=True)
        some = some[draws[thing.flat[some]] > 0]
        rows, items = np.append(rows, before[some]), np.append(items, thing.flat[some])
        counts = np.append(counts, after[some])
    # each has ``counts`` rows from its own on, and in each of these all draws of its item
    wide = np.repeat(draws[items], counts)
    row = ranges(rows, counts) * len(drawn)
    return np.repeat(row, wide) + order[ranges(np.repeat(first[items], counts), wide)]
