"""Items as they are: each modality of a catalogue encoded and projected onto few directions."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from penchant.config import ContentSettings
from penchant.data.dataset import ENRICHED, SUMMARY, Catalogue, Dataset
from penchant.data.item_features import Feature
from penchant.features.encoders.base import Encoded, Unread, encoded
from penchant.features.encoders.cache import Cache
from penchant.features.encoders.registry import _AUTOMATIC, automatic, encoder_of
from penchant.storage.json_records import JsonRecord
from penchant.types import Ints, Progress

"""The variable of the environment that holds the key of an endpoint; it is written nowhere."""

MODALITIES = ("text", "image", "audio", "summary")
NOT_COUNTED = {
    *("description", "image", "audio", "variant_of"),
    *("available_from", "available_until"),
    *(ENRICHED, SUMMARY),
}
"""Columns of items that say something else than what an item is, or are read otherwise."""

_FEWEST = 2  # items without which there is nothing to compare
_SHOWN = 10


@dataclass(frozen=True)
class ModalityRead(JsonRecord):
    """What an encoder read of the items; of those that it could not read the first ten."""

    encoder: str
    items: int
    made: int
    cached: int
    cut: int
    seconds: float
    unread: int
    examples: tuple[Unread, ...]


@dataclass(frozen=True)
class ContentReport:
    """What was read of the items, by modality, and what is to be said of it."""

    modalities: Mapping[str, Encoded] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def report(self) -> dict[str, ModalityRead]:
        """What a run says of it, by modality."""
        return {
            name: ModalityRead(
                encoder=read.encoder,
                items=int(read.present.sum()),
                made=read.made,
                cached=read.cached,
                cut=len(read.cut),
                seconds=round(read.seconds, 2),
                unread=len(read.unread),
                examples=read.unread[:_SHOWN],
            )
            for name, read in self.modalities.items()
        }


def encode_items(
    dataset: Dataset,
    settings: ContentSettings,
    progress: Progress | None = None,
    cache: Cache | None = None,
) -> tuple[Dataset, ContentReport]:
    """The dataset with a feature for each modality that its items have and the settings take.

    What could not be read stands in the ``ContentReport``, item by item; "auto" takes what is
    installed, and a note names what is not.

    Raises
    ------
    ConfigError
        For an encoder that is not known.
    MissingExtraError
        For one that was asked for by name and is not installed.
    """
    features, found, notes = dict(dataset.catalogue.features), {}, []
    for modality in MODALITIES:
        given = sources(dataset.catalogue, modality)
        made = getattr(settings, modality)
        if modality == "summary" and made == "auto":
            made = settings.text
        if made == "none" or sum(source is not None for source in given) < _FEWEST:
            continue
        if made == "auto":
            made, needed, extra = _AUTOMATIC[modality]
            encoder, missing = automatic(modality, made, needed, extra)
        else:
            encoder, missing = encoder_of(modality, made), ""
        if encoder is None:
            notes.append(f"{modality} of the items was not read: {missing}")
            continue
        ids = dataset.catalogue.items.ids
        read = encoded(encoder, ids, given, cache=cache or Cache(), progress=progress)
        found[modality] = read
        notes += [f"{modality}: {note}" for note in read.notes]
        if len(read.unread):
            notes.append(f"{modality}: {unread_in_words(read)}")
        if read.present.sum() < _FEWEST:
            notes.append(f"{modality}: fewer than {_FEWEST} items could be read: it is left out")
            continue
        features[modality] = Feature.fit(read.rows, read.present, settings.dimensions, made)
    names = tuple(sorted(dataset.catalogue.columns.keys() - NOT_COUNTED))
    catalogue = replace(dataset.catalogue, features=features, counted=())
    if names and settings.columns == "auto":
        counted = replace(catalogue, counted=names)
        notes += counted.column_features.notes
        catalogue = counted if counted.column_features.rows.shape[1] else catalogue
    return replace(dataset, catalogue=catalogue), ContentReport(found, tuple(notes))


def encode_changed(
    dataset: Dataset,
    before: Catalogue,
    items: Ints,
    progress: Progress | None = None,
    cache: Cache | None = None,
) -> tuple[Dataset, ContentReport]:
    """The merged dataset with the features of what is new or described anew.

    ``before`` is the catalogue that had been described; its item i is now row ``items[i]``. The
    directions stay those of the fit.
    """
    features, found, notes = dict(dataset.catalogue.features), {}, []
    for name, feature in dataset.catalogue.features.items():
        given = sources(dataset.catalogue, name)
        old = dict(zip(items.tolist(), sources(before, name), strict=True))
        rows = [row for row, source in enumerate(given) if source != old.get(row)]
        if not rows:
            continue
        ids = [dataset.catalogue.items.ids[row] for row in rows]
        encoder = encoder_of(name, feature.encoder, trusted=False)
        some = [given[row] for row in rows]
        read = encoded(encoder, ids, some, cache=cache or Cache(), progress=progress)
        found[name] = read
        notes += [f"{name}: {unread_in_words(read)}"] if len(read.unread) else []
        vectors = np.zeros((len(given), encoder.width), np.float32)
        present = np.zeros(len(given), bool)
        vectors[rows], present[rows] = read.rows, read.present
        gone = feature.rows.copy()
        gone[rows] = 0
        features[name] = replace(feature, rows=gone).encode(vectors, present)
    catalogue = replace(dataset.catalogue, features=features)
    return replace(dataset, catalogue=catalogue), ContentReport(found, tuple(notes))


def sources(catalogue: Catalogue, modality: str) -> list[str | None]:
    """What an encoder reads of each item: a text, or a path; None where there is nothing.

    A text is the title and the description, or the summary that a language model made of them.
    """
    if modality == "text":
        parts = [catalogue.titles, catalogue.columns.get("description", ())]
        cells = [list(part) if len(part) else [None] * len(catalogue) for part in parts]
        return [
            ". ".join(str(cell) for cell in row if cell is not None) or None
            for row in zip(*cells, strict=True)
        ]
    column = catalogue.columns.get(SUMMARY if modality == "summary" else modality)
    if column is None:
        return [None] * len(catalogue)
    return [None if cell is None else str(cell) for cell in column]


def unread_in_words(read: Encoded) -> str:
    """How many items could not be read, and why: the reasons, most frequent first."""
    reasons: dict[str, list[str]] = {}
    for one in read.unread:
        reasons.setdefault(one.reason, []).append(one.item)
    parts = [
        f"{len(items)} {reason} ({', '.join(items[:3])}{', ...' if len(items) > 3 else ''})"
        for reason, items in sorted(reasons.items(), key=lambda pair: -len(pair[1]))
    ]
    return f"{len(read.unread)} items could not be read: {'; '.join(parts)}"


"""By modality and name: whether something follows the name, and what makes the encoder."""
