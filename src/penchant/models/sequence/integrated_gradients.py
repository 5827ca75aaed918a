"""What each event of a history adds to the deep expert's logit, and the logit without one."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.polynomial.legendre import leggauss
from torch import Tensor

from penchant.data.dataset import Histories
from penchant.models.sequence.batches import Inputs
from penchant.models.sequence.network import ItemTable
from penchant.types import Floats, Ints, Scores

if TYPE_CHECKING:
    from penchant.models.sequence.recommender import SequenceRecommender

_STEPS = 32  # nodes of the Gauss-Legendre rule along the path


def attributed(
    expert: "SequenceRecommender", history: Histories, item: int
) -> tuple[float, float, Floats]:
    """Integrated gradients of an item's logit (Sundararajan et al. 2017, eq. 1).

    The path goes from events that say nothing, at their places, to what they say. Returns the
    logit, that of the path's beginning, and what each event adds (E,); what these leave of the
    difference is the error of the integral. An event that the network does not read adds 0.
    """
    order, content, position = _embedded(expert, history, item)
    with torch.inference_mode():
        table = expert.table.take(torch.tensor([item], device=expert.table.bias.device))
    # as the gradients need them: no tensors of inference
    table = ItemTable(table.vectors.clone(), table.bias.clone())

    def logits(share: Tensor) -> Tensor:
        states = expert.network.passed(share[:, None, None] * content + position)[:, -1]
        return expert.network.logits(states, table)[:, 0]

    nodes, weights = (
        torch.from_numpy(part).float().to(content.device) for part in leggauss(_STEPS)
    )
    with torch.no_grad():
        first, last = (float(x) for x in logits(torch.tensor([0.0, 1.0], device=content.device)))
    along = (0.5 * (nodes + 1))[:, None, None] * content + position
    along.requires_grad_()
    whole = expert.network.logits(expert.network.passed(along)[:, -1], table).sum()
    (slope,) = torch.autograd.grad(whole, along)
    mean = (slope * (0.5 * weights)[:, None, None]).sum(0)
    parts = np.zeros(len(history.events))
    parts[order] = (mean * content[0]).sum(-1).double().cpu().numpy()
    return last, first, parts


def masked(expert: "SequenceRecommender", history: Histories, place: int) -> Scores:
    """Logits of all items where one event says nothing, at its place, (1, N)."""
    scores: Scores = np.full((1, len(expert.dataset.catalogue)), -np.inf)
    for items, table in expert.tables:
        item = 0 if items is None else int(items[0])
        order, content, position = _embedded(expert, history, item)
        content[:, order == place] = 0
        with torch.inference_mode():
            states = expert.network.passed(content + position)[:, -1]
            found = expert.network.logits(states, table).float().cpu().numpy()
        scores[:, slice(None) if items is None else items] = found
    scores[:, ~expert.scored] = -np.inf
    return scores


def _embedded(
    expert: "SequenceRecommender", history: Histories, item: int
) -> tuple[Ints, Tensor, Tensor]:
    """Which events are read (L,), what they say and where they stand, (1, L, D) each."""
    from penchant.models.sequence.event_order import order_by_domain

    order = np.arange(len(history.events))
    if expert.dataset.no_common_clock:
        order = order_by_domain(history, np.array([item]), expert.dataset)
    events = history.events.take(order)
    catalogue = expert.dataset.catalogue
    read = Inputs.latest(events, expert.settings.max_length, catalogue, expert.dataset.time)
    fields = expert.fields(read.take(np.arange(len(read.thing))[None]))
    with torch.no_grad():
        vectors = expert.table.vectors.clone()
        content = expert.network.content_embedding(fields, vectors)
        return (
            order[-expert.settings.max_length :],
            content,
            expert.network.position_embedding(fields[-1]),
        )
