"""Any network in a file of ONNX, run on the processor."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penchant.errors import DataError, MissingExtraError
from penchant.features.encoders.cache import Rows
from penchant.features.encoders.packaged_weights import digest

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


class OnnxFile:
    """A network with one input, whose first output (or the one named) becomes rows.

    An output of shape (B, D) is taken as it is; further dimensions are averaged: of (B, D, H, W)
    the last two, of (B, T, D) the middle one.
    """

    def __init__(self, path: str | Path, output: str | None = None) -> None:
        self.path, self.output = Path(path), output

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file. Raises ArtifactError where there is none."""
        return digest(self.path)

    @cached_property
    def session(self) -> Any:
        """Raises MissingExtraError without the extra ``onnx``, DataError for what is no network."""
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingExtraError("onnxruntime", "onnx") from error
        digest(self.path)
        options = onnxruntime.SessionOptions()
        # waiting threads that spin slow down everything beside them
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(
                str(self.path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no common base of their own
            raise DataError(f"{self.path} is no network that onnxruntime runs: {error}") from error
        inputs, outputs = session.get_inputs(), [output.name for output in session.get_outputs()]
        if len(inputs) != 1 or inputs[0].type not in _TYPES:
            kinds = ", ".join(f"{given.name}: {given.type}" for given in inputs)
            raise DataError(f"{self.path}: expected one input of floats, received {kinds}")
        if self.output not in (None, *outputs):
            raise DataError(f"{self.path}: no output {self.output!r}, only {', '.join(outputs)}")
        return session

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Of the input; None where any size will do."""
        sizes = self.session.get_inputs()[0].shape
        return tuple(size if isinstance(size, int) and size > 0 else None for size in sizes)

    def run(self, batch: NDArray[np.float32]) -> Rows:
        """Rows of a batch, (B, D); one by one where the network is made for a batch of one."""
        if self.shape[0] not in (None, len(batch)):
            if self.shape[0] != 1:
                raise DataError(
                    f"{self.path}: expected a network for batches of any size or of one, received "
                    f"one for {self.shape[0]}; export it with a dynamic batch"
                )
            return np.concatenate([self.run(batch[n : n + 1]) for n in range(len(batch))])
        given = self.session.get_inputs()[0]
        names = [self.output or self.session.get_outputs()[0].name]
        (rows,) = self.session.run(names, {given.name: batch.astype(_TYPES[given.type])})
        if rows.ndim == 3:
            rows = rows.mean(axis=1)
        elif rows.ndim > 3:
            rows = rows.reshape(*rows.shape[:2], -1).mean(axis=2)
        if rows.ndim != 2 or len(rows) != len(batch):
            raise DataError(
                f"{self.path}: expected a row for each of {len(batch)}, received {rows.shape}; "
                "name another output"
            )
        return np.asarray(rows, np.float32)
