"""An item: what is known of it, whether lists may hold it, its image, its neighbors."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from penchant.data.dataset import Catalogue
from penchant.recommendation.rerank.filters import missing
from penchant.serve.api.problems import Problem
from penchant.serve.console.overview import bars
from penchant.serve.service import reads
from penchant.serve.service.live import Live
from penchant.serve.service.variant import Arm
from penchant.serve.store.records import now

LARGEST = 20_000_000
"""Bytes of an image that is shown."""

_KINDS = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
    (b"ftypavif", 4, "image/avif"),
)


class Picture(NamedTuple):
    """An image file: its bytes and its kind."""

    content: bytes
    kind: str


def found(live: Live, item: str) -> tuple[Arm, int]:
    """The arm that answers for an item and its row there; a Problem for one that is not known."""
    live.follow(live.store.revision)
    arm = live.arm_of(item)
    row = arm.model.dataset.catalogue.items.index.get(item, -1)
    if row < 0:
        raise Problem(404, f"no item {item!r} is known", "search for it on the overview")
    return arm, row


def about(live: Live, item: str) -> dict[str, Any]:
    """What the page of an item shows; a Problem for one that is not known."""
    arm, row = found(live, item)
    data = arm.model.dataset
    catalogue, events = data.catalogue, data.events
    keep = arm.keep(now())
    mine = events.behavior[events.item == row]
    counts = np.bincount(mine, minlength=len(catalogue.behaviors)).tolist()
    domain = int(catalogue.domain[row])
    return {
        "item": item,
        "title": catalogue.title(row),
        "domain": catalogue.domains[domain] if domain >= 0 else None,
        "tags": catalogue.tags[row] if catalogue.tags else (),
        "columns": _columns(catalogue, row),
        "modalities": _modalities(catalogue, row),
        "image": _kind(_head(arm, row)) is not None,
        "events": len(mine),
        "behaviors": bars([b.name for b in catalogue.behaviors], counts),
        "neighbors": reads.similar(live, item, 8),
        "state": live.states.get(item, {}),
        "listed": keep is None or bool(keep[row]),
    }


def _columns(catalogue: Catalogue, row: int) -> list[tuple[str, str]]:
    """The item's cells; of files the name alone."""
    told = []
    for name, cells in catalogue.columns.items():
        cell = cells[row]
        if missing(cell):
            continue
        if name in ("image", "audio"):
            cell = Path(str(cell)).name
        elif isinstance(cell, (list, tuple)):
            cell = ", ".join(map(str, cell))
        told.append((name, str(cell)))
    return told


def _modalities(catalogue: Catalogue, row: int) -> dict[str, bool]:
    """Which of what the run knows of items it knows of this one."""
    known = {name: bool(of.rows[row].any()) for name, of in catalogue.features.items()}
    if "tags" in catalogue.modalities:
        known["tags"] = bool(catalogue.tags[row])
    if "enriched" in catalogue.modalities:
        known["enriched"] = bool(catalogue.enriched[row])
    if catalogue.counted:
        known["columns"] = any(
            not missing(catalogue.columns[name][row]) for name in catalogue.counted
        )
    return dict(sorted(known.items()))


def picture(live: Live, item: str) -> Picture:
    """The image that the catalogue names for an item; a Problem where there is none to show."""
    arm, row = found(live, item)
    content = _head(arm, row, LARGEST + 1)
    kind = _kind(content)
    if kind is None or len(content) > LARGEST:
        raise Problem(404, "this item has no image that could be shown", "see the column image")
    return Picture(content, kind)


def _head(arm: Arm, row: int, length: int = 16) -> bytes:
    """The first bytes of an item's image; none where there is no such file."""
    cells = arm.model.dataset.catalogue.columns.get("image", ())
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


def _kind(head: bytes) -> str | None:
    """The kind of an image by its first bytes; None for whatever else.

    >>> _kind(b"\\x89PNG\\r\\n\\x1a\\n..."), _kind(b"<svg onload=")
    ('image/png', None)
    """
    for magic, place, kind in _KINDS:
        if head[place : place + len(magic)] == magic:
            return kind
    return None
