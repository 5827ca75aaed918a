"""Privacy: forgetting with receipts; noise, a ledger and private fits; federated training.

receipts       what was erased, signed with a key that stands outside the run
forgetting     a run without a user, with what is fitted again; ``refitting``
erasure        one user out of runs, DATA, lists and stores
subject        all that is held about one user
attack         membership inference, by threshold and by shadows
noise          the discrete Gaussian from a secure generator
accountant     zCDP, its (epsilon, delta), and the ledger that refuses what goes past a budget
contributions  each user's clipped part in the sums: the sensitivity
release        noised sums and what is made of them
sgd            the deep expert by DP-SGD (torch, extra ``dp``)
fitting        a run with a budget, and what its guarantee covers
federated      training where the events are (Flower, extra ``federated``)
"""

from penchant.privacy.differential.accountant import Ledger
from penchant.privacy.differential.fit import fit_private

__all__ = ["Ledger", "fit_private"]
