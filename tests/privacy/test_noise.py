"""The discrete Gaussian: its moments, its distribution, and where its bytes come from."""

import os
from math import exp, sqrt

import numpy as np
import pytest
from scipy import stats

from penchant.errors import ConfigError
from penchant.privacy.differential.noise import VARIATION, WIDEST, DiscreteGaussian


def seeded(seed):
    """Random bytes that come again: for tests alone."""
    return np.random.default_rng(seed).bytes


def mass(sigma, most):
    """P(-most .. most) of the discrete Gaussian, by the series."""
    k = np.arange(-most, most + 1)
    weight = np.exp(-(k**2) / (2 * sigma**2))
    far = np.arange(most + 1, most + int(40 * sigma) + 2)
    return k, weight / (weight.sum() + 2 * np.exp(-(far**2) / (2 * sigma**2)).sum())


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.5, 1000.0])
def test_moments(sigma):
    drawn = DiscreteGaussian(sigma, seeded(1)).sample(200_000)
    k, p = mass(sigma, int(14 * sigma) + 3)
    variance = (k**2 * p).sum()
    assert abs(drawn.mean()) < 4 * sqrt(variance / len(drawn))
    fourth = (k**4.0 * p).sum()
    spread = sqrt((fourth - variance**2) / len(drawn))
    assert abs((drawn.astype(float) ** 2).mean() - variance) < 4 * spread


@pytest.mark.parametrize("sigma", [0.5, 2.0, 7.3])
def test_distribution(sigma):
    most = int(3 * sigma) + 1
    drawn = DiscreteGaussian(sigma, seeded(2)).sample(300_000)
    k, p = mass(sigma, most)
    seen = np.array([(drawn == each).sum() for each in k])
    seen = np.append(seen, len(drawn) - seen.sum())
    expected = np.append(p, 1 - p.sum()) * len(drawn)
    assert stats.chisquare(seen, expected).pvalue > 1e-4


def test_it_is_symmetric():
    drawn = DiscreteGaussian(3.0, seeded(3)).sample(200_000)
    plus, minus = (drawn > 0).sum(), (drawn < 0).sum()
    assert abs(plus - minus) < 4 * sqrt(plus + minus)
    assert stats.ks_2samp(drawn[drawn > 0], -drawn[drawn < 0]).pvalue > 1e-4


def test_thresholds_are_the_distribution_function():
    sigma = 1.7
    k, p = mass(sigma, 30)
    inside = np.array([p[np.abs(k) <= each].sum() for each in range(10)])
    found = DiscreteGaussian(sigma).high[:10].astype(float) / 2.0**64
    assert found == pytest.approx(inside, abs=1e-14)


def test_a_draw_on_a_threshold_reads_its_lower_half():
    noise = DiscreteGaussian(1.0)
    high, low = int(noise.high[0]), int(noise.low[0])

    def given(*integers):
        parts = [i.to_bytes(8, "little") for i in integers]
        return lambda count: parts.pop(0)[:count]

    for below, size in ((1, 0), (0, 1)):  # U just under the threshold, and on it
        noise.source = given(high, low - below)
        assert noise._magnitudes(1).tolist() == [size]


def test_the_widest_table_has_the_size_that_the_bound_counts_with():
    assert len(DiscreteGaussian(WIDEST).high) + 1 <= 2**18
    assert VARIATION > (2**18) * 2.0**-126
    beyond = WIDEST * 2 * exp(-((len(DiscreteGaussian(WIDEST).high) / WIDEST) ** 2) / 2)
    assert beyond / WIDEST < 2.0**-128


def test_bytes_come_from_the_system_and_no_seed_repeats_them():
    assert DiscreteGaussian(5.0).source is os.urandom
    np.random.seed(0)
    first = DiscreteGaussian(50.0).sample(64)
    np.random.seed(0)
    assert not np.array_equal(first, DiscreteGaussian(50.0).sample(64))


def test_millions_of_cells_are_drawn_in_seconds():
    drawn = DiscreteGaussian(16_000.0, seeded(4)).sample((1 << 20) + 3)
    assert drawn.std() == pytest.approx(16_000, rel=0.01)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan"), float("inf"), 2 * WIDEST])
def test_no_noise_of_another_scale(sigma):
    with pytest.raises(ConfigError, match="sigma"):
        DiscreteGaussian(sigma)
