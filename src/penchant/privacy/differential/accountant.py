"""What releases cost, and the ledger that refuses one past its budget.

A discrete Gaussian of scale sigma on integers of L2 sensitivity D is rho-zCDP with
rho = D^2 / (2 sigma^2) (Canonne, Kamath, Steinke 2020, theorem 4); releases add their rho, also
when a later one depends on an earlier (Bun and Steinke 2016, lemma 7).
"""

import math
from dataclasses import dataclass, field

from penchant.errors import BudgetError, ConfigError
from penchant.privacy.differential.noise import VARIATION

CELLS = 2.0**32
"""Most cells of all releases of one ledger."""

_SAFE = 1 - 1e-9  # so that the rounding of floats cannot take the sum past the budget


def delta_at(rho: float, epsilon: float, order: float) -> float:
    """The delta of rho-zCDP at an epsilon, by the Renyi divergence of one order above 1.

    exp((a - 1)(a rho - epsilon)) / (a - 1) (1 - 1 / a)^a, Canonne et al. 2020, proposition 12.
    Here (a - 1)(a rho - epsilon) = 4 (2.5 - 4.5) = -8, and 1/4 (4/5)^5 = 0.08192:

    >>> round(delta_at(0.5, 4.5, 5.0) / math.exp(-8), 9)
    0.08192
    """
    return math.exp(min(0.0, _log_delta(rho, epsilon, order)))


def delta_of(rho: float, epsilon: float) -> float:
    """The least delta of rho-zCDP at an epsilon, over all orders.

    Each order gives a valid bound, so a search that ends early is still safe.

    >>> delta_of(0.5, 4.5) <= delta_at(0.5, 4.5, 5.0)
    True
    """
    if rho <= 0:
        return 0.0
    # the bound is quasi-convex in log(order - 1): golden section between bounds that hold its least
    low, high = math.log(1e-6), math.log(max(10.0, 10 * (epsilon + rho + 1) / rho))
    golden = (math.sqrt(5) - 1) / 2

    def value(place: float) -> float:
        return _log_delta(rho, epsilon, 1 + math.exp(place))

    for _ in range(100):
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if value(left) < value(right) else (left, high)
    return math.exp(min(0.0, value((low + high) / 2)))


def rho_of(epsilon: float, delta: float) -> float:
    """The most rho whose (epsilon, delta) is within these, from below.

    Raises ConfigError unless 0 < epsilon < inf and 0 < delta < 1.
    """
    check(epsilon, delta)
    low, high = 0.0, epsilon + 1.0  # rho >= epsilon has no delta below any constant of use
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(middle, epsilon) <= delta else (low, middle)
    return low * _SAFE


def sigma_of(sensitivity: float, rho: float) -> float:
    """The scale of noise that makes a release of this L2 sensitivity cost rho.

    >>> sigma_of(2.0, 0.5)
    2.0
    """
    return sensitivity / math.sqrt(2 * rho)


def check(epsilon: float, delta: float) -> None:
    """Raises ConfigError unless 0 < epsilon < inf and 0 < delta < 1 (NaN is neither)."""
    if not 0 < epsilon < math.inf:
        raise ConfigError(
            f"expected epsilon above 0 and finite, received {epsilon}; 0.5 to 8 are usual, and "
            "without privacy leave it out"
        )
    if not 0 < delta < 1:
        raise ConfigError(
            f"expected delta between 0 and 1, both excluded, received {delta}; take one well below "
            "1 / users, such as 1e-6"
        )


@dataclass
class Ledger:
    """The budget of one run and what has been spent of it.

    ``rho`` is what it can spend. Of delta, (1 + e^epsilon) times the total variation of the noise
    as it is drawn is set aside. Raises ConfigError for an epsilon or delta outside their
    intervals.
    """

    epsilon: float
    delta: float
    spent: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self.epsilon, self.delta)
        aside = CELLS * VARIATION * (1 + math.exp(min(self.epsilon, 700.0)))
        if aside >= self.delta / 2:
            raise ConfigError(
                f"expected a delta above {2 * aside:.1e}, half of it for the noise as drawn, "
                f"received epsilon {self.epsilon} and delta {self.delta}; take a smaller epsilon "
                "or a larger delta"
            )
        self.rho = rho_of(self.epsilon, self.delta - aside)

    def spend(self, name: str, rho: float) -> None:
        """Enter a release before it is made.

        Raises BudgetError where it would go past the budget, and ConfigError for a rho that is not
        above 0 and finite or a name that was entered before.
        """
        if not 0 < rho < math.inf:
            raise ConfigError(f"{name}: expected rho above 0 and finite, received {rho}")
        if name in self.spent:
            raise ConfigError(f"expected a release of another name, received {name!r} again")
        total = math.fsum((*self.spent.values(), rho))
        if total > self.rho * (1 + 1e-12):  # below what _SAFE leaves
            raise BudgetError(
                f"{name!r} would spend rho {rho:.3g}, {self.left:.3g} of {self.rho:.3g} is left "
                f"(epsilon {self.epsilon:g}, delta {self.delta:g}); release less, or fit anew with "
                "a larger epsilon"
            )
        self.spent[name] = rho

    @property
    def left(self) -> float:
        """What can still be spent, in rho."""
        return max(0.0, self.rho - math.fsum(self.spent.values()))

    def to_dict(self) -> dict[str, object]:
        """The ledger as JSON types."""
        return {
            "epsilon": self.epsilon,
            "delta": self.delta,
            "rho": self.rho,
            "spent": dict(self.spent),
        }


def _log_delta(rho: float, epsilon: float, order: float) -> float:
    less = order - 1
    return less * (order * rho - epsilon) - math.log(less) + order * math.log1p(-1 / order)
