"""The order of a history's events where domains have no clock in common."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from penchant.data.dataset import Dataset, Events, Histories
from penchant.types import Ints


def training_histories(dataset: Dataset) -> tuple[Events, Ints, NDArray[np.bool_]]:
    """What is read as one history: events in order, the number of their history, and its targets.

    It is all that a user did. Where domains have no order in common, each domain of a user has a
    history of its own: what they did in the others, which is no target, and then its events.
    """
    events = dataset.events
    if not dataset.no_common_clock:
        return events, events.user, np.ones(len(events), bool)
    index, unit, own = [], [], []
    for place, one in enumerate(np.unique(events.domain)):
        mine = events.domain == one
        read = np.flatnonzero(np.isin(events.user, events.user[mine]))
        read = read[np.lexsort((read, events.domain[read], mine[read], events.user[read]))]
        index.append(read)
        unit.append(place * len(dataset.users) + events.user[read])
        own.append(mine[read])
    return events.take(np.concatenate(index)), np.concatenate(unit), np.concatenate(own)


def reorder_by_domain(histories: Histories, items: Ints | None, dataset: Dataset) -> Histories:
    """The histories as ``training_histories`` reads them for the domain of these items."""
    if items is None:
        return histories
    return replace(
        histories, events=histories.events.take(order_by_domain(histories, items, dataset))
    )


def order_by_domain(histories: Histories, items: Ints, dataset: Dataset) -> Ints:
    """The order in which the events are read for the domain of these items, (E,)."""
    domain = histories.events.domain
    mine = domain == dataset.catalogue.domain[items[0]]
    return np.lexsort((np.arange(len(mine)), domain, mine, histories.owner)).astype(np.int64)
