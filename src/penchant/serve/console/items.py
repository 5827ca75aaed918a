"""An item: what the catalogue says of it, whether lists may hold it, its image, similar items."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from penchant.data.dataset import Catalogue
from penchant.recommendation.rerank.filters import missing
from penchant.recommendation.results import ScoredItem
from penchant.serve.api.problems import Problem
from penchant.serve.console.overview import Bar, bars
from penchant.serve.service import reads
from penchant.serve.service.recommendation_service import RecommendationService
from penchant.serve.service.variant import ItemState, Variant
from penchant.serve.store.records import now

MAX_IMAGE_BYTES = 20_000_000
"""Bytes of an image that is shown."""

_IMAGE_KINDS = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
    (b"ftypavif", 4, "image/avif"),
)


class ImageFile(NamedTuple):
    """An image file: its bytes and its media type."""

    content: bytes
    kind: str


@dataclass(frozen=True)
class ItemPage:
    """What the page of an item shows; ``listed`` says whether lists may hold it now."""

    item: str
    title: str | None
    domain: str | None
    tags: tuple[str, ...]
    columns: list[tuple[str, str]]
    modalities: dict[str, bool]
    image: bool
    events: int
    behaviors: list[Bar]
    neighbors: tuple[ScoredItem, ...]
    state: ItemState
    listed: bool


def resolve(service: RecommendationService, item: str) -> tuple[Variant, int]:
    """The variant that answers for an item and its row there; a Problem for an unknown item."""
    service.follow(service.store.revision)
    variant = service.variant_of(item)
    row = variant.model.dataset.catalogue.items.index.get(item, -1)
    if row < 0:
        raise Problem(404, f"unknown item {item!r}", "search for it on the overview page")
    return variant, row


def item_page(service: RecommendationService, item: str) -> ItemPage:
    """What the page of an item shows; a Problem for an unknown item."""
    variant, row = resolve(service, item)
    data = variant.model.dataset
    catalogue, events = data.catalogue, data.events
    keep = variant.keep(now())
    behaviors = events.behavior[events.item == row]
    counts = np.bincount(behaviors, minlength=len(catalogue.behaviors)).tolist()
    domain = int(catalogue.domain[row])
    return ItemPage(
        item=item,
        title=catalogue.title(row),
        domain=catalogue.domains[domain] if domain >= 0 else None,
        tags=tuple(catalogue.tags[row]) if catalogue.tags else (),
        columns=_columns(catalogue, row),
        modalities=_modalities(catalogue, row),
        image=_image_kind(_read_image(variant, row)) is not None,
        events=len(behaviors),
        behaviors=bars([behavior.name for behavior in catalogue.behaviors], counts),
        neighbors=reads.similar(service, item, 8),
        state=service.states.get(item, {}),
        listed=keep is None or bool(keep[row]),
    )


def _columns(catalogue: Catalogue, row: int) -> list[tuple[str, str]]:
    """The item's cells; of files the name alone."""
    columns = []
    for name, cells in catalogue.columns.items():
        cell = cells[row]
        if missing(cell):
            continue
        if name in ("image", "audio"):
            cell = Path(str(cell)).name
        elif isinstance(cell, (list, tuple)):
            cell = ", ".join(map(str, cell))
        columns.append((name, str(cell)))
    return columns


def _modalities(catalogue: Catalogue, row: int) -> dict[str, bool]:
    """Which of the modalities of the catalogue this item has."""
    available = {name: bool(table.rows[row].any()) for name, table in catalogue.features.items()}
    if "tags" in catalogue.modalities:
        available["tags"] = bool(catalogue.tags[row])
    if "enriched" in catalogue.modalities:
        available["enriched"] = bool(catalogue.enriched[row])
    if catalogue.counted:
        available["columns"] = any(
            not missing(catalogue.columns[name][row]) for name in catalogue.counted
        )
    return dict(sorted(available.items()))


def item_image(service: RecommendationService, item: str) -> ImageFile:
    """The image that the catalogue names for an item; a Problem where there is none to show."""
    variant, row = resolve(service, item)
    content = _read_image(variant, row, MAX_IMAGE_BYTES + 1)
    kind = _image_kind(content)
    if kind is None or len(content) > MAX_IMAGE_BYTES:
        raise Problem(404, "this item has no image that can be shown", "check its column image")
    return ImageFile(content, kind)


def _read_image(variant: Variant, row: int, length: int = 16) -> bytes:
    """The first bytes of an item's image; empty where there is no such file."""
    cells = variant.model.dataset.catalogue.columns.get("image", ())
    cell = cells[row] if len(cells) else None
    if not isinstance(cell, str) or not cell:
        return b""
    try:
        path = Path(cell)
        if not path.is_file():  # a pipe or a device would never end
            return b""
        with path.open("rb") as file:
            return file.read(length)
    except (OSError, ValueError):
        return b""


def _image_kind(head: bytes) -> str | None:
    """The media type of an image by its first bytes; None for anything else.

    >>> _image_kind(b"\\x89PNG\\r\\n\\x1a\\n..."), _image_kind(b"<svg onload=")
    ('image/png', None)
    """
    for magic, place, kind in _IMAGE_KINDS:
        if head[place : place + len(magic)] == magic:
            return kind
    return None
