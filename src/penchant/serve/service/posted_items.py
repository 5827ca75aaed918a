"""Items as they are posted: columns and cells that a catalogue can take."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np

from penchant.data.dataset import Catalogue, Dataset
from penchant.data.io.from_columns import from_columns
from penchant.errors import DataError
from penchant.recommendation.rerank.filters import missing

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ -]{0,99}")
_TAKEN = {"row", "file_row_number"}
_TEXTS = {"item", "domain", "title", "description", "available_from", "available_until"}


def columns_of(dataset: Dataset, items: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Items, each a mapping of columns to cells, as columns of a dataset's catalogue."""
    names = list(dict.fromkeys(name for one in items for name in one))
    columns = {name: [one.get(name) for one in items] for name in names}
    if "domain" in columns and len(dataset.catalogue.domains) == 1:
        only = dataset.catalogue.domains[0]
        columns["domain"] = [cell or only for cell in columns["domain"]]
    return columns


def new_items(dataset: Dataset, items: Sequence[Mapping[str, Any]]) -> Dataset:
    """Items without events, to be merged into a dataset.

    Raises DataError for a column that the catalogue cannot take, with its name.
    """
    columns = columns_of(dataset, items)
    _check(dataset.catalogue, columns)
    try:
        return from_columns(
            [],
            [],
            items=columns,
            time=dataset.time,
            target=dataset.target,
            behaviors=dataset.catalogue.behaviors,
            name=dataset.name,
        )
    except duckdb.Error as error:
        raise DataError(f"items cannot be read: {str(error).splitlines()[0]}") from error


def _check(catalogue: Catalogue, columns: Mapping[str, Sequence[Any]]) -> None:
    """Names that no other is mistaken for, and cells of one kind in each column."""
    known = {name.lower(): name for name in (*catalogue.columns, *_TEXTS, "tags")}
    for name, cells in columns.items():
        if not _NAME.fullmatch(name) or name in _TAKEN:
            raise DataError(
                f"column {name!r}: expected a name of letters, digits, _, - and spaces, from a "
                "letter or _ on"
            )
        if (other := known.setdefault(name.lower(), name)) != name:
            raise DataError(f"column {name!r}: expected it as {other!r}, which there is already")
        kinds = {_kind(cell) for cell in cells if not missing(cell)}
        kinds |= {_kind(cell) for cell in catalogue.columns.get(name, ()) if not missing(cell)}
        if name in _TEXTS:
            kinds.add("text")
        if len(kinds) > 1:
            raise DataError(
                f"column {name!r}: expected one kind of cells, received {join_kinds(kinds)}"
            )


def join_kinds(kinds: set[str]) -> str:
    """Kinds in words, in order."""
    return " and ".join(sorted(kinds))


def _kind(cell: Any) -> str:
    if isinstance(cell, bool | np.bool_):
        return "true or false"
    if isinstance(cell, int | float | Decimal | np.number):
        return "numbers"
    return "text" if isinstance(cell, str) else type(cell).__name__
