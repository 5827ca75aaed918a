"""Items that nobody has met: a column of B for each, by one small solve.

Such an item predicts nothing, so its arrival changes no other column: the sums, and B, stay.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.config import TransitionSettings
from penchant.data.dataset import Ints
from penchant.models.kernels import Content, Rows, nearest_of, unit_rows
from penchant.models.solve import ALPHA, System, solve, trust
from penchant.models.statistics import Statistics
from penchant.models.sums import Sums


def cold_columns(
    statistics: Statistics,
    contents: dict[str, Rows],
    settings: TransitionSettings,
    new: Ints,
    known: NDArray[np.bool_],
) -> sparse.csc_array:
    """The columns of B (P, N) of some items without events; the others stay empty.

    The same bits as ``solve`` gives in the whole system, whose sums are ``statistics``.
    ``contents`` are the rows of each modality, ``new`` the items, and ``known`` (N,) marks those
    that have events.
    """
    (P, N) = statistics.forward.C.shape
    unit = {
        name: (settings.alpha.get(name, ALPHA), unit_rows(rows))
        for name, rows in sorted(contents.items())
        if settings.alpha.get(name, ALPHA) > 0
    }
    near = sparse.csr_array((len(new), N))
    for alpha, rows in unit.values():
        found = nearest_of(rows, new, settings.neighbors, known)
        near = near + alpha * found.astype(np.float64)
    items = np.union1d(near.indices, new).astype(np.int64)
    some = Statistics(*(_part(sums, items) for sums in (statistics.forward, statistics.backward)))
    place = np.searchsorted(items, new)
    size = len(items), len(items)
    near = near[:, items].tocoo()
    right = sparse.csc_array((near.data, (near.col, place[near.row])), size)
    none = sparse.csr_array(size, dtype=np.float32)
    both = System(
        some.gram(settings.reverse, settings.ridge).astype(np.float32),
        right,
        sparse.csc_array(size),
        [(alpha, Content(rows[items], none)) for alpha, rows in unit.values()],
        trust(np.zeros(len(items), np.int64), settings),
    )
    found = solve(both, settings.candidates, place).tocoo()
    return sparse.csc_array((found.data, (items[found.row], items[found.col])), (P, N))


def _part(sums: Sums, items: Ints) -> Sums:
    """The sums among some items."""
    return Sums(sums.G[items][:, items], sums.C[items][:, items])
