"""What a release costs, against integrals; and the ledger that refuses."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from penchant.errors import BudgetError, ConfigError, PenchantError
from penchant.privacy.differential.accountant import (
    Ledger,
    check,
    delta_at,
    delta_of,
    rho_of,
    sigma_of,
)


@pytest.mark.parametrize(("rho", "epsilon"), [(0.01, 0.5), (0.1, 2.0), (0.5, 4.5), (1.0, 8.0)])
def test_delta_bounds_the_gaussian_mechanism_and_is_close(rho, epsilon):
    # the exact delta of Gaussian noise (Balle and Wang 2018, theorem 8)
    a = math.sqrt(2 * rho)  # D / sigma
    exact = stats.norm.cdf(a / 2 - epsilon / a) - math.exp(epsilon) * stats.norm.cdf(
        -a / 2 - epsilon / a
    )
    found = delta_of(rho, epsilon)
    assert exact <= found <= 10 * exact


def test_the_best_order_is_no_worse_than_any():
    for order in np.geomspace(1.001, 1000, 50):
        assert delta_of(0.2, 3.0) <= delta_at(0.2, 3.0, order) * (1 + 1e-9)


def test_it_is_no_worse_than_the_simple_conversion():
    rho, delta = 0.3, 1e-6
    simple = rho + 2 * math.sqrt(rho * math.log(1 / delta))  # Bun and Steinke 2016, prop. 1.3
    assert delta_of(rho, simple) < delta


@pytest.mark.parametrize("epsilon", [0.01, 0.5, 2.0, 8.0, 20.0])
@pytest.mark.parametrize("delta", [1e-9, 1e-6, 1e-2])
def test_rho_is_the_inverse(epsilon, delta):
    rho = rho_of(epsilon, delta)
    assert delta_of(rho, epsilon) <= delta
    assert delta_of(rho * 1.001, epsilon) > delta


def test_noise_of_a_cost():
    sigma = sigma_of(100.0, 0.02)
    assert 100.0**2 / (2 * sigma**2) == pytest.approx(0.02)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_epsilon_is_in_an_open_interval(epsilon):
    with pytest.raises(ConfigError, match="epsilon above 0 and finite"):
        Ledger(epsilon, 1e-6)


@pytest.mark.parametrize("delta", [0.0, 1.0, -1e-6, 2.0, math.nan, math.inf])
def test_delta_is_in_an_open_interval(delta):
    with pytest.raises(ConfigError, match="delta between 0 and 1"):
        check(1.0, delta)


def test_a_delta_below_what_the_noise_is_drawn_with_is_refused():
    with pytest.raises(ConfigError, match="expected a delta above"):
        Ledger(1.0, 1e-22)
    with pytest.raises(ConfigError, match="smaller epsilon"):
        Ledger(900.0, 1e-6)


def test_releases_add_up_to_the_budget_and_no_further():
    ledger = Ledger(2.0, 1e-6)
    for name, share in (("a", 0.1), ("b", 0.2), ("c", 0.7)):
        ledger.spend(name, ledger.rho * share)
    assert ledger.left == pytest.approx(0, abs=1e-12)
    assert delta_of(math.fsum(ledger.spent.values()), 2.0) <= 1e-6
    before = dict(ledger.spent)
    with pytest.raises(BudgetError, match=r"'d' would spend rho .* left"):
        ledger.spend("d", ledger.rho * 1e-6)
    assert ledger.spent == before
    assert issubclass(BudgetError, PenchantError)


@pytest.mark.parametrize("rho", [0.0, -0.1, math.nan, math.inf])
def test_a_release_costs_something(rho):
    with pytest.raises(ConfigError, match="rho above 0"):
        Ledger(1.0, 1e-6).spend("a", rho)


def test_a_release_is_entered_once():
    ledger = Ledger(1.0, 1e-6)
    ledger.spend("a", ledger.rho / 4)
    with pytest.raises(ConfigError, match="another name"):
        ledger.spend("a", ledger.rho / 4)


def test_a_ledger_is_json():
    ledger = Ledger(1.0, 1e-6)
    ledger.spend("a", ledger.rho / 2)
    assert json.loads(json.dumps(ledger.to_dict())) == {
        "epsilon": 1.0,
        "delta": 1e-6,
        "rho": ledger.rho,
        "spent": {"a": ledger.rho / 2},
    }
