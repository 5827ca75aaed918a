"""What a language model said of the items, in a file of its own beside a DATA directory's tables.

A catalogue holds it in two columns whose names no source can have by chance: they are saved,
merged and moved as every other column is, and are not counted among them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np

from penchant.data.dataset import ENRICHED, SUMMARY, Catalogue
from penchant.errors import DataError
from penchant.storage.database import (
    column_types,
    connect,
    create_table,
    export_parquet,
    identifier,
    literal,
)

FILE = "enriched.parquet"

_TEXTS, _LISTS = ("item", "summary", "model", "digest"), ("tags", "audience")


@dataclass(frozen=True)
class Enriched:
    """One item as a model described it.

    tags, audience  what it is about, and whom it is for; a few words each
    summary         a sentence; None where there is none
    model, digest   which model read which text
    """

    item: str
    tags: tuple[str, ...] = ()
    summary: str | None = None
    audience: tuple[str, ...] = ()
    model: str | None = None
    digest: str | None = None

    @property
    def features(self) -> list[str]:
        """The tags, and each audience as ``for: x``, which no tag is.

        >>> Enriched("a", ("noir",), audience=("adults",)).features
        ['noir', 'for: adults']
        """
        return [*self.tags, *(f"for: {audience}" for audience in self.audience)]


def read_enriched(folder: str | Path) -> dict[str, Enriched]:
    """The rows of a DATA directory's file, by item; none where there is no such file.

    Raises DataError for a file that is none, or has other columns. What describes an item is its
    ``tags`` or its ``summary``; the other columns may be missing.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return {}
    database = connect()
    source = f"read_parquet({literal(str(path))})"
    try:
        kinds = column_types(database, source)
        if "item" not in kinds or not {"tags", "summary"} & kinds.keys():
            raise DataError(
                f"{path}: expected the columns item, tags and summary, received "
                f"{', '.join(kinds)}; remove the file, or let penchant enrich write it"
            )
        cells = [
            f"cast({identifier(name) if name in kinds else 'null'} as {kind}) as {name}"
            for names, kind in ((_TEXTS, "varchar"), (_LISTS, "varchar[]"))
            for name in names
        ]
        rows = database.execute(f"select {', '.join(cells)} from {source}").fetchall()
    except duckdb.Error as error:
        raise DataError(
            f"{path} cannot be read: {str(error).splitlines()[0]}; remove it, or let penchant "
            "enrich write it again"
        ) from error
    return {
        item: Enriched(item, _words(tags), summary, _words(audience), model, digest)
        for item, summary, model, digest, tags, audience in rows
        if item is not None
    }


def write_enriched(folder: str | Path, rows: Iterable[Enriched]) -> None:
    """Write the file beside the old one, then put it in its place."""
    ordered = sorted(rows, key=lambda row: row.item)
    columns = {name: np.empty(len(ordered), object) for name in (*_TEXTS, *_LISTS)}
    for name, cells in columns.items():
        cells[:] = [
            list(cell) if isinstance(cell, tuple) else cell
            for cell in (getattr(row, name) for row in ordered)
        ]
    database = connect()
    create_table(database, "enriched", columns)
    query = (
        "select item, cast(tags as varchar[]) as tags, cast(summary as varchar) as summary, "
        "cast(audience as varchar[]) as audience, cast(model as varchar) as model, "
        "cast(digest as varchar) as digest from enriched order by row"
    )
    with TemporaryDirectory(dir=folder, prefix=".writing-") as place:
        export_parquet(database, query, Path(place) / FILE)
        (Path(place) / FILE).replace(Path(folder) / FILE)


def apply_enrichment(
    catalogue: Catalogue, rows: Mapping[str, Enriched]
) -> tuple[Catalogue, tuple[str, ...]]:
    """The catalogue with what the rows say of its items, and what is to be said of them.

    A row replaces what the catalogue held of its item; rows of other items are left out.
    """
    if not rows:
        return catalogue, ()
    places = catalogue.items.rows(rows)
    columns = dict(catalogue.columns)
    for name in (ENRICHED, SUMMARY):
        columns[name] = columns.get(name, np.full(len(catalogue), None, object)).copy()
    for row, place in zip(rows.values(), places.tolist(), strict=True):
        if place >= 0:
            columns[ENRICHED][place] = row.features or None
            columns[SUMMARY][place] = row.summary or None
    strange = int(np.count_nonzero(places < 0))
    note = f"{FILE}: {strange:,} of {len(rows):,} rows are of items that are not known"
    return replace(catalogue, columns=columns), (note,) if strange else ()


def _words(cells: list[str | None] | None) -> tuple[str, ...]:
    return tuple(cell for cell in cells or () if cell)
