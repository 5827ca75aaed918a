"""What is known of users besides their events: attributes, as names that a model can count."""

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np

from penchant.config import UserSettings
from penchant.data.dataset import Dataset
from penchant.data.vocabulary import Vocabulary
from penchant.errors import ConfigError, unknown
from penchant.types import Ints

PROTECTED = (
    "age", "birth", "born", "gender", "sex", "pregnan", "race", "ethnic", "national", "religio",
    "faith", "politic", "union", "health", "disab", "disease", "diagnos", "medic", "orientation",
    "marital",
)  # fmt: skip
"""Beginnings of words that mark a column as protected: it is used where the recipe names it."""

MAX_CATEGORIES = 1000  # values of a column; one with more says nothing that others share
NUMBER = int, float, np.integer, np.floating
_FEW = 32  # numbers that are taken as they are


def select_attributes(dataset: Dataset, settings: UserSettings) -> tuple[Dataset, tuple[str, ...]]:
    """The dataset with the attributes and relations that the settings take, and what is left out.

    Raises ConfigError for a column that is not there, and for a protected one in ``attributes``
    that ``is_protected`` does not name.
    """
    columns, notes = dataset.attributes, []
    for name in {*(settings.attributes or ()), *settings.protected}:
        if name not in columns:
            raise unknown("column of users", name, columns)
    selected = list(settings.protected)
    for name in columns if settings.attributes is None else settings.attributes:
        if name in settings.protected:
            continue
        if is_protected(name):
            if settings.attributes is not None:
                raise ConfigError(
                    f"users.attributes: {name!r} is a protected attribute; to use it all the same, "
                    f"name it in users.protected"
                )
            notes.append(f"user column {name!r} is protected and not used; users.protected opts in")
        else:
            selected.append(name)
    names: list[str] = []
    for name in sorted(selected):
        values = {value for value in attribute_names(name, columns[name]) if value is not None}
        if len(values) > MAX_CATEGORIES:
            notes.append(f"user column {name!r} has {len(values)} different values and is not used")
        else:
            names += values
    catalogue = replace(dataset.catalogue, attributes=Vocabulary.of(names))
    relations = dataset.relations if settings.friends else dataset.relations[:0]
    return replace(dataset, catalogue=catalogue, relations=relations), tuple(notes)


def is_protected(column: str) -> bool:
    """Whether a column's name holds a word of what is protected.

    >>> [is_protected(name) for name in ("gender", "Age_band", "page", "is_pregnant", "country")]
    [True, True, False, True, False]
    """
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", column).lower())
    return any(word.startswith(PROTECTED) for word in words)


def attribute_names(column: str, cells: Any) -> list[str | None]:
    """Each cell as "column=value"; numbers of many values by quarters of an octave.

    >>> attribute_names("plan", ["free", None])
    ['plan=free', None]
    >>> attribute_names("spent", [float(n) for n in range(40)])[10:12]
    ['spent~2^3.25', 'spent~2^3.25']
    """
    numbers = {cell for cell in cells if isinstance(cell, NUMBER)}
    wide = len(numbers) > _FEW
    names: list[str | None] = []
    for cell in cells:
        if cell is None or cell != cell:
            names.append(None)
        elif wide and isinstance(cell, NUMBER):
            size, sign = abs(float(cell)), "-" if cell < 0 else ""
            octave = math.floor(4 * math.log2(size)) / 4 if size else "-inf"
            names.append(f"{column}~{sign}2^{octave}")
        else:
            names.append(f"{column}={cell}")
    return names


def attribute_rows(dataset: Dataset) -> tuple[Ints, Ints]:
    """Which user has which attribute of the catalogue: rows of users and of attributes, (n,) each.

    Attributes of users that the catalogue does not name are left out.
    """
    known = dataset.catalogue.attributes
    users, rows = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for column, cells in sorted(dataset.attributes.items()):
        if not any(name.startswith((f"{column}=", f"{column}~")) for name in known.ids):
            continue
        cell_rows = known.rows(name or "" for name in attribute_names(column, cells))
        users.append(np.flatnonzero(cell_rows >= 0))
        rows.append(cell_rows[cell_rows >= 0])
    return np.concatenate(users), np.concatenate(rows)
