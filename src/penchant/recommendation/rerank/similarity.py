"""How alike items are: the cosine of what is known of them."""

from collections.abc import Iterable

import numpy as np
from scipy import sparse

from penchant.errors import DataError
from penchant.features.kernels import Rows, sparse_or_dense
from penchant.recommendation.fitted import FittedModel
from penchant.recommendation.request import Similarity
from penchant.types import Floats, Ints


def cosines(rows: Iterable[Rows], items: Ints, others: Ints) -> Floats:
    """Cosines of some items with others by several kinds of unit rows (N, D) joined, (I, J).

    Joined, an item's rows stand side by side and are made one unit row: kinds that both items
    have count alike, and one that an item lacks makes it no more like anything. An item without
    any is at 0 from all.

    >>> ink, paper = np.eye(2), np.array([[1.0], [1.0]])
    >>> cosines([ink, paper], np.array([0]), np.array([0, 1])).round(9).tolist()
    [[1.0, 0.5]]
    """
    product = np.zeros((len(items), len(others)))
    mine, theirs = np.zeros(len(items)), np.zeros(len(others))
    for of in rows:
        some, more = of[items], of[others]
        product += sparse_or_dense(some @ more.T)
        mine += _squares(some)
        theirs += _squares(more)
    scale = np.sqrt(np.outer(mine, theirs))
    np.divide(product, scale, out=product, where=scale > 0)
    return product


def known_rows(model: FittedModel) -> list[Rows]:
    """Unit rows of the items, (N, D) each: what they are, and their columns of B, whichever exist.

    Two items are alike in B where the same pasts lead to both.
    """
    rows = list(model.content.values())
    if model.transition is not None:
        rows.append(_unit(model.transition.whole.T.tocsr()))
    return rows


def similarities(items: Ints, count: int, rows: Iterable[Rows], given: Similarity | None) -> Floats:
    """Similarities of items with each other, (C, C), 1 on the diagonal.

    Cosines of their joined rows unless others are given, in a catalogue of ``count`` items. Raises
    DataError for given ones of another shape, or that are not finite.
    """
    own = np.arange(len(items))
    if callable(given):
        similarity = np.array(given(items), np.float64)
    elif given is None:
        similarity = cosines([of[items] for of in rows], own, own)
    else:
        vectors = np.asarray(given, np.float64)
        if vectors.ndim != 2 or len(vectors) != count:
            raise DataError(
                f"expected vectors of {count} items, received an array of shape {vectors.shape}"
            )
        similarity = cosines([vectors[items]], own, own)
    if similarity.shape != (len(items), len(items)) or not np.isfinite(similarity).all():
        raise DataError(
            f"expected finite similarities of {len(items)} items with each other, received "
            f"an array of shape {similarity.shape}"
        )
    np.fill_diagonal(similarity, 1.0)
    return similarity


def _unit(rows: sparse.csr_array) -> sparse.csr_array:
    length = np.sqrt(_squares(rows))
    return sparse.csr_array(rows.multiply(1 / np.where(length > 0, length, 1)[:, None]))


def _squares(rows: Rows) -> Floats:
    squares = rows.multiply(rows) if sparse.issparse(rows) else rows * rows
    return np.asarray(squares.sum(axis=1), np.float64).ravel()
