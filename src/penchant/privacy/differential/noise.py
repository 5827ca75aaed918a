"""The discrete Gaussian, drawn from a secure generator by its distribution function.

P(k) is proportional to exp(-k^2 / (2 sigma^2)) on the integers (Canonne, Kamath, Steinke 2020).
Their rejection sampler draws tens of random integers a sample; a release has millions of cells. So
one uniform integer of 128 bits is looked up among integer thresholds made in 256-bit arithmetic:
as quick as one search, without a float in the draw. It differs from the discrete Gaussian by at
most ``VARIATION`` in total variation a cell, and the ledger takes that off delta.
"""

import os
from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import lru_cache
from math import ceil, log, sqrt

import numpy as np
from numpy.typing import NDArray

from penchant.errors import ConfigError
from penchant.types import Ints

Source = Callable[[int], bytes]
"""Gives so many random bytes; the system's own, but in tests."""

VARIATION = 2.0**-107
"""Total variation of one sample.

With M + 1 <= 2^18 thresholds, each within 2^-127 of the distribution function (2^-128 by rounding
down, and less by the 256-bit arithmetic, whose error after k steps is below (k + 1)^2 2^-255), the
sum of all cells' errors is at most (M + 1) 2^-126; what lies beyond M has mass below 2^-130.
"""

WIDEST = 2.0**14
"""The largest sigma whose table is made: its M is below 2^18."""

_BITS = 128
_FINE = 256
_BLOCK = 1 << 20


class DiscreteGaussian:
    """Samples of the discrete Gaussian with a given sigma (of the continuous one it resembles).

    Raises ConfigError for a sigma outside (0, 2^14].

    >>> zeros = DiscreteGaussian(0.01).sample(3)  # any other value has mass below e^-4999
    >>> zeros.tolist()
    [0, 0, 0]
    """

    def __init__(self, sigma: float, source: Source = os.urandom) -> None:
        if not 0 < sigma <= WIDEST:
            raise ConfigError(
                f"expected sigma in (0, {WIDEST:g}], received {sigma}; scale the sums"
            )
        self.sigma, self.source = sigma, source
        self.high, self.low = _thresholds(sigma)

    def sample(self, count: int) -> Ints:
        """Independent samples, (count,) int64."""
        found = np.empty(count, np.int64)
        for start in range(0, count, _BLOCK):
            part = found[start : start + _BLOCK]
            size = self._magnitudes(len(part))
            raw = np.frombuffer(self.source((len(part) + 7) // 8), np.uint8)
            minus = np.unpackbits(raw, count=len(part)).view(np.bool_)
            part[:] = np.where(minus, -size, size)
        return found

    def _magnitudes(self, count: int) -> Ints:
        """|Y|: how many thresholds are at most U; the lower half of U is drawn where it decides."""
        if not len(self.high):  # sigma is so small that every other value has mass below 2^-256
            return np.zeros(count, np.int64)
        upper: NDArray[np.uint64] = np.frombuffer(self.source(8 * count), np.uint64)
        size: Ints = np.searchsorted(self.high, upper, "right").astype(np.int64)
        for at in np.flatnonzero(self.high[np.maximum(size - 1, 0)] == upper):
            lower = int.from_bytes(self.source(8), "little")
            while size[at] > 0:
                last = size[at] - 1
                if self.high[last] < upper[at] or int(self.low[last]) <= lower:
                    break
                size[at] = last
        return size


@lru_cache(maxsize=4)
def _thresholds(sigma: float) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """2^128 P(|Y| <= k) for k = 0 .. M - 1, rounded down: the upper and the lower 64 bits.

    exp(-k^2 / (2 sigma^2)) is the last one times r_k, and r_k the last one times exp(-1 / sigma^2).
    """
    most = max(1, ceil(sigma * sqrt(2 * 131 * log(2))))
    with localcontext() as context:
        context.prec = 100
        square = Decimal(sigma) ** 2
        one = Decimal(1 << _FINE)
        ratio = int(one * (-1 / (2 * square)).exp())
        step = int(one * (-1 / square).exp())
    mass, sums = 1 << _FINE, [1 << _FINE]
    for _ in range(most):
        mass = (mass * ratio) >> _FINE
        ratio = (ratio * step) >> _FINE
        sums.append(sums[-1] + 2 * mass)
    whole = sums.pop()
    found = [(each << _BITS) // whole for each in sums if each < whole]
    high = np.array([each >> 64 for each in found], np.uint64)
    return high, np.array([each & (1 << 64) - 1 for each in found], np.uint64)
