"""Splits: what is fitted, what is asked, what is the truth."""

from collections.abc import Callable, Sequence

import numpy as np

from penchant.data.dataset import Dataset
from penchant.data.hashing import hashes, uniform
from penchant.data.splitting import protocols
from penchant.data.splitting.cases import Cases, Split
from penchant.data.splitting.leakage import check_leakage
from penchant.errors import DataError, unknown
from penchant.types import Ints

__all__ = ["PROTOCOLS", "Cases", "Split", "check_leakage", "split", "validation_part"]

PROTOCOLS: dict[str, Callable[[Dataset, int], Split]] = {
    "leave-one-out": lambda dataset, seed: protocols.leave_one_out(dataset),
    protocols.LEAVE_ONE_NEW_OUT: lambda dataset, seed: protocols.leave_one_new_out(dataset),
    "leave-one-out-per-domain": lambda dataset, seed: protocols.leave_one_out_per_domain(dataset),
    "time": lambda dataset, seed: protocols.time_split(dataset),
    "given": lambda dataset, seed: protocols.given(dataset),
    "random-per-domain": protocols.random_per_domain,
    "cold-item": protocols.cold_item,
    "cold-user": protocols.cold_user,
}


def split(dataset: Dataset, protocol: str | None = None, seed: int = 0) -> Split:
    """Split by a protocol, and prove that nothing leaks.

    Parameters
    ----------
    dataset
        The events to split.
    protocol
        One of ``PROTOCOLS`` (default: the dataset's); the functions of
        ``penchant.data.splitting.protocols`` say what each one holds out.
    seed
        Of the protocols that draw items or users.

    Returns
    -------
    Split
        Training events, validation cases and test cases.

    Raises
    ------
    ConfigError
        For a protocol that is not known or does not suit the dataset's times.
    DataError
        Where nothing is left to test, or a held-out event leaks into training.
    """
    name = protocol or dataset.protocol
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS)
    result = PROTOCOLS[name](dataset, seed)
    if not len(result.test.truth):
        raise DataError(
            f"protocol {name!r} finds nobody to test in {dataset.name!r}: expected users with "
            f"enough events of {dataset.target!r}, received {len(dataset.events)} events of "
            f"{len(dataset.users)} users; choose another protocol or target"
        )
    check_leakage(result, dataset)
    return result


def validation_part(users: Sequence[str], seed: int = 0) -> Ints:
    """Which part of validation each user serves, (len(users),).

    0 settings (half), 1 fusion (30 %), 2 calibration (20 %), by a hash of (seed, user id): nobody's
    part moves when others join.

    >>> both = validation_part(["ann", "bo", "cy"], seed=1)
    >>> both[:2].tolist() == validation_part(["ann", "bo"], seed=1).tolist()
    True
    """
    place = uniform(hashes("share", users, seed))
    return np.searchsorted([0.5, 0.8], place, "right").astype(np.int64)
