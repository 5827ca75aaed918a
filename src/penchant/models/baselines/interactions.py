"""Who took which item: the positive events about items as a sparse matrix."""

import numpy as np
from scipy import sparse

from penchant.data.dataset import Catalogue, Dataset, Events, Histories
from penchant.types import Floats, Ints


def strengths(catalogue: Catalogue) -> Floats:
    """The strength of each behavior, (A,); 0 for a negative one, which is no positive event."""
    return np.array([b.strength if b.polarity > 0 else 0.0 for b in catalogue.behaviors])


def of_users(dataset: Dataset, *, weighted: bool) -> sparse.csr_array:
    """The training events of all U users, (U, N) sparse float64."""
    shape = len(dataset.users), len(dataset.catalogue)
    strength = strengths(dataset.catalogue)
    return _matrix(dataset.events, dataset.events.user, strength, shape, weighted)


def of_histories(
    histories: Histories, strength: Floats, items: int, *, weighted: bool
) -> sparse.csr_array:
    """The events of B histories, (B, N) sparse float64; rows depend on their own history alone."""
    shape = len(histories), items
    return _matrix(histories.events, histories.owner, strength, shape, weighted)


def _matrix(
    events: Events, owner: Ints, strength: Floats, shape: tuple[int, int], weighted: bool
) -> sparse.csr_array:
    """The summed strength of each pair's events, or 1 unless ``weighted``; sorted indices."""
    weight = strength[events.behavior]
    kept = (events.item >= 0) & (weight > 0)
    pairs = owner[kept], events.item[kept]
    matrix = sparse.coo_array((weight[kept], pairs), shape=shape).tocsr()
    matrix.sort_indices()
    if not weighted:
        matrix.data[:] = 1
    return matrix
