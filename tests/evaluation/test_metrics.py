"""Metrics: properties over one table of them all, scikit-learn's numbers, and arithmetic."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    ndcg_score,
    roc_auc_score,
)
from sklearn.metrics import log_loss as sklearn_log_loss

from penchant.errors import ConfigError, DataError
from penchant.evaluation import metrics

K = 10
TABLE = dict(metrics.AT_K) | {"auc": lambda ranks, k, indptr=None: metrics.auc(ranks, 30, indptr)}
each = pytest.mark.parametrize("name", TABLE)


@st.composite
def worlds(draw):
    """Scores with ties and gaps over 30 items, and distinct truths, some cases without any."""
    cases = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.sampled_from([2, 4, 1000]))
    scores = rng.integers(0, levels, (cases, 30)).astype(float)
    scores[rng.random(scores.shape) < draw(st.sampled_from([0.0, 0.3]))] = -np.inf
    lengths = rng.integers(0, 6, cases)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    chosen = [rng.choice(30, size, replace=False) for size in lengths]
    return scores, np.concatenate([*chosen, []]).astype(np.int64), indptr


def answer(name, scores, truth, indptr, k=K):
    return TABLE[name](metrics.ranks(scores, truth, indptr), k, indptr)


@each
@given(worlds())
@settings(max_examples=40, deadline=None)
def test_bounds_and_empty_cases(name, world):
    scores, truth, indptr = world
    values = answer(name, scores, truth, indptr)
    empty = np.diff(indptr) == 0
    assert np.isnan(values[empty]).all()
    assert ((values[~empty] >= 0) & (values[~empty] <= 1)).all()


@each
@given(worlds(), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_order_of_items_truths_and_cases_does_not_matter(name, world, seed):
    scores, truth, indptr = world
    rng = np.random.default_rng(seed)
    order = rng.permutation(scores.shape[1])
    renamed = np.argsort(order)[truth]
    for start, stop in pairwise(indptr):
        renamed[start:stop] = rng.permutation(renamed[start:stop])
    expected = answer(name, scores, truth, indptr)
    np.testing.assert_allclose(answer(name, scores[:, order], renamed, indptr), expected)
    last = slice(indptr[-2], None)
    alone = answer(name, scores[-1:], truth[last], np.array([0, len(truth[last])]))
    np.testing.assert_allclose(alone, expected[-1:])


@each
@given(worlds(), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_a_better_score_of_a_truth_is_never_worse(name, world, k):
    scores, truth, indptr = world
    # without ties: raising one of two tied truths costs the other half a place
    scores = scores + np.random.default_rng(k).random(scores.shape) / 2
    if not len(truth):
        return
    case = int(np.searchsorted(indptr, 0, "right")) - 1
    better = scores.copy()
    better[case, truth[0]] = 1e6
    before, after = (answer(name, s, truth, indptr, k)[case] for s in (scores, better))
    assert after >= before - 1e-12


@pytest.mark.parametrize("name", ["recall", "hit_rate", "mrr"])
@given(worlds())
@settings(max_examples=30, deadline=None)
def test_monotone_in_k(name, world):
    values = np.stack([answer(name, *world, k=k) for k in (1, 2, 5, 10, 30)])
    assert (np.diff(values[:, ~np.isnan(values[0])], axis=0) >= 0).all()


@pytest.mark.parametrize("name", ["precision", "ndcg", "map"])
def test_hits_at_the_top_are_worth_their_share_at_every_k(name):
    for k in (1, 2, 5, 30):
        value = TABLE[name](np.array([1.0, 2.0]), k, np.array([0, 2]))
        assert value == pytest.approx([min(2, k) / k if name == "precision" else 1])


@each
def test_a_perfect_ranking_and_one_without_scores(name):
    perfect = TABLE[name](np.array([1.0]), 1)
    absent = TABLE[name](np.array([np.inf]), 30)
    assert perfect.tolist() == [1]
    assert absent.tolist() == [0]


@each
def test_constant_scores_are_chance(name):
    rank = metrics.ranks(np.zeros((1, 30)), np.array([3]))
    assert rank.tolist() == [1 + 29 / 2]
    assert TABLE[name](rank, 14).tolist() == [pytest.approx(0.5) if name == "auc" else 0]


@each
def test_many_tied_truths_never_exceed_one(name):
    rank = metrics.ranks(np.zeros((1, 3)), np.array([0, 1, 2]), np.array([0, 3]))
    assert rank.tolist() == [2, 2, 2]
    for k in (1, 2, 3):
        assert TABLE[name](rank, k, np.array([0, 3]))[0] <= 1


def test_against_scikit_learn():
    rng = np.random.default_rng(5)
    scores = rng.normal(size=(40, 30))
    relevant = rng.random((40, 30)) < 0.2
    relevant[:, 0] = True
    case, truth = np.nonzero(relevant)
    indptr = np.searchsorted(case, np.arange(41))
    got = {name: answer(name, scores, truth, indptr) for name in TABLE}
    whole = metrics.average_precision(metrics.ranks(scores, truth, indptr), 30, indptr)
    for b in range(40):
        y, s = relevant[b], scores[b]
        assert got["ndcg"][b] == pytest.approx(ndcg_score([y], [s], k=K))
        assert got["auc"][b] == pytest.approx(roc_auc_score(y, s))
        assert whole[b] == pytest.approx(average_precision_score(y, s))
    tied = rng.integers(0, 4, (40, 30)).astype(float)
    ours = metrics.auc(metrics.ranks(tied, truth, indptr), 30, indptr)
    theirs = [roc_auc_score(relevant[b], tied[b]) for b in range(40)]
    assert ours == pytest.approx(theirs)
    p, y = rng.random(500), rng.random(500) < 0.3
    assert metrics.brier(p, y).mean() == pytest.approx(brier_score_loss(y, p))
    assert metrics.log_loss(p, y).mean() == pytest.approx(sklearn_log_loss(y, p))
    base = brier_score_loss(y, np.full(500, 0.3))
    assert metrics.brier_skill(p, y, 0.3) == pytest.approx(1 - brier_score_loss(y, p) / base)


def test_expectations_as_arithmetic():
    ranks, indptr = np.array([3.0, 1.0, 12.0, 2.5]), np.array([0, 3, 4])
    expected = {
        "recall": [2 / 3, 1 / 1],
        "recall_min": [2 / min(K, 3), 1 / min(K, 1)],
        "precision": [2 / 10, 1 / 10],
        "hit_rate": [1, 1],
        "mrr": [1 / 1, 1 / 2.5],
        "map": [1 / 3 * (1 / 1 + 2 / 3), 1 / 2.5],
        "ndcg": [
            (1 / np.log2(2) + 1 / np.log2(4)) / sum(1 / np.log2(1 + j) for j in (1, 2, 3)),
            1 / np.log2(3.5),
        ],
        "auc": [(27 - 0 + 29 - 2 + 18 - 1) / (3 * 27), (30 - 2.5) / 29],
    }
    for name, values in expected.items():
        assert TABLE[name](ranks, K, indptr) == pytest.approx(values), name


def test_recall_has_two_denominators():
    ranks, indptr = np.array([1.0, 2.0, 5.0]), np.array([0, 3])
    assert metrics.recall(ranks, 2, indptr) == pytest.approx([2 / 3])
    assert metrics.recall_min(ranks, 2, indptr) == pytest.approx([2 / 2])


def test_lists_and_scores_agree():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20, 30))
    truth, indptr = metrics.distinct_truths(rng.integers(0, 30, 60), np.arange(0, 61, 3))
    lists = np.argsort(-scores, axis=1)[:, :K]
    by_list = metrics.list_ranks(lists, truth, indptr)
    by_score = metrics.ranks(scores, truth, indptr)
    for name in metrics.AT_K:
        a, b = (TABLE[name](ranks, K, indptr) for ranks in (by_list, by_score))
        np.testing.assert_allclose(a, b)


def test_duplicates_count_once():
    truth, indptr = metrics.distinct_truths(np.array([1, 0, 1]), np.array([0, 3]))
    ranks = metrics.list_ranks(np.array([[0, 0, 1]]), truth, indptr)
    assert ranks.tolist() == [1, 3]
    assert metrics.precision(ranks, 3, indptr) == pytest.approx([2 / 3])
    assert metrics.recall(ranks, 3, indptr) == pytest.approx([2 / 2])


def test_a_user_without_a_list_counts_as_zero():
    ranks = metrics.list_ranks(np.full((1, 5), -1), np.array([4]))
    for name in metrics.AT_K:
        assert TABLE[name](ranks, 5).tolist() == [0]


def test_nan_scores_are_no_scores():
    scores = np.array([[np.nan, 1.0, 2.0]])
    assert metrics.ranks(scores, np.array([0])).tolist() == [np.inf]
    assert metrics.ranks(scores, np.array([1])).tolist() == [2]


def test_ranks_are_the_same_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, (50, 30)).astype(np.float32)
    truth = rng.integers(0, 30, 50)
    whole = metrics.ranks(scores, truth)
    monkeypatch.setattr("penchant.evaluation.metrics.ranking.CELLS", 64)
    assert (metrics.ranks(scores, truth) == whole).all()


@given(st.integers(0, 2**32), st.integers(1, 12), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_unseen_draws_only_what_is_unseen(seed, items, density):
    rng = np.random.default_rng(seed)
    case, item = np.nonzero(rng.random((6, items)) < density)
    seen = np.repeat(item, 2)
    indptr = np.searchsorted(np.repeat(case, 2), np.arange(7))
    drawn = metrics.sample_unseen(seen, indptr, items, seed)
    for b in range(6):
        left = set(range(items)) - set(item[case == b].tolist())
        assert drawn[b] in left if left else drawn[b] == -1


def test_unseen_is_uniform():
    cases = 30_000
    seen, indptr = np.tile([1, 4], cases), np.arange(0, 2 * cases + 1, 2)
    share = np.bincount(metrics.sample_unseen(seen, indptr, 6, seed=0), minlength=6) / cases
    expected = np.array([1, 0, 1, 1, 0, 1]) / 4
    assert share == pytest.approx(expected, abs=4 * np.sqrt(0.25 * 0.75 / cases))


def test_accuracy_counts_ties_as_half_and_missing_as_lowest():
    truth = np.array([1.0, 1.0, 0.0, -np.inf, np.nan, -np.inf])
    other = np.array([0.0, 1.0, 1.0, 0.0, 0.0, -np.inf])
    assert metrics.accuracy(truth, other).tolist() == [1, 0.5, 0, 0, 0, 0.5]


def test_gini_by_pairs():
    x = np.random.default_rng(0).integers(0, 50, 40).astype(float)
    pairs = np.abs(x[:, None] - x[None]).sum() / (2 * len(x) * x.sum())
    assert metrics.gini(x) == pytest.approx(pairs)
    assert metrics.gini(np.zeros(3)) == 0


def test_intra_list_distance_by_pairs():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(12, 4)) * (rng.random((12, 4)) < 0.7)
    features[3] = 0
    norms = np.maximum(np.linalg.norm(features, axis=1), 1e-12)
    features = features / norms[:, None]
    listed = [0, 3, 5, 7]
    pairs = [1 - features[a] @ features[b] for a in listed for b in listed if a < b]
    got = metrics.intra_list_distance(
        np.array([[0, 3, 5, 7, 7], [1, -1, -1, -1, -1]]), sparse.csr_array(features)
    )
    assert got[0] == pytest.approx(np.mean(pairs))
    assert np.isnan(got[1])


def test_calibration_of_a_base_rate():
    rng = np.random.default_rng(0)
    outcome = rng.random(1000) < 0.2
    constant = np.full(1000, outcome.mean())
    assert metrics.ece(constant, outcome) == pytest.approx(0, abs=1e-12)
    assert metrics.brier_skill(constant, outcome, outcome.mean()) == pytest.approx(0, abs=1e-12)
    p = rng.random(1000)
    order = rng.permutation(1000)
    assert metrics.ece(p, outcome) == pytest.approx(metrics.ece(p[order], outcome[order]))
    assert metrics.ece(np.array([0.1, 0.9]), np.array([1, 0]), 2) == pytest.approx(0.9)


def test_bootstrap_covers_the_mean():
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(200):
        _, low, high = metrics.bootstrap(rng.random(100) < 0.3, seed, samples=300)
        hits += low <= 0.3 <= high
    assert hits / 200 == pytest.approx(0.95, abs=0.06)


def test_bootstrap_half_width_is_that_of_the_normal():
    values = np.random.default_rng(0).normal(size=5000)
    value, low, high = metrics.bootstrap(values, seed=0)
    assert value == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / np.sqrt(5000), rel=0.1)


def test_clusters_are_drawn_together():
    values = np.repeat(np.random.default_rng(0).normal(size=500), 4)
    cluster = np.repeat(np.arange(500), 4)
    alone = metrics.bootstrap(values, seed=0)
    together = metrics.bootstrap(values, seed=0, cluster=cluster)
    assert together.value == alone.value
    wider = (together.high - together.low) / (alone.high - alone.low)
    assert wider == pytest.approx(2, rel=0.15)
    assert metrics.bootstrap(values, seed=0, cluster=cluster) == together


def test_bootstrap_leaves_out_nan_and_takes_nothing():
    assert metrics.bootstrap(np.array([1.0, np.nan]), 0) == (1, 1, 1)
    assert np.isnan(metrics.bootstrap(np.array([]), 0)).all()


def test_paired_is_narrower_than_apart():
    rng = np.random.default_rng(0)
    a = rng.random(1000)
    b = a - 0.01
    assert metrics.paired(a, b, 0) == pytest.approx((0.01, 0.01, 0.01))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: metrics.recall(np.array([1.0]), 0), ConfigError),
        (lambda: metrics.ranks(np.zeros((1, 3)), np.array([3])), DataError),
        (lambda: metrics.ranks(np.zeros((1, 3)), np.array([1, 2])), DataError),
        (lambda: metrics.coverage(np.array([[4]]), 3), DataError),
        (lambda: metrics.brier(np.array([1.5]), np.array([1])), DataError),
        (lambda: metrics.brier(np.array([0.5]), np.array([2])), DataError),
        (lambda: metrics.brier(np.array([0.5]), np.array([1, 0])), DataError),
        (lambda: metrics.bootstrap(np.ones(2), 0, level=1.0), ConfigError),
        (lambda: metrics.bootstrap(np.ones(2), 0, cluster=np.ones(3)), DataError),
        (lambda: metrics.paired(np.ones(2), np.ones(3), 0), DataError),
    ],
)
def test_errors_say_what_was_received(call, error):
    with pytest.raises(error, match="received"):
        call()
