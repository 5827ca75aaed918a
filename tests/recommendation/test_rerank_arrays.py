"""The functions of re-ranking on arrays, against brute force and by their properties."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from penchant.errors import ConfigError, DataError
from penchant.evaluation import metrics
from penchant.recommendation.rerank import calibrated, dpp, guaranteed, mmr
from penchant.recommendation.rerank.deduplication import Deduplicator
from penchant.recommendation.rerank.diversity import Caps, Plain, relevance_of, select
from penchant.recommendation.rerank.exploration import draw, generator, positions, strata
from penchant.recommendation.rerank.interest_quota import main_interest
from penchant.recommendation.rerank.similarity import cosines

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 10**6))


def drawn(size, seed, width=4):
    """Relevance in descending order, and cosines of random vectors."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(size, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.sort(rng.random(size))[::-1], vectors @ vectors.T, rng


@given(sizes)
@settings(max_examples=60, deadline=None)
def test_a_dial_at_0_is_the_ranking(how):
    size, k, seed = how
    relevance, similarity, rng = drawn(size, seed)
    relevance = np.round(relevance, 1)  # with ties
    shares = rng.dirichlet(np.ones(3), size)
    order = list(range(min(k, size)))
    assert mmr(relevance, similarity, k, 0.0) == order
    assert dpp(relevance, similarity, k, 0.0) == order
    assert calibrated(relevance, shares, np.ones(3) / 3, k, 0.0) == order


@given(sizes, st.sampled_from([0.1, 0.5, 0.9, 1.0]))
@settings(max_examples=60, deadline=None)
def test_the_fast_greedy_is_the_greedy_of_the_determinant(how, dial):
    size, k, seed = how
    k = min(k, size)
    relevance, similarity, _ = drawn(size, seed, width=12)
    q = np.exp((1 - dial) / (2 * dial) * relevance)
    kernel = q[:, None] * similarity * q
    chosen = []
    for _ in range(k):
        rest = [i for i in range(size) if i not in chosen]
        found = [np.linalg.slogdet(kernel[np.ix_([*chosen, i], [*chosen, i])])[1] for i in rest]
        chosen.append(rest[int(np.argmax(found))])
    assert dpp(relevance, similarity, k, dial) == chosen


def test_what_the_list_spans_comes_last_by_relevance():
    alike = np.kron(np.eye(2), np.ones((3, 3)))  # two directions, three candidates each
    assert dpp(np.array([1.0, 0.9, 0.8, 0.7, 0.6, 0.5]), alike, 6, 0.5) == [0, 3, 1, 2, 4, 5]


@given(sizes, st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_mmr_by_its_definition(how, dial):
    size, k, seed = how
    relevance, similarity, _ = drawn(size, seed)
    chosen = mmr(relevance, similarity, k, dial)
    assert len(set(chosen)) == min(k, size)
    for place, one in enumerate(chosen):

        def gain(i, place=place):
            near = max((similarity[i, j] for j in chosen[:place]), default=0.0)
            return (1 - dial) * relevance[i] - dial * max(near, 0.0)

        rest = [i for i in range(size) if i not in chosen[:place]]
        assert gain(one) >= max(map(gain, rest)) - 1e-12


@pytest.mark.parametrize("of", [mmr, dpp])
def test_the_order_of_the_candidates_does_not_matter(of):
    for seed in range(30):
        relevance, similarity, rng = drawn(9, seed)
        order = rng.permutation(9)
        moved = of(relevance[order], similarity[np.ix_(order, order)], 5, 0.4)
        assert order[moved].tolist() == of(relevance, similarity, 5, 0.4)


def test_the_quota_trades_relevance_for_balance():
    rng = np.random.default_rng(1)
    relevance = np.sort(rng.random(80))[::-1]
    shares = np.eye(4)[np.minimum(np.arange(80) // 15, 3)]  # the best are all of one interest
    target = np.array([0.4, 0.3, 0.2, 0.1])
    wrong, total = [], []
    for quota in (0.0, 0.3, 0.6, 0.9, 1.0):
        chosen = calibrated(relevance, shares, target, 10, quota)
        wrong.append(float(metrics.miscalibration(target, shares[chosen].mean(axis=0))))
        total.append(relevance[chosen].sum())
    assert wrong == sorted(wrong, reverse=True)
    assert wrong[0] > 1
    assert wrong[-1] == pytest.approx(0, abs=1e-12)
    assert total == sorted(total, reverse=True)
    order = rng.permutation(80)
    moved = calibrated(relevance[order], shares[order], target, 10, 0.6)
    assert order[moved].tolist() == calibrated(relevance, shares, target, 10, 0.6)


@given(st.integers(0, 10**6), st.integers(1, 12), st.floats(0, 1))
@settings(max_examples=80, deadline=None)
def test_guaranteed_places_are_kept_where_there_are_candidates(seed, k, quota):
    rng = np.random.default_rng(seed)
    size, T = int(rng.integers(k, 40)), int(rng.integers(1, 6))
    relevance = np.sort(rng.random(size))[::-1]
    shares, target = rng.dirichlet(np.ones(T) / 2, size), rng.dirichlet(np.ones(T))
    least = guaranteed(target, k, quota)
    assert (least <= target * k * quota + 1e-6).all()
    assert least.sum() <= k
    main = main_interest(shares)
    there = np.bincount(main, minlength=T)
    places = np.bincount(main[calibrated(relevance, shares, target, k, quota)], minlength=T)
    assert (places >= np.minimum(least, there)).all()


def test_miscalibration_by_its_sum():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([[0.2, 0.8, 0.0], [0.5, 0.3, 0.2]])
    mixed = 0.99 * q + 0.01 * p
    expected = [sum(a * np.log(a / b) for a, b in zip(p, row, strict=True)) for row in mixed]
    assert metrics.miscalibration(p, q) == pytest.approx(expected, abs=1e-12)
    assert metrics.miscalibration(10 * p, q) == pytest.approx(expected, abs=1e-12)
    assert metrics.miscalibration(p[::-1], q[:, ::-1]) == pytest.approx(expected, abs=1e-12)
    assert metrics.miscalibration(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0
    assert np.isnan(metrics.miscalibration(np.zeros(2), np.array([0.5, 0.5])))
    assert np.isnan(metrics.miscalibration(np.array([1.0, 0.0]), np.full(2, np.nan)))
    with pytest.raises(DataError, match=r"at least 0, received -0\.5"):
        metrics.miscalibration(np.array([1.0]), np.array([-0.5]))


@pytest.mark.parametrize("temperature", [None, 0.5])
def test_propensities_are_the_frequencies(temperature):
    relevance = np.linspace(1, 0, 12)
    slots, _ = strata(range(12), 2, 7)
    expected = []
    for of_slot in slots:
        z = np.zeros(len(of_slot)) if temperature is None else relevance[of_slot] / temperature
        expected.append(dict(zip(of_slot, np.exp(z) / np.exp(z).sum(), strict=True)))
    seeds = 20_000
    counts = [Counter(), Counter()]
    pairs = Counter()
    for seed in range(seeds):
        rng = generator(seed, "ann", "")
        found = [draw(of_slot, relevance, rng, temperature) for of_slot in slots]
        pairs[found[0].item, found[1].item] += 1
        for slot, one in enumerate(found):
            counts[slot][one.item] += 1
            assert one.propensity == pytest.approx(expected[slot][one.item])
    for slot in (0, 1):
        assert sum(expected[slot].values()) == pytest.approx(1)
        for item, p in expected[slot].items():
            error = np.sqrt(p * (1 - p) / seeds)
            assert counts[slot][item] / seeds == pytest.approx(p, abs=4.5 * error)
    for (a, b), count in pairs.items():  # the slots are independent
        p = expected[0][a] * expected[1][b]
        assert count / seeds == pytest.approx(p, abs=4.5 * np.sqrt(p / seeds))


def test_draws_are_of_the_request():
    assert generator(0, "ann", "1").random() == generator(0, "ann", "1").random()
    asked = (0, "ann", "1"), (1, "ann", "1"), (0, "ann1", ""), (0, "ann", ""), (0, None, "1")
    others = [generator(*who).random() for who in asked]
    assert len(set(others)) == 5
    assert positions((5, 2), 2, 6, generator(0, "u", "")) == [1, 4]
    places = Counter(positions((), 1, 4, generator(s, "u", ""))[0] for s in range(2000))
    assert min(places.values()) > 400
    with pytest.raises(ConfigError, match="received 5"):
        positions((), 5, 4, generator(0, "u", ""))


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_no_draw_can_break_a_cap(seed, slots, most):
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, 3, (30, 2))
    caps = Caps(codes, [most, most + 1], ["brand", "shelf"])
    chosen, capped = select(Plain(np.ones(30)), np.arange(30), 3, caps)
    found, shut = strata([i for i in range(3, 30) if i not in {*chosen, *capped}], slots, 8, caps)
    assert not {*shut} & {item for of_slot in found for item in of_slot}
    for column, limit in ((0, most), (1, most + 1)):
        already = Counter(codes[chosen, column].tolist())
        for value in range(3):
            worst = sum(any(codes[i, column] == value for i in of_slot) for of_slot in found)
            assert already[value] + worst <= max(limit, already[value])
            assert already[value] <= limit


def test_relevance_keeps_the_order():
    scores = np.array([9.0, 4.0, 4.0, -1.0, 0.3, 0.2])
    popular = np.array([False] * 4 + [True] * 2)
    assert relevance_of(scores, popular).tolist() == [1, 0.5, 0.5, 0, 0, 0]
    assert relevance_of(np.array([0.3, 0.2, 0.1]), np.ones(3, bool)).tolist() == pytest.approx(
        [1, 0.5, 0]
    )
    assert relevance_of(np.array([2.0, 2.0]), np.zeros(2, bool)).tolist() == [1, 1]
    assert relevance_of(np.zeros(0), np.zeros(0, bool)).tolist() == []


def test_joined_cosines():
    ink = sparse.csr_array(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]))
    paper = np.array([[1.0], [0.0], [0.0]])
    found = cosines([ink, paper], np.arange(3), np.arange(3))
    assert found == pytest.approx(
        np.array([[1, 0.5**0.5, 0], [0.5**0.5, 1, 0], [0, 0, 0]]), abs=1e-12
    )


def test_a_walk_in_steps_is_a_walk_at_once():
    rng = np.random.default_rng(0)
    items, labels = rng.permutation(100), {"collapse": rng.integers(-1, 25, 100)}
    rows = rng.normal(size=(100, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    whole = Deduplicator(items, labels, [rows], 0.95)
    steps = Deduplicator(items, labels, [rows], 0.95)
    found = whole.take(1000)
    assert found == [item for n in (1, 3, 40, 1000) for item in steps.take(n)]
    assert whole.removed == steps.removed
    assert len(found) + sum(whole.removed.values()) == 100
    assert (rows[found] @ rows[found].T - np.eye(len(found))).max() < 0.95


@pytest.mark.parametrize(
    "call",
    [
        lambda: mmr(np.ones(2), np.ones((3, 3)), 1, 0.5),
        lambda: dpp(np.ones(2), np.eye(2), 1, 1.5),
        lambda: calibrated(np.ones(2), np.ones((2, 2)), np.ones(3), 1, 0.5),
        lambda: calibrated(np.ones(2), np.ones((2, 2)), np.ones(2), 1, -0.5),
    ],
)
def test_errors_say_what_was_received(call):
    with pytest.raises((ConfigError, DataError), match="received"):
        call()
