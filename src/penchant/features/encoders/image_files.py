"""Files of images as pictures in red, green and blue, whatever they hold."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penchant.errors import MissingExtraError, UnreadableError
from penchant.features.encoders.file_source import Files

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = NDArray[np.uint8]

PIXELS = 89_478_485  # Pillow's own limit: a quarter of a gigabyte in three colors


class Pictures(Files):
    """What encoders of images share.

    A picture is turned as its EXIF data say; of an animation it is the first frame; what is
    transparent becomes white; gray of 16 bits keeps its range. One of more than 89 million pixels
    is refused before it is decoded.
    """

    modality = "image"

    def cut(self, content: bytes) -> bool:
        return False


def picture(content: bytes, least: int) -> "Image":
    """The picture in RGB, of which a JPEG is decoded no larger than needed for ``least`` pixels.

    Raises UnreadableError, and MissingExtraError without the extra ``image``.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise MissingExtraError("pillow", "image") from error
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > PIXELS:
                raise Image.DecompressionBombError
            image.draft("RGB", (least, least))
            return _rgb(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableError(f"too large: more than {PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise UnreadableError("not an image of a known format") from None
    except Exception as error:  # damaged files make the decoders raise nearly anything
        raise UnreadableError(f"damaged or truncated: {error or type(error).__name__}") from None


def square(image: "Image", side: int) -> Picture:
    """The center of a picture in a square, (side, side, 3)."""
    return _fitted(image, side, side)


def whole(image: "Image", short: int) -> Picture:
    """All of a picture, (H, W, 3), whose shorter side becomes ``short``.

    The longer side becomes a multiple of 16, so that pictures come in few shapes, and at most
    twice the shorter one: of longer pictures it is the middle.
    """
    ratio = max(image.size) / min(image.size)
    long = min(round(short * ratio / 16) * 16, 2 * short)
    return _fitted(image, *((long, short) if image.width > image.height else (short, long)))


def _fitted(image: "Image", width: int, height: int) -> Picture:
    from PIL.Image import Resampling
    from PIL.ImageOps import fit

    return np.array(fit(image, (width, height), Resampling.BICUBIC), np.uint8)


def reduced(image: "Image", short: int) -> "Image":
    """The picture with a short side of at most ``short`` pixels."""
    from PIL.Image import Resampling

    factor = short / min(image.size)
    if factor >= 1:
        return image
    size = round(image.width * factor), round(image.height * factor)
    return image.resize(size, Resampling.BICUBIC, reducing_gap=3.0)


def _rgb(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image, np.float32), image.mode)).convert(
            "RGB"
        )
    if image.has_transparency_data:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        return Image.alpha_composite(white, over).convert("RGB")
    return image.convert("RGB")


def _eight_bits(gray: NDArray[Any], mode: str) -> NDArray[np.uint8]:
    """Gray of 16 bits, or of floats from 0 to whatever is the largest, in 8 bits."""
    gray = np.nan_to_num(gray, nan=0.0, posinf=0.0, neginf=0.0)
    top = max(float(gray.max()), 1e-9) if mode == "F" else 65535.0
    return np.clip(gray * (255 / top), 0, 255).astype(np.uint8)
