"""Pictures that tests draw."""

import struct
import zlib

import numpy as np
import pytest

pytest.importorskip("PIL", reason="pillow is not installed: extra image")
from PIL import Image


def draw(kind: str, width: int = 160, height: int = 120, seed: int = 0) -> Image.Image:
    """A picture of stripes, a disc, noise, a ramp or a board."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    gray = {
        "stripes": 255 * (x // 10 % 2),
        "disc": 255 * ((x - width / 2) ** 2 + (y - height / 2) ** 2 < 40**2),
        "noise": rng.integers(0, 256, (height, width)),
        "ramp": x * 255 // width,
        "board": 255 * ((x // 16 + y // 16) % 2),
    }[kind]
    tint = rng.uniform(0.6, 1.0, 3)
    return Image.fromarray((gray[..., None] * tint).astype(np.uint8))


def save(folder, name, picture, **options):
    path = folder / name
    picture.save(path, **options)
    return str(path)


def bomb(width, height):
    """A PNG of a few bytes that says it holds more pixels than it does."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
