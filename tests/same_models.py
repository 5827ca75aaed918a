"""Models that are the same bit for bit."""

import numpy as np


def assert_same(found, expected):
    """The same bits in the sums, the same B, the same lists for every user."""
    a, b = found.recommender, expected.recommender
    assert a.statistics == b.statistics
    assert a.B.shape == b.B.shape
    assert (a.B != b.B).nnz == 0
    lists = zip(found.recommend_all(10), expected.recommend_all(10), strict=True)
    for left, right in lists:
        assert np.array_equal(left.items, right.items)
        assert np.array_equal(left.scores, right.scores)
