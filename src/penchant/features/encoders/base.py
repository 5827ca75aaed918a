"""What every encoder does, and how the contents of a catalogue become rows.

What one item holds may be missing, unreadable or meaningless: that is told item by item, with the
reason, and never ends a run. Contents are encoded in batches, equal ones once.
"""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from penchant.data.arrays import blocks
from penchant.errors import DataError, UnreadableError
from penchant.features.encoders.cache import Cache, Rows
from penchant.features.encoders.progress import ProgressLog
from penchant.storage.json_records import JsonRecord
from penchant.types import Progress

_SHOWN = 200  # characters

Made = tuple[dict[bytes, Rows], dict[bytes, str]]
"""Rows by content, and for the other contents of the batch the reasons why they have none."""


@runtime_checkable
class Encoder(Protocol):
    """Makes a row of D numbers of each content."""

    @property
    def modality(self) -> str:
        """One of text, image and audio."""
        ...

    @property
    def name(self) -> str:
        """What it is, for people."""
        ...

    @property
    def key(self) -> str:
        """All that its rows depend on besides the content: versions, settings, weights."""
        ...

    @property
    def width(self) -> int:
        """D, the numbers of a row."""
        ...

    @property
    def batch(self) -> int:
        """How many contents are encoded at once, B."""
        ...

    def load(self, source: str) -> bytes:
        """The content itself, whose SHA-256 is its identity. Raises UnreadableError."""
        ...

    def cut(self, content: bytes) -> bool:
        """Whether only the first part of the content is encoded."""
        ...

    def prepare(self, content: bytes) -> Any:
        """The content decoded, ready for a batch; called in threads. Raises UnreadableError."""
        ...

    def encode(self, batch: Sequence[Any]) -> Rows:
        """Rows of B prepared contents, (B, D) float32.

        Raises UnreadableError where a content of the batch is refused: each is then tried alone.
        """
        ...


@dataclass(frozen=True)
class Unread(JsonRecord):
    """An item whose content could not be encoded, and why; of a long source, the beginning."""

    item: str
    source: str
    reason: str


@dataclass(frozen=True)
class Encoded:
    """One modality of N items.

    Parameters
    ----------
    encoder
        The name of what encoded it.
    rows
        (N, D) float32; zero where not present.
    present
        (N,), whether an item has a row.
    unread
        The items that have a source and no row, in their order.
    cut
        The items of which only the first part was encoded.
    made
        Contents encoded now; items of equal content share one.
    cached
        Contents whose rows had been kept.
    seconds
        That it took.
    notes
        What went wrong with the cache, in words.
    """

    modality: str
    encoder: str
    rows: Rows
    present: NDArray[np.bool_]
    unread: tuple[Unread, ...]
    cut: tuple[str, ...]
    made: int
    cached: int
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Source:
    """What was found at a source: the SHA-256 of its content, or the reason why there is none."""

    content: bytes = b""
    cut: bool = False
    reason: str = ""


def encoded(
    encoder: Encoder,
    ids: Sequence[str],
    sources: Sequence[str | Path | None],
    *,
    cache: Cache | None,
    progress: Progress | None = None,
) -> Encoded:
    """Rows of N items, whose ``sources`` are a text or a path each, None where there is nothing.

    Each batch is kept in the cache as soon as it is made, so that an interrupted run goes on where
    it was. Raises DataError where the encoder itself does not work.
    """
    if len(ids) != len(sources):
        raise DataError(
            f"expected a source or None for each of {len(ids)} items, received {len(sources)}; "
            "take both from the same table"
        )
    width = encoder.width  # so that an encoder which does not work says so at once
    began, notes = time.perf_counter(), list[str]()
    given = [None if source is None else str(source) for source in sources]
    found = _looked_up(encoder, list(dict.fromkeys(s for s in given if s is not None)), progress)
    wanted = {at.content: source for source, at in found.items() if at.content}
    with ExitStack() as stack:
        shelf = stack.enter_context(cache.shelf(encoder.key, width)) if cache else None
        rows = shelf.get(list(wanted)) if shelf else {}
        cached, reasons = len(rows), dict[bytes, str]()
        missing = [(content, source) for content, source in wanted.items() if content not in rows]
        for made, refused in _made(encoder, missing, progress):
            rows |= made
            reasons |= refused
            if shelf:
                shelf.put(made)
        if shelf:
            notes = shelf.notes
    matrix = np.zeros((len(ids), width), np.float32)
    present = np.zeros(len(ids), np.bool_)
    unread, cut = [], []
    for place, (item, source) in enumerate(zip(ids, given, strict=True)):
        if source is None:
            continue
        at = found[source]
        if at.content in rows:
            matrix[place], present[place] = rows[at.content], True
            cut += [item] if at.cut else []
        else:
            unread.append(Unread(item, source[:_SHOWN], at.reason or reasons[at.content]))
    result = Encoded(
        modality=encoder.modality,
        encoder=encoder.name,
        rows=matrix,
        present=present,
        unread=tuple(unread),
        cut=tuple(cut),
        made=len(rows) - cached,
        cached=cached,
        seconds=time.perf_counter() - began,
        notes=tuple(notes),
    )
    if progress:
        for line in (*notes, _summary(result)):
            progress(line)
    return result


def _looked_up(
    encoder: Encoder, sources: list[str], progress: Progress | None
) -> dict[str, _Source]:
    """What is at each source; nothing is decoded and no content is kept in memory."""

    def look(source: str) -> _Source:
        try:
            content = encoder.load(source)
            return _Source(sha256(content).digest(), encoder.cut(content))
        except UnreadableError as error:
            return _Source(reason=str(error))

    def look_at(part: slice) -> list[_Source]:
        return [look(source) for source in sources[part]]

    log = ProgressLog(f"reading {encoder.modality}", len(sources), progress)
    found: list[_Source] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for some in pool.map(look_at, blocks(len(sources), 64)):
            found += some
            log.add(len(some))
    return dict(zip(sources, found, strict=True))


def _made(
    encoder: Encoder, wanted: Sequence[tuple[bytes, str]], progress: Progress | None
) -> Iterator[Made]:
    """Rows of contents (SHA-256 and source) by batches; the next one is decoded meanwhile."""

    def prepared(content: bytes, source: str) -> Any:
        try:
            loaded = encoder.load(source)
            if sha256(loaded).digest() != content:
                return UnreadableError("changed while it was read")
            return encoder.prepare(loaded)
        except UnreadableError as error:
            return error

    log = ProgressLog(f"{encoder.modality} by {encoder.name}", len(wanted), progress)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:

        def begun(start: int) -> list[tuple[bytes, Future[Any]]]:
            batch = wanted[start : start + encoder.batch]
            return [(content, pool.submit(prepared, content, source)) for content, source in batch]

        following = begun(0)
        for start in range(0, len(wanted), encoder.batch):
            batch, following = following, begun(start + encoder.batch)
            yield _rows(encoder, [(content, future.result()) for content, future in batch])
            log.add(len(batch))


def _rows(encoder: Encoder, batch: list[tuple[bytes, Any]]) -> Made:
    """Rows of prepared contents, of which some may be the errors that came instead."""
    reasons = {c: str(ready) for c, ready in batch if isinstance(ready, UnreadableError)}
    batch = [(c, ready) for c, ready in batch if c not in reasons]
    if not batch:
        return {}, reasons
    try:
        rows = encoder.encode([ready for _, ready in batch])
    except UnreadableError as error:
        if len(batch) == 1:
            return {}, {**reasons, batch[0][0]: str(error)}
        alone = [_rows(encoder, [one]) for one in batch]
        return (
            {c: row for made, _ in alone for c, row in made.items()},
            {**reasons, **{c: why for _, refused in alone for c, why in refused.items()}},
        )
    if rows.shape != (len(batch), encoder.width) or rows.dtype != np.float32:
        raise DataError(
            f"expected rows of shape {(len(batch), encoder.width)} float32 from {encoder.name}, "
            f"received {rows.shape} {rows.dtype}; correct the encoder"
        )
    made = {}
    for (content, _), row in zip(batch, rows, strict=True):
        if not np.isfinite(row).all():
            reasons[content] = "the encoder gave numbers that are not finite"
        elif not row.any():
            reasons[content] = "the encoder gave nothing but zeros"
        else:
            made[content] = row
    return made, reasons


def _summary(result: Encoded) -> str:
    parts = [f"{result.made:,} encoded", f"{result.cached:,} from the cache"]
    parts += [f"{len(result.unread):,} unread"] if result.unread else []
    parts += [f"{len(result.cut):,} cut"] if result.cut else []
    what = f"{result.modality} by {result.encoder}"
    return f"{what}: {', '.join(parts)}, in {result.seconds:.1f} s"
