"""Sums of what has no place in the order of a history: sets, other domains, what stands beside it.

Their rows are not decayed, so their sums are products of whole matrices of integers.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy import sparse

from penchant.errors import DataError
from penchant.models.transition.exact_sums import Sums, canonical, coo
from penchant.types import Ints


def cross_domain_sums(
    unit: Ints,
    p: Ints,
    item: Ints,
    level: Ints,
    value: Ints,
    table: Ints,
    user: Ints,
    other: Ints,
    shape: tuple[int, int],
) -> Sums:
    """What the forward rows of units (a user in a domain) gain from the user's other units.

    With o the sum of a unit's other events by weight ``other``, each of its rows is x + o. So G
    gains s o' + o s' + V o o', where s is the sum of its v x and V that of its v, and C gains o y'
    for each of its targets.
    """
    _, of = np.unique(unit, return_inverse=True)
    users, owner = np.unique(user, return_inverse=True)
    units = int(of.max(initial=-1)) + 1
    mine = coo(np.ones_like(of), owner, of, (len(users), units))
    mine.data[:] = 1
    own = coo(other, of, p, (units, shape[0]))
    o = canonical(mine.T @ (mine @ own) - own)
    Y = coo(value, of, np.maximum(item, 0), (units, shape[1]))
    reach = np.zeros(len(p), np.int64)
    for age in range(1, min(table.shape[1], len(p) - 1) + 1):
        same = unit[age:] == unit[:-age]
        reach[:-age] += np.where(same, value[age:] * table[level[:-age], age - 1], 0)
    s = coo(reach, of, p, (units, shape[0]))
    V = np.bincount(of, value, units)
    size = np.asarray(o.sum(axis=1), np.float64).ravel()
    if float((size * (V * size + 2.0 * np.asarray(s.sum(axis=1)).ravel())).sum()) >= 2.0**62:
        raise DataError(
            "expected sums below 2^62 units, received more; sum the events in parts (their "
            "statistics add), or scale the behaviors' weights down"
        )
    both = s.T @ o
    weighed = o.copy()
    weighed.data = weighed.data * np.repeat(V.astype(np.int64), np.diff(o.indptr))
    G = sparse.triu(both + both.T + o.T @ weighed, format="csr")
    return Sums(canonical(G), canonical(o.T @ Y))


def side_information_sums(
    user: Ints,
    p: Ints,
    item: Ints,
    level: Ints,
    value: Ints,
    time: Ints,
    table: Ints,
    shape: tuple[int, int],
    rows: Callable[..., sparse.csr_array],
) -> Iterator[Sums]:
    """What the forward rows gain from what stands beside their users at their time.

    With o beside a row x, G gains v (x o' + o x' + o o') and C gains v o y'.
    """
    first = np.searchsorted(user, user)  # users are in order
    for place in np.array_split(np.flatnonzero(value), max(1, len(value) >> 15)):
        o = rows(user[place], time[place], place - first[place], predictors=shape[0])
        if not o.nnz:
            continue
        earlier = place[:, None] - 1 - np.arange(table.shape[1])
        inside = (earlier >= 0) & (user[np.maximum(earlier, 0)] == user[place, None])
        row, age = np.nonzero(inside)
        at = earlier[inside]
        x = coo(table[level[at], age], row, p[at], o.shape)
        v = sparse.diags_array(value[place], format="csr", dtype=np.int64)
        size = np.asarray(o.sum(axis=1), np.float64).ravel()
        mass = value[place] * size * (size + 2.0 * np.asarray(x.sum(axis=1)).ravel())
        if float(mass.sum()) >= 2.0**62:
            raise DataError(
                "expected sums below 2^62 units, received more; lower transition.attributes and "
                "transition.friends"
            )
        weighed = v @ o
        both = x.T @ weighed
        G = sparse.triu(both + both.T + o.T @ weighed, format="csr")
        y = coo(np.ones_like(place), np.arange(len(place)), item[place], (len(place), shape[1]))
        yield Sums(canonical(G), canonical(weighed.T @ y))


def set_sums(
    user: Ints,
    p: Ints,
    weight: Ints,
    value: Ints,
    shape: tuple[int, int],
    beside: sparse.csr_array,
    one: int,
) -> Sums:
    """Sums where a history is a set: x is all of a user's events, each row leaves its own out.

    A user is one row of G, and a target is regressed on the other items (EASE, Steck 2019).
    ``beside`` (users, P) is what is added to each x, and ``one`` the unit of a target's weight.
    """
    users, owner = np.unique(user, return_inverse=True)
    size = len(users), shape[0]
    X = canonical(coo(weight, owner, p, size) + beside)
    Y = coo(value, owner, p, size)[:, : shape[1]]
    G = sparse.triu((X.T @ X) * np.int64(one), format="csr")
    C = (X.T @ Y).tocoo()
    off = C.row != C.col
    return Sums(canonical(G), coo(C.data[off], C.row[off], C.col[off], shape))
