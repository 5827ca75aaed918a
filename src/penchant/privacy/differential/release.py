"""Releases: clipped sums with noise on every cell, and what is made of them.

What is read of the events is the sums of ``contributions`` and the smallest eigenvalue of G; both
enter the ledger. All after that is post-processing. The ridge adapts to the noise as in AdaSSP
(Wang 2018, algorithm 2): what the noise's norm exceeds a lower bound of that eigenvalue by.
"""

import math
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.sparse.linalg import svds

from penchant.config import PrivacySettings
from penchant.data.dataset import Catalogue, Dataset
from penchant.errors import ConfigError
from penchant.features.kernels import unit_content
from penchant.models.private import Private, ReleaseSettings
from penchant.privacy.differential.accountant import Ledger, sigma_of
from penchant.privacy.differential.contributions import (
    GRID,
    Contributions,
    counts,
    projected_sums,
    whole_sums,
)
from penchant.privacy.differential.noise import WIDEST, DiscreteGaussian, Source
from penchant.types import Floats, Ints

FINEST = 1 << 13
"""Units of a clipped norm at most: the more, the less is lost to rounding."""

MOST_ITEMS = 6000
"""For N x N cells; G and C take 16 N^2 bytes."""

_COUNT_BITS = 16


@dataclass(frozen=True)
class Budget:
    """Whom a release pays, and where its noise comes from.

    ``ledger`` is None for clipped sums without noise, which are not private: the end of a curve.
    """

    ledger: Ledger | None
    source: Source = os.urandom

    def rho(self, share: float) -> float:
        """A share of all that there is; infinite without a ledger."""
        return math.inf if self.ledger is None else self.ledger.rho * share

    def spend(self, name: str, rho: float) -> None:
        """Enter a release."""
        if self.ledger is not None:
            self.ledger.spend(name, rho)

    def noised(self, cells: Ints, sigma: float) -> Ints:
        """Integers plus noise, of any shape."""
        if not sigma:
            return cells
        noise = DiscreteGaussian(sigma, self.source).sample(cells.size)
        return cells + noise.reshape(cells.shape)


def units(rho: float) -> int:
    """In how many units a clipped norm is counted, by rho alone.

    Raises ConfigError where even one unit would need more noise than can be drawn.
    """
    if not math.isfinite(rho):
        return FINEST
    count = min(FINEST, int(WIDEST * math.sqrt(2 * rho)))
    if count < 1:
        raise ConfigError(
            f"expected a budget whose noise is below {WIDEST:g} times a whole user, received rho "
            f"{rho:.3g}; take a larger epsilon"
        )
    return count


def release(dataset: Dataset, settings: ReleaseSettings, budget: Budget) -> Private:
    """A private model of the dataset's events.

    Adding or removing a user, with all their events, changes its distribution by no more than the
    (epsilon, delta) of the ledger. Public are the catalogue with all contents, the settings, and
    whatever code ran: not the number of users or events.

    Raises ConfigError for data that the method cannot take, BudgetError where the ledger refuses.
    """
    privacy, catalogue = settings.privacy, dataset.catalogue
    if privacy.method != "popularity" and (dataset.time == "none" or dataset.domains_unordered):
        raise ConfigError(
            f"a private regression reads what follows what: expected events in one order, received "
            f"{dataset.name!r} with time {dataset.time!r} and domains "
            f"{', '.join(catalogue.domains)}; "
            "give its events a time, or take privacy.method=popularity"
        )
    acts = Contributions.of(dataset, settings.transition, privacy)
    share = {"mixture": privacy.share, "popularity": 1.0}.get(privacy.method, 0.0)
    popularity = _popularity(acts, len(catalogue), privacy, budget, share) if share else None
    if privacy.method == "popularity":
        return Private.of(catalogue, settings, counts=popularity)
    if privacy.method == "full":
        if len(catalogue) > MOST_ITEMS:
            raise ConfigError(
                f"expected up to {MOST_ITEMS:,} items for noise on all their pairs, received "
                f"{len(catalogue):,}; use privacy.method=projected or mixture"
            )
        F = None
    else:
        F = public_space(catalogue, privacy.dimensions)
    W = _regression(acts, F, len(catalogue), settings, budget, 1 - share)
    if F is None:
        return Private.of(catalogue, settings, left=W.astype(np.float32))
    left, right = (F @ W).astype(np.float32), np.ascontiguousarray(F.T, np.float32)
    return Private.of(catalogue, settings, left, right, popularity)


def public_space(catalogue: Catalogue, width: int) -> Floats:
    """Items as 1 and up to ``width`` principal directions of their contents, (N, d) float64.

    Directions are of equal variance over the catalogue, within [-8, 8] and on a grid of 2^-10.
    Raises ConfigError for items of which nothing is known.
    """
    rows = list(unit_content(catalogue).values())
    if not rows:
        raise ConfigError(
            "expected items with tags, columns or texts, between which a private regression runs; "
            "received none: describe the items, or use privacy.method=popularity"
        )
    both = [of if sparse.issparse(of) else sparse.csr_array(of) for of in rows]
    X = sparse.csr_array(sparse.hstack(both, format="csr"))
    X = X.toarray() if X.shape[1] <= 4096 else X
    if isinstance(X, np.ndarray):
        X = X - X.mean(axis=0)
        U, s, _ = np.linalg.svd(X, full_matrices=False)
    else:
        start = np.ones(min(X.shape))
        U, s, _ = svds(X, min(width, min(X.shape) - 1), v0=start)
        U, s = U[:, ::-1], s[::-1]
    kept = np.flatnonzero(s > 1e-6 * max(s.max(initial=0), 1e-12))[:width]
    scaled = np.clip(U[:, kept] * math.sqrt(len(U)), -8, 8)
    F = np.hstack([np.ones((len(U), 1)), scaled])
    found: Floats = np.rint(F * GRID) / GRID
    return found


def ridge(G: Floats, smallest: float, noise: float, share: float) -> float:
    """What the diagonal of a noised G (d, d) gains, in its units.

    ``smallest`` is a lower bound of the smallest eigenvalue without noise, and ``noise`` the scale
    of each cell's: a symmetric matrix of such cells has norm 2 noise sqrt(d), but for a little.

    >>> ridge(np.eye(4), 1.0, 2.0, 0.0)
    7.0
    """
    default = share * max(0.0, float(np.diag(G).mean()))
    return max(default, 2 * noise * math.sqrt(len(G)) - smallest, 1e-9)


def solve_ridge(G: Floats, C: Floats, start: float) -> Floats:
    """(G + ridge I)^-1 C, the ridge doubled from ``start`` until G is positive definite."""
    while True:
        try:
            factor = cho_factor(G + start * np.eye(len(G)), overwrite_a=True)
        except LinAlgError:
            start *= 2
            continue
        found: Floats = cho_solve(factor, C)
        return found


def _popularity(
    acts: Contributions, items: int, privacy: PrivacySettings, budget: Budget, share: float
) -> Ints:
    """Counts with noise on each, in 2^-16 events; what is below the noise counts as much as it."""
    rho = budget.rho(share)
    D = units(rho)
    sigma = sigma_of(D, rho) if math.isfinite(rho) else 0.0
    budget.spend("popularity", rho)
    noised = budget.noised(counts(acts, items, privacy, D), sigma)
    scale = privacy.clip / D * 2**_COUNT_BITS
    found: Ints = np.maximum(np.rint(np.maximum(noised, sigma) * scale), 1).astype(np.int64)
    return found


def _regression(
    acts: Contributions,
    F: Floats | None,
    items: int,
    settings: ReleaseSettings,
    budget: Budget,
    share: float,
) -> Floats:
    """B (N, N), or W (d, d) in the space of F."""
    privacy, transition = settings.privacy, settings.transition
    rho = budget.rho(share * (1 - privacy.floor))
    D = units(rho)
    sigma = sigma_of(D, rho) if math.isfinite(rho) else 0.0
    if F is None:
        upper, right = whole_sums(acts, items, transition, privacy, D)
    else:
        upper, right = projected_sums(acts, F, transition, privacy, D)
    d = len(upper)
    smallest = _smallest(upper, D, budget, share * privacy.floor)
    budget.spend("sums", rho)
    where: NDArray[np.bool_] = np.triu(np.ones((d, d), bool))
    upper[where] = budget.noised(upper[where], sigma)
    C = budget.noised(right, sigma) / D
    G = _mirrored(upper) / (D * privacy.balance)
    noise = sigma / (D * privacy.balance)
    smallest /= D * privacy.balance
    return solve_ridge(G, C, ridge(G, smallest, noise, privacy.ridge))


def _smallest(upper: Ints, D: int, budget: Budget, share: float) -> float:
    """A lower bound of G's smallest eigenvalue, in units, that holds but for one in a thousand.

    A user adds a symmetric matrix of Frobenius norm at most sqrt(2) D, for its upper triangle has
    at most D; so an eigenvalue moves by no more (Weyl). Rounding it to an integer, and the error
    of the float solver, are allowed one more unit each.
    """
    rho = budget.rho(share)
    if not math.isfinite(rho):
        return 0.0
    sensitivity = math.ceil(math.sqrt(2) * D) + 2
    room = int(WIDEST * math.sqrt(2 * rho))  # units of which the noise can be drawn
    if room < 2:
        return 0.0  # it could say nothing, and is not released
    coarse = math.ceil(sensitivity / (room - 1))
    sigma = sigma_of(math.ceil(sensitivity / coarse) + 1, rho)
    budget.spend("smallest eigenvalue", rho)
    least = float(np.linalg.eigvalsh(_mirrored(upper))[0])
    cell = budget.noised(np.array([math.floor(least / coarse)], np.int64), sigma)
    return max(0.0, (float(cell[0]) - 3 * sigma) * coarse)


def _mirrored(upper: Ints) -> Floats:
    """The whole of a symmetric matrix from its upper triangle."""
    half = upper.astype(np.float64)
    return half + np.triu(half, 1).T
