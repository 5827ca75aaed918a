"""Sampled softmax with negatives that a whole batch shares."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def sampled_softmax(
    positive: Tensor,
    negative: Tensor,
    right: Tensor,
    drawn: Tensor,
    log_expected: Tensor,
    held: Tensor | None = None,
) -> Tensor:
    """-log of an estimate of the softmax probability of each right item, (T,).

    positive      logit of the right item of each of T positions, (T,)
    negative      logits of the S shared negatives, (T, S)
    right, drawn  item rows, (T,) and (S,); a negative that is the right item itself is masked
    log_expected  log of how often each negative was to be expected among the S draws, (S,)
    held          which negatives are none for a position: its history holds them, (T, S)

    log sum over all items of exp(s_i) is estimated by the right item's exp(s) and the negatives'
    exp(s_j) / E[draws of j]: importance sampling (Bengio and Senecal 2008, eq. 6). With each
    other item drawn once it is the exact softmax:

    >>> s = torch.tensor([[2.0, 1.0, 0.5]])
    >>> rows = torch.tensor([0, 1, 2])
    >>> found = sampled_softmax(s[:, 0], s, rows[:1], rows, torch.zeros(3))
    >>> torch.allclose(found, -torch.log_softmax(s, 1)[:, 0])
    True
    """
    apply: Callable[..., Tensor] = _SampledSoftmax.apply
    return apply(positive, negative, right, drawn, log_expected, held)


class _SampledSoftmax(torch.autograd.Function):
    """One (T, S) array, worked on in place, serves both directions: memory is what this costs."""

    @staticmethod
    def forward(
        ctx: Any,
        positive: Tensor,
        negative: Tensor,
        right: Tensor,
        drawn: Tensor,
        log_expected: Tensor,
        held: Tensor | None,
    ) -> Tensor:
        z = negative - log_expected
        z.masked_fill_(right[:, None] == drawn, -torch.inf)
        if held is not None:
            z.masked_fill_(held, -torch.inf)
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
        return g * (own - 1), others * g[:, None], None, None, None, None


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


def already(thing: Tensor, wanted: Tensor, drawn: Tensor) -> Tensor:
    """Which negatives each target's history holds by then, (T, S) of bool.

    thing    what each event of B windows of L events is about, (B, L)
    wanted   which events are followed by one of T targets, (B, L)
    drawn    the negatives, (S,), numbered as ``thing`` is

    >>> wanted = torch.tensor([[True, False, True]])
    >>> already(torch.tensor([[4, 2, 4]]), wanted, torch.tensor([2, 4, 0])).tolist()
    [[False, True, False], [True, True, False]]
    """
    B, L = thing.shape
    beyond = int(drawn.max()) + 1
    first = torch.full((B, beyond + 1), L, dtype=torch.int16)  # a window is at most 8192 events
    places = torch.arange(L, dtype=torch.int16).expand(B, L)
    first.scatter_reduce_(1, thing.clamp(max=beyond), places, "amin")
    window, place = wanted.nonzero(as_tuple=True)
    return first[:, drawn][window] <= place[:, None]
