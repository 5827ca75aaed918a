"""Items that nobody has met: a column of B for each, by one small solve.

Such an item predicts nothing, so its arrival changes no other column: the sums, and B, stay.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.config import TransitionSettings
from penchant.features.kernels import (
    Rows,
    nearest_among,
    on_cores,
    sparse_or_dense,
    strongest,
    transposed,
    unit_rows,
)
from penchant.models.transition.exact_sums import Sums
from penchant.models.transition.solver import ALPHA, column, content_trust
from penchant.models.transition.statistics import Statistics
from penchant.types import Ints


@dataclass(frozen=True)
class ColdStartContext:
    """What the columns of new items read of a fit besides its sums, made once for all of them.

    Parameters
    ----------
    known
        The items that have events, ascending rows, (K,).
    unit
        Unit of each modality that counts, by name: its weight, the unit rows of the known items
        (K, D), and these transposed (D, K).
    """

    known: Ints
    unit: dict[str, tuple[float, Rows, Rows]]

    @classmethod
    def of(
        cls, contents: dict[str, Rows], settings: TransitionSettings, known: NDArray[np.bool_]
    ) -> Self:
        """Of the rows of each modality; ``known`` (N,) marks the items that have events."""
        some = np.flatnonzero(known)
        unit = {}
        for name, rows in sorted(contents.items()):
            if (alpha := settings.content_weights.get(name, ALPHA)) > 0:
                exact = unit_rows(rows[some])
                unit[name] = alpha, exact, transposed(exact)
        return cls(some, unit)


def cold_columns(
    statistics: Statistics,
    around: ColdStartContext,
    settings: TransitionSettings,
    new: dict[str, Rows],
) -> sparse.csc_array:
    """The columns of B of I items without events, (P, I) sparse float32.

    The same bits as ``solve`` gives in the whole system, whose sums are ``statistics``. ``new`` are
    the unit rows of the items in each modality, (I, D).
    """
    P, count = statistics.forward.C.shape[0], next(iter(new.values())).shape[0] if new else 0
    near = sparse.csr_array((count, len(around.known)))
    for name, (alpha, _, others) in around.unit.items():
        found = nearest_among(new[name], others, settings.neighbors, np.full(count, -1))
        near = near + alpha * found.astype(np.float64)
    near.sort_indices()
    more = content_trust(np.zeros(1, np.int64), settings)[0]

    def work(item: int) -> tuple[Ints, NDArray[np.float32]]:
        mine = slice(*near.indptr[item : item + 2])
        places = near.indices[mine][strongest(near.data[mine], settings.candidates)]
        k, items = len(places), around.known[places]
        if not k:
            return items, np.zeros(0, np.float32)
        content = np.zeros((k, k + 1), np.float32)  # the item itself is the last column
        for name, (alpha, rows, _) in around.unit.items():
            some = rows[places]
            product = some @ some.T, some @ new[name][[item]].T
            content += np.float32(alpha) * np.hstack([sparse_or_dense(of) for of in product])
        A = (_left(statistics, items, settings) + content[:, :k]).astype(np.float64)
        among = content[:, :k] if more > 1 else None
        return items, column(A, among, content[:, k], np.zeros(k), more)

    solved = on_cores(work, range(count))
    row = np.concatenate([np.zeros(0, np.int64), *(items for items, _ in solved)])
    data = np.concatenate([np.zeros(0, np.float32), *(weights for _, weights in solved)])
    indptr = np.concatenate([[0], np.cumsum([len(items) for items, _ in solved])])
    return sparse.csc_array((data, row, indptr), (P, count))


def _left(statistics: Statistics, items: Ints, settings: TransitionSettings) -> NDArray[np.float32]:
    """G + ridge among some items, dense."""
    none = sparse.csr_array((len(items), 0), dtype=np.int64)
    sides = (statistics.forward, statistics.backward)
    some = Statistics(*(Sums(sums.G[items][:, items], none) for sums in sides))
    return np.asarray(some.gram(settings.reverse, settings.ridge).toarray(), np.float32)
