"""Columns in memory as a dataset."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from penchant.config import parse
from penchant.data.dataset import Behavior, Dataset
from penchant.data.io.columns import assemble, name_columns
from penchant.data.io.layout import DatasetSettings
from penchant.errors import DataError
from penchant.storage.database import Columns, connect, create_table
from penchant.types import TimeKind


def from_columns(
    user: Sequence[Any],
    item: Sequence[Any],
    behavior: Sequence[str] | str | None = None,
    timestamp: Sequence[Any] | None = None,
    value: Sequence[float | None] | None = None,
    domain: Sequence[str] | str | None = None,
    *,
    items: Columns | None = None,
    users: Columns | None = None,
    relations: Columns | None = None,
    time: TimeKind | None = None,
    target: str | None = None,
    protocol: str | None = None,
    behaviors: Sequence[Behavior] = (),
    name: str = "in memory",
) -> Dataset:
    """Make a dataset of columns in memory, checked as strictly as files are.

    Parameters
    ----------
    user, item
        Identifiers of each of E events, (E,).
    behavior, domain
        Of each event, (E,), or one text for all.
    timestamp
        Of each event, (E,): numbers in s, ms, us or ns, ISO text or datetimes; None where missing.
    value
        Of each event, such as a rating or a price, (E,); None where missing.
    items
        Columns of the items by name: ``item``, and ``title``, ``tags`` or others.
    users
        Columns of the users by name: ``user``, and their attributes.
    relations
        Columns ``user`` and ``friend``: the first has the second for a friend.
    time
        "clock", "order" within a domain, or "none"; default: what the timestamps allow.
    target
        The behavior to predict; default: inferred, with a note.
    protocol
        How events are held out, such as "leave-one-out"; default: what suits the data.
    behaviors
        Behaviors with a strength or polarity of their own.
    name
        Of the dataset, in messages and reports.

    Returns
    -------
    Dataset
        The events in order of time, items and users; ``notes`` say what was inferred.

    Raises
    ------
    DataError
        For a wrong length, a missing identifier or a NaN time, with its row and column.

    Examples
    --------
    >>> data = from_columns(["u", "u"], ["b", "a"], timestamp=[1700000050, 1700000000])
    >>> [data.catalogue.items.ids[i] for i in data.events.item]
    ['a', 'b']
    """
    columns: dict[str, Any] = {"user": user, "item": item}
    for key, given in (("behavior", behavior), ("domain", domain)):
        if given is not None:
            columns[key] = [given] * len(user) if isinstance(given, str) else given
    if timestamp is not None:
        columns["timestamp"] = timestamp
    if value is not None:
        columns["value"] = value
    for key, cells in columns.items():
        _check_cells(key, cells)
    database = connect()
    create_table(database, "events source", columns)
    name_columns(database, "events", '"events source"', "events")
    tables = ("items", items), ("users", users), ("relations", relations)
    for table, further in tables:
        if further is not None:
            create_table(database, f"{table} source", further)
            name_columns(database, table, f'"{table} source"', table)
    strengths = {b.name: {"strength": b.strength, "polarity": b.polarity} for b in behaviors}
    declared = {"time": time, "target": target, "protocol": protocol, "behaviors": strengths}
    settings = parse(DatasetSettings, declared, "from_columns")
    return assemble(database, name, settings, [], name)


def _check_cells(column: str, cells: Any) -> None:
    identifiers = column not in ("timestamp", "value")
    expected = "text or a whole number" if identifiers else "a time or None"
    if isinstance(cells, np.ndarray) and (cells.ndim != 1 or cells.dtype.kind in "iubMUT"):
        return
    if column == "value":
        expected = "a finite number, NaN or None"
    for row, cell in enumerate(cells):
        number = isinstance(cell, float | np.floating)
        bad = (
            (number or cell is None or cell == "")
            if identifiers
            else (number and (np.isinf(cell) or (np.isnan(cell) and column == "timestamp")))
            or (column == "value" and isinstance(cell, str))
        )
        if bad:
            raise DataError(
                f"row {row} of column {column!r}: expected {expected}, received {cell!r}; "
                "correct or remove the row"
            )
