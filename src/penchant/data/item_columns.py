"""Columns of a catalogue as rows: tags, categories, numbers, years and prices."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from numbers import Real
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from scipy import sparse
from scipy.stats import rankdata

from penchant.config import Settings
from penchant.data.hashing import hashes
from penchant.data.multihot import multihot
from penchant.data.vocabulary import Vocabulary
from penchant.errors import counted
from penchant.types import Floats

_BINNED = frozenset(
    ("year", "years", "date", "release", "released", "decade", "price", "prices", "cost", "fee")
)
_UNSHARED = 0.9  # the share of different values above which a column is no category ...
_FEW = 20  # ... unless it has no more of them than this


class ColumnSettings(Settings):
    """How columns become features.

    limit       different values up to which each has a feature of its own
    hashed      features that the values of a column of more share, by a hash
    bins        of equally many items, of years and prices
    binned      columns to bin besides those whose name speaks of a year, a date or a price
    categories  columns whose numbers are names
    seed        of the hash
    """

    limit: Annotated[int, Field(ge=1)] = 2000
    hashed: Annotated[int, Field(ge=2)] = 1024
    bins: Annotated[int, Field(ge=2)] = 10
    binned: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class ColumnFeatures:
    """Features of N items.

    rows   (N, F) float64; an item without a value has nothing in the features of that column
    names  of the F features: ``color=red``, ``year=1990..1994``, ``length:high``, ``actor#17``
    notes  what was left out, in words
    """

    rows: sparse.csr_array
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def encode_columns(
    columns: Mapping[str, Sequence[object]], settings: ColumnSettings | None = None
) -> ColumnFeatures:
    """Features of the items that have these values, N of them in each column; None is missing.

    Tags (lists) and categories are zeros and ones weighted by idf, those of an open-ended column
    hashed; so are the bins of years and prices. Other numbers are two features, the cosine and
    the sine of a quarter turn times the share of items below, so that a product of two items is
    one where they are equal and falls with their distance in rank. A column that says nothing,
    because all its values are equal or hardly any is shared, has no features.

    >>> found = encode_columns({"color": ["red", "blue", None], "minutes": [90, 120, 120]})
    >>> found.names
    ('color=blue', 'color=red', 'minutes:low', 'minutes:high')
    >>> found.rows.toarray().round(2).tolist()[2]
    [0.0, 0.0, 0.5, 0.87]
    """
    settings = settings or ColumnSettings()
    blocks: list[sparse.csr_array] = []
    names: list[str] = []
    notes: list[str] = []
    for name, values in columns.items():
        rows, of_column, note = _column(name, [_clean(value) for value in values], settings)
        blocks += [rows] if of_column else []
        names += of_column
        notes += [f"column {name!r}: {note}"] if note else []
    count = max((len(values) for values in columns.values()), default=0)
    rows = sparse.hstack(blocks, format="csr") if blocks else sparse.csr_array((count, 0))
    return ColumnFeatures(sparse.csr_array(rows), tuple(names), tuple(notes))


_EncodedColumn = tuple[sparse.csr_array, list[str], str]


def _column(name: str, values: list[Any], settings: ColumnSettings) -> _EncodedColumn:
    """Features of one column, their names, and what was left out."""
    present = [value for value in values if value is not None]
    numeric = [number for value in present if (number := _number(value)) is not None]
    words = set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()))
    binned = name in settings.binned or bool(words & _BINNED)
    real = all(isinstance(value, (float, date)) for value in present)
    named = name in settings.categories or not (real or binned)
    if named or len(numeric) <= len(present) / 2:
        return _values(name, values, settings)
    x = np.array([math.nan if v is None else _number(v) for v in values], np.float64)
    rows, names = _bins(name, x, settings.bins) if binned else _numbers(name, x)
    unread = len(present) - len(numeric)
    note = f"{counted(unread, 'value')} left out, not a number" if unread else _note(names)
    return rows, names, note


def _clean(value: object) -> Any:
    """A value as None, a string, a float, a date or a tuple of strings."""
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return tuple(sorted({str(v) for v in map(_clean, value) if v is not None})) or None
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (Real, Decimal)):
        number = float(value)
        return number if math.isfinite(number) else None
    if value is None or isinstance(value, date):
        return value
    return str(value) if str(value).strip() else None


def _number(value: Any) -> float | None:
    """A value as a number, a date as its year and the share of it that has passed."""
    if isinstance(value, str):
        try:
            number = float(value)
            return number if math.isfinite(number) else None
        except ValueError:
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return None
    if isinstance(value, date):
        return value.year + (value.timetuple().tm_yday - 1) / 366
    return value if isinstance(value, float) else None


def _numbers(name: str, x: Floats) -> tuple[sparse.csr_array, list[str]]:
    """Each number's share of numbers below it as an angle; x (N,), NaN where missing."""
    there = np.flatnonzero(~np.isnan(x))
    if len(np.unique(x[there])) < 2:
        return _nothing(len(x))
    angle = (rankdata(x[there]) - 0.5) / len(there) * (np.pi / 2)
    data = np.concatenate([np.cos(angle), np.sin(angle)])
    column = np.repeat([0, 1], len(there))
    rows = sparse.coo_array((data, (np.tile(there, 2), column)), shape=(len(x), 2))
    return rows.tocsr(), [f"{name}:low", f"{name}:high"]


def _bins(name: str, x: Floats, bins: int) -> tuple[sparse.csr_array, list[str]]:
    """Which quantile each number is in; numbers that are equal stay together."""
    there = np.flatnonzero(~np.isnan(x))
    edges = np.unique(np.quantile(x[there], np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, x[there], side="right")
    used, column = np.unique(place, return_inverse=True)
    if len(used) < 2:
        return _nothing(len(x))
    members = [x[there][column == bin_] for bin_ in range(len(used))]
    names = [f"{name}={_short(values.min())}..{_short(values.max())}" for values in members]
    return multihot(there, column.astype(np.int64), (len(x), len(used))), names


def _values(name: str, values: list[Any], settings: ColumnSettings) -> _EncodedColumn:
    """A feature for each value, or for each slot of a hash where there are many values."""
    sets = [
        () if value is None else value if isinstance(value, tuple) else (_text(value),)
        for value in values
    ]
    given = [value for of_item in sets for value in of_item]
    row = np.repeat(np.arange(len(sets)), [len(of_item) for of_item in sets])
    vocabulary = Vocabulary.of(given)
    column = vocabulary.rows(given)
    if len(vocabulary) < 2:
        return *_nothing(len(values)), _note([])
    if len(vocabulary) > max(_UNSHARED * len(given), _FEW):
        return *_nothing(len(values)), "left out, hardly any of its values is shared"
    names = [f"{name}={value}" for value in vocabulary.ids]
    if len(vocabulary) > settings.limit:
        slots = hashes(f"column {name}", vocabulary.ids, settings.seed) % np.uint64(settings.hashed)
        pairs = np.unique(np.stack([row, slots.astype(np.int64)[column]]), axis=1)
        row, column = pairs[0], pairs[1]
        names = [f"{name}#{slot}" for slot in range(settings.hashed)]
    return multihot(row, column, (len(values), len(names))), names, ""


def _nothing(items: int) -> tuple[sparse.csr_array, list[str]]:
    return sparse.csr_array((items, 0)), []


def _note(names: list[str]) -> str:
    return "" if names else "left out, it does not tell items apart"


def _text(value: Any) -> str:
    return _short(value) if isinstance(value, float) else str(value)


def _short(number: float) -> str:
    return f"{number:.12g}"
