"""What every encoder must do, whatever it reads; a subclass names the encoder and its contents."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from penchant.features.encoders.base import Encoded, Encoder, encoded
from penchant.features.encoders.cache import Cache

same = np.testing.assert_array_equal

TEXTS = [
    "Toy Story (1995)",
    "A quiet village is visited by a stranger who knows everyone's name.",
    "一只狗在公园里跑步",
    "🎸🥁",
    "x",
    "naïve café \ud800 broken",
]
EMPTY = {"": "empty", " \n\t ": "empty", "\u200b\ufeff": "empty"}


class EncoderSuite(ABC):
    """The contract of ``Encoder`` under ``encoded``.

    encoder  makes the one under test; what makes it costs time should be kept
    others   makes encoders whose settings differ: each must have a key of its own
    good     sources of at least five different contents, to which rows belong
    bad      sources without rows, each with a part of its reason
    """

    @abstractmethod
    def encoder(self) -> Encoder: ...

    def others(self) -> Sequence[Encoder]:
        return ()

    @abstractmethod
    def good(self, folder: Path) -> list[str]: ...

    @abstractmethod
    def bad(self, folder: Path) -> dict[str, str]: ...

    def test_it_is_an_encoder(self) -> None:
        encoder = self.encoder()
        assert isinstance(encoder, Encoder)
        assert encoder.modality in ("text", "image", "audio")
        assert encoder.name
        assert encoder.width > 0
        assert encoder.batch > 0

    def test_rows_are_float32_of_its_width_and_tell_contents_apart(self, tmp_path: Path) -> None:
        encoder, good = self.encoder(), self.good(tmp_path)
        result = run(encoder, good)
        assert result.rows.dtype == np.float32
        assert result.rows.shape == (len(good), encoder.width)
        assert np.isfinite(result.rows).all()
        assert result.present.all()
        assert result.unread == ()
        assert (result.made, result.cached) == (len(good), 0)
        assert (result.modality, result.encoder) == (encoder.modality, encoder.name)
        assert len(np.unique(result.rows, axis=0)) == len(good)

    def test_the_same_content_has_the_same_bits(self, tmp_path: Path) -> None:
        encoder, good = self.encoder(), self.good(tmp_path)
        first = run(encoder, good)
        same(run(self.encoder(), good).rows, first.rows)
        twice = run(encoder, good + good)
        assert twice.made == len(good)
        same(twice.rows, np.concatenate([first.rows, first.rows]))

    def test_a_batch_changes_nothing(self, tmp_path: Path) -> None:
        encoder, good = self.encoder(), self.good(tmp_path)
        ready = [encoder.prepare(encoder.load(source)) for source in good]
        whole = encoder.encode(ready)
        for size in (1, 3):
            parts = [encoder.encode(ready[at : at + size]) for at in range(0, len(ready), size)]
            np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5, rtol=1e-5)
        backwards = encoder.encode(ready[::-1])[::-1]
        np.testing.assert_allclose(backwards, whole, atol=1e-5, rtol=1e-5)

    def test_unreadable_sources_are_reported_and_the_rest_is_encoded(self, tmp_path: Path) -> None:
        encoder, good, bad = self.encoder(), self.good(tmp_path), self.bad(tmp_path)
        sources = [None, *bad, *good, None]
        result = run(encoder, sources)
        assert [unread.source for unread in result.unread] == [source[:200] for source in bad]
        assert [unread.item for unread in result.unread] == [f"i{n + 1}" for n in range(len(bad))]
        for unread, reason in zip(result.unread, bad.values(), strict=True):
            assert reason in unread.reason, unread
        same(result.present, [False] * (1 + len(bad)) + [True] * len(good) + [False])
        assert not result.rows[~result.present].any()
        np.testing.assert_allclose(
            result.rows[result.present], run(encoder, good).rows, atol=1e-5, rtol=1e-5
        )

    def test_the_cache_gives_identical_rows(self, tmp_path: Path) -> None:
        encoder, good = self.encoder(), self.good(tmp_path)
        cache = Cache(tmp_path / "cache")
        some = run(encoder, good[:2], cache)
        assert (some.made, some.cached) == (2, 0)
        whole = run(encoder, good, cache)
        assert (whole.made, whole.cached) == (len(good) - 2, 2)
        same(whole.rows[:2], some.rows)
        again = run(self.encoder(), good, Cache(tmp_path / "cache"))
        assert (again.made, again.cached, again.notes) == (0, len(good), ())
        same(again.rows, whole.rows)

    def test_settings_have_keys_of_their_own(self) -> None:
        keys = [encoder.key for encoder in (self.encoder(), *self.others())]
        assert len(set(keys)) == len(keys)
        assert self.encoder().key == keys[0]

    def test_nothing_to_encode(self) -> None:
        encoder = self.encoder()
        assert run(encoder, []).rows.shape == (0, encoder.width)
        nothing = run(encoder, [None, None])
        assert nothing.rows.shape == (2, encoder.width)
        assert not nothing.present.any()


class TextEncoderSuite(EncoderSuite):
    """The same for encoders of text."""

    def good(self, folder: Path) -> list[str]:
        return TEXTS

    def bad(self, folder: Path) -> dict[str, str]:
        return EMPTY

    def test_a_very_long_text_is_cut_and_counted(self) -> None:
        long = "The quick brown fox jumps over the lazy dog. " * 2300
        assert len(long) > 100_000
        result = run(self.encoder(), [long, "short"])
        assert result.present.all()
        assert result.cut == ("i0",)


class FileEncoderSuite(EncoderSuite):
    """The same for encoders of files."""

    def test_files_that_are_no_files(self, tmp_path: Path) -> None:
        (tmp_path / "empty").write_bytes(b"")
        paths = [tmp_path / "not there", tmp_path, tmp_path / "empty"]
        result = run(self.encoder(), [str(path) for path in paths])
        assert [unread.reason for unread in result.unread] == [
            "no such file",
            "not a file",
            "empty",
        ]

    def test_a_file_that_is_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_bytes(b"neither a picture nor a sound, whatever its name says")
        result = run(self.encoder(), [str(tmp_path / "text")])
        assert len(result.unread) == 1
        assert result.unread[0].reason.startswith("not a")

    def test_equal_files_are_encoded_once(self, tmp_path: Path) -> None:
        source = Path(self.good(tmp_path)[0])
        (tmp_path / "twin").write_bytes(source.read_bytes())
        result = run(self.encoder(), [str(source), str(tmp_path / "twin")])
        assert result.made == 1
        same(result.rows[0], result.rows[1])


def run(encoder: Encoder, sources: Sequence[str | None], cache: Cache | None = None) -> Encoded:
    """The contents encoded, as items i0, i1, ..."""
    return encoded(encoder, [f"i{n}" for n in range(len(sources))], sources, cache=cache)


def need(package: str, extra: str) -> None:
    """Skip where an extra is not installed."""
    pytest.importorskip(package, reason=f"{package} is not installed: extra {extra}")
