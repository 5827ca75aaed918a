"""DATA directories: written by ``ingest`` or from columns, read as a ``Dataset``."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from penchant.config import CleaningSettings, parse
from penchant.data.cleaning import clean
from penchant.data.database import (
    Columns,
    Connection,
    connect,
    exists,
    identifier,
    listing,
    literal,
    register,
    types,
    write_parquet,
)
from penchant.data.dataset import Behavior, Dataset, Events, Ints, TimeKind
from penchant.data.directory import TABLES, DatasetSettings, write_directory
from penchant.data.encode import TOKENS
from penchant.data.enriched import joined, read_enriched
from penchant.data.features import load_features, save_features
from penchant.data.impressions import selected
from penchant.data.keyed import Key, key_of
from penchant.data.mapping import KNOWN, BehaviorSettings, DataMapping, read_toml
from penchant.data.pseudonyms import pseudonymise
from penchant.data.report import CleaningReport
from penchant.data.sources import read_sources
from penchant.data.tables import TEXT, assemble, name_columns
from penchant.data.tombstones import Tombstones, read_tombstones
from penchant.errors import DataError

MEDIA = ("image", "audio")
"""Columns of items that hold paths: in a DATA directory relative to it, unless absolute."""

__all__ = ["ingest", "load", "save", "write", "write_parquet"]


def ingest(
    events_path: str | Path | None,
    out: str | Path,
    items: str | Path | None = None,
    users: str | Path | None = None,
    relations: str | Path | None = None,
    mapping: str | Path | DataMapping | None = None,
    settings: CleaningSettings | None = None,
    strict: bool = False,
    encoding: str | None = None,
    impressions: str | Path | None = None,
    pseudonyms: Key | None = None,
    tombstones: Tombstones | None = None,
    key: Key | None = None,
) -> CleaningReport:
    """Read raw files, clean them and write a DATA directory.

    With ``pseudonyms`` user ids become keyed digests. The rows of users whom ``tombstones`` name,
    and those that stand in the directory, are dropped: that takes the ``key`` of these.

    ``events_path`` is a file, or a folder in which the mapping's tables name their files; None
    where there are ``items`` alone, to update a run with. Raises
    DataError where the input cannot be read, and StrictError, before anything is written, where
    ``strict`` is set and a rule found something.
    """
    if mapping is None or isinstance(mapping, str | Path):
        mapping = DataMapping() if mapping is None else DataMapping.load(mapping)
    given = {"items": items, "users": users, "relations": relations, "impressions": impressions}
    database = connect()
    path = None if events_path is None else Path(events_path)
    sources = read_sources(
        database,
        path,
        {table: Path(file) for table, file in given.items() if file is not None},
        mapping,
        encoding=encoding,
    )
    if pseudonyms is not None:
        pseudonymise(database, sources, pseudonyms)
    there = read_tombstones(out) if Path(out).is_dir() else Tombstones()
    stones = there.joined(tombstones or Tombstones())
    forgotten = partial(stones.among, key=key or key_of()) if stones else None
    report = clean(database, sources, settings or CleaningSettings(), strict, forgotten)
    if path is not None and not report.rows_out:
        raise DataError(
            f"{path}: expected events to remain after cleaning, received none of "
            f"{report.rows_in} rows: {'; '.join(map(str, report.findings))}"
        )
    kept = [n for n in KNOWN["events"] if n not in ("timestamp", "value", "session", "event_id")]
    used = sources.columns["events"]
    columns = [n for n in kept if n in (*TEXT[:2], "behavior", "domain") or n in used]
    query = f"select {listing(columns)}, time as timestamp"
    query += "".join(f", {name}" for name in ("value", "session", "event_id") if name in used)
    queries = {"events": f"{query} from events order by row"}
    for table in ("items", "users", "relations"):
        if exists(database, table):
            if table == "items":
                home = Path(items or events_path or ".")
                _rebased(database, home if home.is_dir() else home.parent, Path(out))
            names = [name for name in types(database, table) if name != "row"]
            queries[table] = f"select {listing(names)} from {table} order by row"
    if exists(database, "impressions"):
        queries["impressions"] = selected(sources.columns["impressions"])
    kind = sources.time.kind
    dataset = DatasetSettings(
        name=mapping.name or Path(out).resolve().name,
        time=kind,
        unit="ms" if kind == "clock" else None,
        protocol=mapping.protocol,
        target=mapping.target,
        behaviors=mapping.behaviors,
    )
    write_directory(database, Path(out), queries, dataset)
    stones.write(out)
    return report


def _rebased(database: Connection, home: Path, out: Path) -> None:
    """Paths that stood relative to the items' file, relative to the DATA directory."""
    prefix = literal(os.path.relpath(home, out) + "/")
    for name in {*MEDIA} & {*types(database, "items")}:
        cell = identifier(name)
        database.execute(
            f"update items set {cell} = {prefix} || {cell} where not starts_with({cell}, '/')"
        )


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
            register(database, table, columns)
            queries[table] = f"select {listing(columns)} from {table} order by row"
    declared = {b.name: {"strength": b.strength, "polarity": b.polarity} for b in behaviors}
    found = {
        "name": name or Path(directory).resolve().name,
        "time": time,
        "target": target,
        "protocol": protocol,
        "behaviors": declared,
    }
    settings = parse(DatasetSettings, found, "write")
    return write_directory(database, Path(directory), queries, settings)


def save(dataset: Dataset, directory: str | Path) -> Path:
    """Write a dataset as a DATA directory that ``load`` reads as the same dataset.

    Source rows are numbered anew from 0, in their order.
    """
    database = connect()
    catalogue, events = dataset.catalogue, dataset.events
    named = {
        "events": _named(dataset, events),
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
        named["test"] = _named(dataset, dataset.held_out)
    queries = {}
    for table, columns in named.items():
        register(database, table, columns)
        queries[table] = f"select {listing(columns)} from {table} order by row"
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
        features={name: feature.made for name, feature in catalogue.features.items()},
        counted=catalogue.counted,
    )
    folder = write_directory(database, Path(directory), queries, settings)
    if catalogue.features:
        save_features(catalogue.features, folder)
    dataset.tombstones.write(folder)
    return folder


def _named(dataset: Dataset, events: Events) -> dict[str, Any]:
    """Columns of events with their identifiers, in order of the source's rows.

    The words of a query, which have one source row, are one query again.
    """
    catalogue = dataset.catalogue
    events = events.take(np.argsort(events.row, kind="stable"))
    apart = np.diff(events.row, prepend=-1) | np.diff(events.user, prepend=-1)
    first = np.flatnonzero(apart | (events.item >= 0))
    ends = np.append(first, len(events))[1:].tolist()
    every = _names(catalogue.tokens.ids, events.token)
    about = [every[at] for at in first.tolist()]
    for place, (at, end) in enumerate(zip(first.tolist(), ends, strict=True)):
        if end > at + 1:
            word = len(TOKENS["query"])
            about[place] = TOKENS["query"] + " ".join(str(name)[word:] for name in every[at:end])
    events = events.take(first)
    columns: dict[str, Any] = {
        "user": _names(dataset.users.ids, events.user),
        "item": _names(catalogue.items.ids, events.item),
        "behavior": _names([b.name for b in catalogue.behaviors], events.behavior),
        "domain": _names(catalogue.domains, events.domain),
        "timestamp": events.time,
        "value": events.value,
    }
    for column, prefix in TOKENS.items():
        mine = [t[len(prefix) :] if t and t.startswith(prefix) else None for t in about]
        if any(mine):
            columns[column] = mine
    return columns


def _names(names: Sequence[str], rows: Ints) -> list[str | None]:
    return [names[row] if row >= 0 else None for row in rows]


def load(path: str | Path) -> Dataset:
    """Read a DATA directory; what dataset.toml leaves open is inferred and noted.

    A missing time sorts first, as the oldest. Raises DataError where files, columns or cells are
    missing, and ConfigError where dataset.toml says something that is not known.
    """
    folder = Path(path)
    if not (folder / "events.parquet").is_file():
        raise DataError(
            f"expected a DATA directory with events.parquet at {folder}, received "
            f"{'a directory without it' if folder.is_dir() else 'no directory'}; penchant ingest "
            "makes one from raw files"
        )
    settings, notes = DatasetSettings(), []
    described = folder / "dataset.toml"
    if described.is_file():
        settings = parse(DatasetSettings, read_toml(described, "dataset.toml"), str(described))
    else:
        notes.append("no dataset.toml: time, target and protocol are inferred")
    database = connect()
    for table in TABLES:
        file = folder / f"{table}.parquet"
        if file.is_file():
            _scan(database, table, file)
    name = settings.name or folder.resolve().name
    dataset = assemble(database, name, settings, notes, str(folder))
    features = load_features(folder, settings.features, len(dataset.catalogue))
    columns = {
        name: _rooted(cells, folder) if name in MEDIA else cells
        for name, cells in dataset.catalogue.columns.items()
    }
    catalogue = replace(
        dataset.catalogue, features=features, columns=columns, counted=settings.counted
    )
    catalogue, said = joined(catalogue, read_enriched(folder))
    notes = [*dataset.notes, *said]
    return replace(
        dataset, catalogue=catalogue, tombstones=read_tombstones(folder), notes=tuple(notes)
    )


def _rooted(cells: Any, folder: Path) -> Any:
    """Paths from a DATA directory as they are from everywhere; None where there is none."""
    found = np.empty(len(cells), object)
    found[:] = [
        None if cell is None else os.path.normpath(folder.resolve() / str(cell)) for cell in cells
    ]
    return found


def _scan(database: Connection, table: str, file: Path) -> None:
    source = (
        "(select file_row_number as row, * exclude (file_row_number) "
        f"from read_parquet({literal(str(file))}, file_row_number = true, binary_as_string = true))"
    )
    try:
        name_columns(database, table, source, str(file))
    except duckdb.Error as error:
        raise DataError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error
