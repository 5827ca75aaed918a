"""What encoders found in the items, as a catalogue keeps it: few directions, one row an item."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from penchant.errors import DataError
from penchant.storage.artifact import load_arrays, save_arrays
from penchant.types import Ints

Matrix = NDArray[np.float32]

_LEAST = 1e-6  # of the widest direction's variance: narrower ones are noise of the arithmetic


@dataclass(frozen=True)
class Feature:
    """One modality: vectors of length E, centered and projected onto D directions.

    rows    (N, D) float32; zero where the item has none
    center  mean of the vectors that it was fitted on, (E,)
    basis   the directions, (E, D)
    encoder which encoder made the vectors: what a new item is encoded with
    """

    rows: Matrix
    center: Matrix
    basis: Matrix
    encoder: str

    @classmethod
    def fit(
        cls, vectors: NDArray[np.floating], present: NDArray[np.bool_], width: int, encoder: str
    ) -> "Feature":
        """The widest directions of the vectors (N, E) that are present (Pearson 1901).

        At most ``width``, and no more than the vectors span. Their kernel is the nearest of that
        rank to that of the centered vectors.

        >>> v = np.array([[1.0, 5, 0], [3, 5, 0], [5, 5, 0], [9, 9, 9]])
        >>> feature = Feature.fit(v, np.array([True, True, True, False]), 8, "columns")
        >>> feature.basis.shape, np.abs(feature.rows.ravel()).tolist()
        ((3, 1), [2.0, 0.0, 2.0, 0.0])
        """
        some = np.asarray(vectors, np.float64)[present]
        center = some.mean(axis=0) if len(some) else np.zeros(vectors.shape[1])
        centered = some - center
        variance, directions = np.linalg.eigh(centered.T @ centered)
        order = np.argsort(-variance, kind="stable")[:width]
        order = order[variance[order] > _LEAST * max(float(variance.max(initial=0)), 1e-30)]
        basis = directions[:, order].astype(np.float32)
        empty = np.zeros((len(vectors), basis.shape[1]), np.float32)
        return cls(empty, center.astype(np.float32), basis, encoder).encode(vectors, present)

    def encode(self, vectors: NDArray[np.floating], present: NDArray[np.bool_]) -> "Feature":
        """The same directions, with the rows of the items that are present made of vectors (N, E).

        The rows of the others stay as they are.
        """
        rows = self.rows.copy()
        rows[present] = (np.asarray(vectors, np.float32)[present] - self.center) @ self.basis
        return Feature(rows, self.center, self.basis, self.encoder)

    def remapped(self, rows: Ints, items: int) -> "Feature":
        """The same feature in a larger catalogue: item i moves to row ``rows[i]``."""
        larger = np.zeros((items, self.rows.shape[1]), np.float32)
        larger[rows] = self.rows
        return Feature(larger, self.center, self.basis, self.encoder)


FILE = "features.safetensors"
_PARTS = ("rows", "center", "basis")


def save_features(features: Mapping[str, Feature], folder: Path) -> None:
    """Write the features of a catalogue beside its tables, rows in the order of identifiers."""
    arrays = {
        f"{name}/{part}": getattr(feature, part)
        for name, feature in features.items()
        for part in _PARTS
    }
    save_arrays(folder / FILE, arrays)


def load_features(folder: Path, encoders: Mapping[str, str], items: int) -> dict[str, Feature]:
    """Read the features that ``made`` names; DataError where they are not those of the items."""
    if not encoders:
        return {}
    arrays = load_arrays(folder / FILE)
    features = {}
    for name, encoder in encoders.items():
        rows, center, basis = (arrays[f"{name}/{part}"] for part in _PARTS)
        if len(rows) != items:
            raise DataError(
                f"{folder / FILE}: expected {items} rows of {name!r}, one for each item, "
                f"received {len(rows)}; remove the file, or save the run again"
            )
        features[name] = Feature(rows, center, basis, encoder)
    return features
