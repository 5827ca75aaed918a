"""DATA directories: written by ``ingest`` or from columns, read as a ``Dataset``."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from penchant.config import parse, read_toml
from penchant.data.dataset import Dataset
from penchant.data.io.columns import assemble, name_columns
from penchant.data.io.enrichment import apply_enrichment, read_enriched
from penchant.data.io.layout import TABLES, DatasetSettings
from penchant.data.item_features import load_features
from penchant.data.tombstones import read_tombstones
from penchant.errors import DataError
from penchant.storage.database import (
    Connection,
    connect,
    literal,
)

MEDIA_COLUMNS = ("image", "audio")
"""Columns of items that hold paths: in a DATA directory relative to it, unless absolute."""


def load(path: str | Path) -> Dataset:
    """Read a DATA directory; what dataset.toml leaves open is inferred and noted.

    Parameters
    ----------
    path
        A directory that ``penchant.ingest`` or ``save`` wrote, with events.parquet in it.

    Returns
    -------
    Dataset
        Its events, items and users; a missing time sorts first, as the oldest.

    Raises
    ------
    DataError
        Where files, columns or cells are missing.
    ConfigError
        Where dataset.toml says something that is not known.

    Examples
    --------
    >>> from penchant import load_dataset
    >>> data = load_dataset("shop")  # doctest: +SKIP
    """
    folder = Path(path)
    if not (folder / "events.parquet").is_file():
        raise DataError(
            f"expected a DATA directory with events.parquet at {folder}, received "
            f"{'a directory without it' if folder.is_dir() else 'no directory'}; penchant ingest "
            "makes one from raw files"
        )
    settings, notes = DatasetSettings(), []
    settings_file = folder / "dataset.toml"
    if settings_file.is_file():
        settings = parse(
            DatasetSettings, read_toml(settings_file, "dataset.toml"), str(settings_file)
        )
    else:
        notes.append("no dataset.toml: time, target and protocol are inferred")
    database = connect()
    for table in TABLES:
        file = folder / f"{table}.parquet"
        if file.is_file():
            _load_table(database, table, file)
    name = settings.name or folder.resolve().name
    dataset = assemble(database, name, settings, notes, str(folder))
    features = load_features(folder, settings.features, len(dataset.catalogue))
    columns = {
        name: _absolute_paths(cells, folder) if name in MEDIA_COLUMNS else cells
        for name, cells in dataset.catalogue.columns.items()
    }
    catalogue = replace(
        dataset.catalogue, features=features, columns=columns, counted=settings.counted
    )
    catalogue, enrichment_notes = apply_enrichment(catalogue, read_enriched(folder))
    notes = [*dataset.notes, *enrichment_notes]
    return replace(
        dataset, catalogue=catalogue, tombstones=read_tombstones(folder), notes=tuple(notes)
    )


def _absolute_paths(cells: Any, folder: Path) -> Any:
    """Paths from a DATA directory as they are from everywhere; None where there is none."""
    paths = np.empty(len(cells), object)
    paths[:] = [
        None if cell is None else os.path.normpath(folder.resolve() / str(cell)) for cell in cells
    ]
    return paths


def _load_table(database: Connection, table: str, file: Path) -> None:
    source = (
        "(select file_row_number as row, * exclude (file_row_number) "
        f"from read_parquet({literal(str(file))}, file_row_number = true, binary_as_string = true))"
    )
    try:
        name_columns(database, table, source, str(file))
    except duckdb.Error as error:
        raise DataError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error
