"""Privacy: noise, a ledger, releases, private fits; forgetting; federated training.

noise          the discrete Gaussian from a secure generator
accountant     zCDP, its (epsilon, delta), and the ledger that refuses what goes past a budget
contributions  each user's clipped part in the sums: the sensitivity
release        noised sums and what is made of them
sgd            the deep expert by DP-SGD (torch, extra ``dp``)
fitting        a run with a budget, and what its guarantee covers
"""

from penchant.privacy.accountant import Ledger
from penchant.privacy.fitting import fit_private

__all__ = ["Ledger", "fit_private"]
