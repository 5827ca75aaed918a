"""Files of images: each odd one becomes the picture that a person would see."""

import numpy as np
import pytest

from drawn import Image, draw
from penchant.features.encoders import image_files
from penchant.testing.encoders import same


class TestReading:
    """Each odd file becomes the picture that a person would see."""

    def read(self, folder, name, picture, **options):
        path = folder / name
        picture.save(path, **options)
        return np.asarray(image_files.picture(path.read_bytes(), 224), np.int64)

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

    def test_gray_of_16_bits_keeps_its_range(self, tmp_path):
        gray = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
        for name in ("gray.png", "gray.tif"):
            read = self.read(tmp_path, name, Image.fromarray(gray))
            assert np.abs(read[..., 0] - gray // 257).max() <= 1
            same(read[..., 0], read[..., 2])

    def test_floats(self, tmp_path):
        gray = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
        gray[0, 0] = np.nan
        read = self.read(tmp_path, "float.tif", Image.fromarray(gray))
        assert read[-1, -1].tolist() == [255, 255, 255]
        assert read[0, 0].tolist() == [0, 0, 0]

    def test_one_bit(self, tmp_path):
        read = self.read(tmp_path, "bit.png", draw("board").convert("1"))
        assert set(np.unique(read)) == {0, 255}

    def test_of_an_animation_the_first_frame(self, tmp_path):
        frames = [Image.new("RGB", (8, 8), color) for color in ("red", "green", "blue")]
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
            same(image_files.square(picture, 224), np.full((224, 224, 3), (255, 0, 0)))
            longest = {(20_000, 10): 448, (1, 1): 224, (1, 3000): 448, (3, 2): 336}[size]
            assert max(image_files.whole(picture, 224).shape) == longest

    def test_what_is_in_the_middle_is_kept(self):
        tall = Image.new("RGB", (10, 30), "black")
        tall.paste("white", (0, 10, 10, 20))
        assert image_files.square(tall, 8).min() > 200
        whole = image_files.whole(tall, 32)
        assert whole.shape == (64, 32, 3)
        assert whole[0].max() < 60 < 200 < whole[32].min()
        assert image_files.reduced(tall, 5).size == (5, 15)
        assert image_files.reduced(tall, 50).size == (10, 30)
