"""Write a dataset as a DATA directory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from penchant.config import parse
from penchant.data.dataset import Behavior, Dataset, Events
from penchant.data.io.assembler import TOKEN_PREFIXES
from penchant.data.io.layout import TABLES, DatasetSettings, write_directory
from penchant.data.item_features import save_features
from penchant.data.readers.column_mapping import BehaviorSettings
from penchant.storage.database import Columns, column_list, connect, create_table
from penchant.types import Ints, TimeKind


def write(
    directory: str | Path,
    events: Columns,
    *,
    items: Columns | None = None,
    users: Columns | None = None,
    relations: Columns | None = None,
    test: Columns | None = None,
    name: str | None = None,
    time: TimeKind | None = None,
    target: str | None = None,
    protocol: str | None = None,
    behaviors: Sequence[Behavior] = (),
) -> Path:
    """Write columns as a DATA directory; timestamps keep their unit, which ``load`` detects."""
    database = connect()
    queries = {}
    for table, columns in zip(TABLES, (events, items, users, relations, test), strict=True):
        if columns is not None:
            create_table(database, table, columns)
            queries[table] = f"select {column_list(columns)} from {table} order by row"
    strengths = {b.name: {"strength": b.strength, "polarity": b.polarity} for b in behaviors}
    content = {
        "name": name or Path(directory).resolve().name,
        "time": time,
        "target": target,
        "protocol": protocol,
        "behaviors": strengths,
    }
    settings = parse(DatasetSettings, content, "write")
    return write_directory(database, Path(directory), queries, settings)


def save(dataset: Dataset, directory: str | Path) -> Path:
    """Write a dataset as a DATA directory that ``load`` reads as the same dataset.

    Source rows are numbered anew from 0, in their order.
    """
    database = connect()
    catalogue, events = dataset.catalogue, dataset.events
    named = {
        "events": _event_columns(dataset, events),
        "items": {
            "item": catalogue.items.ids,
            "domain": [catalogue.domains[d] if d >= 0 else None for d in catalogue.domain],
            **({"title": catalogue.titles} if catalogue.titles else {}),
            **({"tags": catalogue.tags} if catalogue.tags else {}),
            **catalogue.columns,
        },
        "users": {"user": dataset.users.ids, **dataset.attributes},
    }
    if len(dataset.relations):
        who, friend = (_names(dataset.users.ids, rows) for rows in dataset.relations.T)
        named["relations"] = {"user": who, "friend": friend}
    if dataset.held_out is not None:
        named["test"] = _event_columns(dataset, dataset.held_out)
    queries = {}
    for table, columns in named.items():
        create_table(database, table, columns)
        queries[table] = f"select {column_list(columns)} from {table} order by row"
    settings = DatasetSettings(
        name=dataset.name,
        time=dataset.time,
        unit="ms" if dataset.time == "clock" else None,
        target=dataset.target,
        protocol=dataset.protocol,
        behaviors={
            b.name: BehaviorSettings(strength=b.strength, polarity=b.polarity)
            for b in catalogue.behaviors
        },
        features={name: feature.encoder for name, feature in catalogue.features.items()},
        counted=catalogue.counted,
    )
    folder = write_directory(database, Path(directory), queries, settings)
    if catalogue.features:
        save_features(catalogue.features, folder)
    dataset.tombstones.write(folder)
    return folder


def _event_columns(dataset: Dataset, events: Events) -> dict[str, Any]:
    """Columns of events with their identifiers, in order of the source's rows.

    The words of a query, which have one source row, are one query again.
    """
    catalogue = dataset.catalogue
    events = events.take(np.argsort(events.row, kind="stable"))
    changes = np.diff(events.row, prepend=-1) | np.diff(events.user, prepend=-1)
    first = np.flatnonzero(changes | (events.item >= 0))
    ends = np.append(first, len(events))[1:].tolist()
    tokens = _names(catalogue.tokens.ids, events.token)
    about = [tokens[at] for at in first.tolist()]
    for place, (at, end) in enumerate(zip(first.tolist(), ends, strict=True)):
        if end > at + 1:
            word = len(TOKEN_PREFIXES["query"])
            about[place] = TOKEN_PREFIXES["query"] + " ".join(
                str(name)[word:] for name in tokens[at:end]
            )
    events = events.take(first)
    columns: dict[str, Any] = {
        "user": _names(dataset.users.ids, events.user),
        "item": _names(catalogue.items.ids, events.item),
        "behavior": _names([b.name for b in catalogue.behaviors], events.behavior),
        "domain": _names(catalogue.domains, events.domain),
        "timestamp": events.time,
        "value": events.value,
    }
    for column, prefix in TOKEN_PREFIXES.items():
        mine = [t[len(prefix) :] if t and t.startswith(prefix) else None for t in about]
        if any(mine):
            columns[column] = mine
    return columns


def _names(names: Sequence[str], rows: Ints) -> list[str | None]:
    return [names[row] if row >= 0 else None for row in rows]
