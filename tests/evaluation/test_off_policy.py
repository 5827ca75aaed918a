"""Off-policy estimates: a simulator whose truth is known, properties, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.errors import DataError
from penchant.evaluation import metrics

SEEDS = 100
FEWEST = 88
"""Of 100 intervals at 95 %, 88 or fewer cover with probability 0.004."""


class Slots:
    """Slots of users with contexts, drawn uniformly; the target takes what it scores highest.

    A click on candidate a in context c has probability p[c, a]; contexts are uniform. Users differ:
    each one's clicks are multiplied by a factor of mean 1, so that slots of a user are alike.
    """

    contexts, candidates = 4, 5

    def __init__(self, seed):
        world = np.random.default_rng(7)
        self.p = world.uniform(0.02, 0.35, (self.contexts, self.candidates))
        liked = world.permuted(self.p, axis=1)  # a target that is neither the best nor the worst
        self.chosen = (0.5 * self.p + 0.5 * liked).argmax(axis=1)
        rng = np.random.default_rng(seed)
        self.user = np.repeat(np.arange(400), rng.integers(1, 10, 400))
        n = len(self.user)
        context = rng.integers(0, self.contexts, n)
        action = rng.integers(0, self.candidates, n)
        eager = rng.choice([0.5, 1.5], 400)[self.user]
        self.rewards = (rng.random(n) < eager * self.p[context, action]).astype(float)
        self.propensity = np.full(n, 1 / self.candidates)
        self.target = (action == self.chosen[context]).astype(float)

    @property
    def value(self):
        """Of the target, in closed form."""
        return float(self.p[np.arange(self.contexts), self.chosen].mean())

    @property
    def logged(self):
        """Of the policy that drew, in closed form."""
        return float(self.p.mean())


@pytest.fixture(scope="module")
def intervals():
    found = {"ips": [], "snips": [], "naive": [], "size": []}
    for seed in range(SEEDS):
        of = Slots(seed)
        asked = of.rewards, of.propensity, of.target
        found["ips"].append(metrics.ips_interval(*asked, seed=seed, cluster=of.user))
        found["snips"].append(metrics.snips_interval(*asked, seed=seed, cluster=of.user))
        found["naive"].append(metrics.bootstrap(of.rewards, seed, cluster=of.user))
        weights = metrics.importance_weights(of.propensity, of.target)
        found["size"].append(metrics.effective_sample_size(weights) / len(weights))
    return found


def covered(found, value):
    return sum(one.low <= value <= one.high for one in found)


@pytest.mark.parametrize("name", ["ips", "snips"])
def test_intervals_cover_the_value_of_the_target(intervals, name):
    assert covered(intervals[name], Slots(0).value) > FEWEST
    width = np.mean([one.high - one.low for one in intervals[name]])
    assert width < 0.15  # they cover because they are right, not because they are wide
    mean = np.mean([one.value for one in intervals[name]])
    assert mean == pytest.approx(Slots(0).value, abs=0.004)


def test_the_mean_of_the_logged_policy_is_another_value(intervals):
    assert covered(intervals["naive"], Slots(0).value) <= 5
    assert covered(intervals["naive"], Slots(0).logged) > FEWEST


def test_intervals_that_forget_whose_slots_they_are_are_narrower():
    of = Slots(0)
    rewards = np.repeat((of.rewards[:200] > 0).astype(float), 9)  # nine slots of a user are equal
    asked = rewards, np.ones(len(rewards)), np.ones(len(rewards))
    own = metrics.snips_interval(*asked, seed=0, cluster=np.repeat(np.arange(200), 9))
    apart = metrics.snips_interval(*asked, seed=0)
    assert own.high - own.low > 2 * (apart.high - apart.low)


def test_the_effective_size_is_that_of_the_slots_that_agree(intervals):
    assert np.mean(intervals["size"]) == pytest.approx(1 / Slots.candidates, abs=0.005)


def test_weights_of_zero():
    rewards, propensity = np.array([1.0, 0.0, 1.0]), np.full(3, 0.5)
    nothing = rewards, propensity, np.zeros(3)
    assert metrics.ips(*nothing) == 0
    assert np.isnan(metrics.snips(*nothing))
    assert metrics.effective_sample_size(np.zeros(3)) == 0
    assert metrics.ips_interval(*nothing, seed=0) == (0, 0, 0)
    assert np.isnan(metrics.snips_interval(*nothing, seed=0)).all()
    # half of the draws of three users hold none that has a weight: they are left out
    one = metrics.snips_interval(rewards, propensity, np.array([0.5, 0.0, 0.0]), seed=0)
    assert one == (1, 1, 1)


def test_no_slot_has_no_value():
    none = np.zeros(0)
    assert np.isnan([metrics.ips(none, none, none), metrics.snips(none, none, none)]).all()
    assert np.isnan(metrics.ips_interval(none, none, none, seed=0)).all()
    assert np.isnan(metrics.snips_interval(none, none, none, seed=0)).all()
    assert metrics.effective_sample_size(none) == 0


slots = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 2.5]), st.floats(0.05, 1), st.floats(0, 1)),
    min_size=1,
    max_size=40,
).map(lambda rows: [np.array(column) for column in zip(*rows, strict=True)])


@given(slots, st.randoms(use_true_random=False))
def test_order_says_nothing(rows, rng):
    order = list(range(len(rows[0])))
    rng.shuffle(order)
    mixed = [column[order] for column in rows]
    for estimate in (metrics.ips, metrics.snips):
        assert estimate(*mixed) == pytest.approx(estimate(*rows), rel=1e-9, nan_ok=True)
    sizes = [
        metrics.effective_sample_size(metrics.importance_weights(p, q)) for _, p, q in (rows, mixed)
    ]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-9)


@given(slots)
def test_a_target_that_is_the_logged_policy_earns_the_mean(rows):
    rewards, propensity, _ = rows
    same = rewards, propensity, propensity
    assert metrics.ips(*same) == pytest.approx(rewards.mean())
    assert metrics.snips(*same) == pytest.approx(rewards.mean())
    weights = metrics.importance_weights(propensity, propensity)
    assert metrics.effective_sample_size(weights) == pytest.approx(len(rewards))


@given(slots)
def test_bounds(rows):
    rewards, propensity, target = rows
    value = metrics.snips(*rows)
    assert np.isnan(value) or rewards.min() - 1e-9 <= value <= rewards.max() + 1e-9
    size = metrics.effective_sample_size(metrics.importance_weights(propensity, target))
    assert 0 <= size <= len(rewards) + 1e-9


@pytest.mark.parametrize("least", [5e-324, 1e-300, 1e-170])
def test_tiny_weights_keep_their_digits(least):
    rewards, propensity, target = np.array([2.5, 1.0]), np.ones(2), np.array([least, least])
    assert metrics.snips(rewards, propensity, target) == 1.75
    weights = metrics.importance_weights(propensity, target)
    assert metrics.effective_sample_size(weights) == 2
    assert metrics.snips_interval(rewards, propensity, target, seed=0).value == 1.75


@settings(max_examples=20)
@given(slots, st.integers(0, 100))
def test_an_interval_is_around_the_number(rows, seed):
    user = np.arange(len(rows[0])) % 7
    found = metrics.ips_interval(*rows, seed=seed, samples=50, cluster=user)
    assert found.value == pytest.approx(metrics.ips(*rows))
    assert found.low <= found.high
    ratio = metrics.snips_interval(*rows, seed=seed, samples=50, cluster=user)
    assert ratio.value == pytest.approx(metrics.snips(*rows), nan_ok=True)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"propensity": [0.0, 0.5]}, "propensities above 0"),
        ({"propensity": [1.5, 0.5]}, "propensities above 0"),
        ({"propensity": [np.nan, 0.5]}, "propensities above 0"),
        ({"target": [-0.1, 0.5]}, "target probabilities from 0"),
        ({"target": [1.1, 0.5]}, "target probabilities from 0"),
        ({"target": [0.5]}, "received shapes"),
        ({"propensity": [[0.5, 0.5]]}, "received shapes"),
        ({"rewards": [1.0]}, "a reward of each of 2 slots"),
        ({"rewards": [1.0, np.inf]}, "finite rewards"),
    ],
)
def test_what_cannot_be_weighed_is_refused(change, word):
    rows = {"rewards": [1.0, 0.0], "propensity": [0.5, 0.5], "target": [1.0, 0.0]} | change
    asked = {name: np.array(values) for name, values in rows.items()}
    for estimate in (metrics.ips, metrics.snips):
        with pytest.raises(DataError, match=word):
            estimate(**asked)


def test_a_difference_of_groups_is_covered_and_signed():
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(SEEDS):
        user = np.repeat(np.arange(200), 5)
        second = user % 2 == 1
        values = (rng.random(1000) < np.where(second, 0.30, 0.20)).astype(float)
        found = metrics.difference_interval(values, np.ones(1000), second, seed, cluster=user)
        assert found.value == pytest.approx(values[second].mean() - values[~second].mean())
        held += found.low <= 0.10 <= found.high
    assert held > FEWEST
    alone = metrics.difference_interval(np.ones(3), np.ones(3), np.ones(3, bool), seed=0)
    assert np.isnan(alone).all()
