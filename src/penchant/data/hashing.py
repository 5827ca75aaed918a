"""Seeded choices that depend on identifiers alone, never on who else is in the data."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from penchant.types import Floats

Hashes = NDArray[np.uint64]


def hashes(kind: str, ids: Sequence[str], seed: int) -> Hashes:
    """A 64-bit hash of (seed, kind, id) for each id, (len(ids),); the same on every machine.

    ``kind`` keeps choices apart: a user's hash as "share" says nothing about it as "cold-user".

    >>> hashes("user", ["a"], 0) == hashes("user", ["b", "a"], 0)[1:]
    array([ True])
    """
    salt = f"{seed}\0{kind}\0".encode()
    digests = b"".join(
        blake2b(salt + name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for name in ids
    )
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def mix(a: Hashes, b: Hashes) -> Hashes:
    """One hash of two, element by element (the finalizer of splitmix64, Steele et al. 2014)."""
    x = a * np.uint64(0x9E3779B97F4A7C15) + b
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(hashed: Hashes) -> Floats:
    """Hashes as numbers in [0, 1)."""
    return (hashed >> np.uint64(11)).astype(np.float64) / float(1 << 53)
