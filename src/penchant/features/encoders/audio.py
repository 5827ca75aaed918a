"""Audio as rows: statistics of its spectrum over time, or any ONNX backbone."""

from collections.abc import Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penchant.errors import DataError, MissingExtraError
from penchant.features.encoders.audio_files import Samples, Sounds
from penchant.features.encoders.cache import Rows
from penchant.features.encoders.onnx import OnnxFile

_READING = "reading 1"  # counts the ways in which this package turned files into numbers
_RATE = 22_050
_FRAME, _HOP = 2048, 512  # samples
_MELS, _MFCC = 64, 20
_FLOOR = 1e-4  # of flatness: a pure tone has about none


class LibrosaAudio(Sounds):
    """Statistics by librosa of the first minute: mean and deviation over time.

    Of each group of measures both are divided by the root of how many there are, so that no group
    outweighs another; each measure is in a unit in which one is a large difference: 20 dB of the
    mel bands and of what moves in them, octaves of centroid and rolloff, factors of ten of
    flatness, onsets by four a second. Loudness itself is left out.
    """

    name = "spectrum statistics by librosa"
    batch = 16

    def __init__(self, seconds: float = 60.0) -> None:
        super().__init__(_RATE, seconds)

    @property
    def width(self) -> int:
        """Mean and deviation of mel bands, MFCC, their changes, chroma, four curves; onsets."""
        return 2 * (_MELS + 2 * _MFCC + 12 + 4) + 1

    @property
    def key(self) -> str:
        try:
            version = metadata.version("librosa")
        except metadata.PackageNotFoundError:
            raise MissingExtraError("librosa", "audio") from None
        return f"librosa {version} {_READING} seconds={self.seconds}"

    def prepare(self, content: bytes) -> Rows:
        return described(super().prepare(content))

    def encode(self, batch: Sequence[Rows]) -> Rows:
        return np.stack(batch)


def described(sound: Samples) -> Rows:
    """The row of a sound at 22,050 Hz, (T,) -> (D,)."""
    import librosa
    from librosa.onset import onset_strength
    from scipy.signal import find_peaks

    sound = _padded(sound / np.abs(sound).max())
    magnitude = np.abs(librosa.stft(sound, n_fft=_FRAME, hop_length=_HOP))
    power = magnitude**2
    mel = librosa.power_to_db(
        librosa.feature.melspectrogram(S=power, sr=_RATE, n_mels=_MELS), ref=np.max
    )
    mfcc = librosa.feature.mfcc(S=mel, n_mfcc=_MFCC)
    change = librosa.feature.delta(mfcc, width=9, mode="nearest")
    chroma = librosa.feature.chroma_stft(S=power, sr=_RATE, tuning=0.0)
    centroid = librosa.feature.spectral_centroid(S=magnitude, sr=_RATE)
    rolloff = librosa.feature.spectral_rolloff(S=magnitude, sr=_RATE)
    flatness = librosa.feature.spectral_flatness(S=magnitude)
    flux = onset_strength(S=mel, sr=_RATE)
    peaks, _ = find_peaks(flux, height=flux.mean() + flux.std(), distance=3, prominence=3.0)
    onsets = len(peaks) * _RATE / len(sound)
    groups = [
        _over_time(mel / 20),
        _over_time(mfcc / 100),
        _over_time(change / 20),
        _over_time(chroma),
        _over_time(np.log2(np.maximum(np.vstack([centroid, rolloff]), 20.0) / 1000)),
        _over_time(np.log10(np.maximum(flatness, _FLOOR))),
        _over_time(flux[None] / 4),
        np.array([onsets / 4]),
    ]
    return np.concatenate([g / np.sqrt(len(g)) for g in groups]).astype(np.float32)


def _padded(sound: Samples) -> Samples:
    """At least as many samples as nine frames need, of which a change over time is made."""
    return np.pad(sound, (0, max(0, 9 * _HOP - len(sound))))


def _over_time(measures: NDArray[Any]) -> NDArray[Any]:
    """Mean and deviation of measures, (F, frames) -> (2 F,)."""
    return np.concatenate([measures.mean(axis=1), measures.std(axis=1)])


class OnnxAudio(Sounds):
    """A backbone in a file of ONNX that reads samples: (B, T) or (B, 1, T).

    Where T is fixed, a sound is read in windows of that length, the last one filled with silence,
    and their rows are averaged; where it is open, as a whole.

    rate    of the samples that it was trained on, in Hz
    output  the name of the output to take, where it is not the first
    """

    batch = 16

    def __init__(
        self,
        path: str | Path,
        *,
        rate: int = 16_000,
        seconds: float = 60.0,
        output: str | None = None,
    ) -> None:
        super().__init__(rate, seconds)
        self.network = OnnxFile(path, output)
        self.name = Path(path).name

    @cached_property
    def key(self) -> str:
        settings = f"rate={self.rate} seconds={self.seconds} {self.network.output}"
        return f"onnx {_READING} {settings} {self.network.digest}"

    @cached_property
    def window(self) -> int | None:
        """T, where the network fixes it."""
        shape = self.network.shape
        if len(shape) not in (2, 3) or (len(shape) == 3 and shape[1] not in (1, None)):
            raise DataError(
                f"{self.network.path}: expected an input of samples, (B, T) or (B, 1, T), received "
                f"{shape}; export the network with its own spectrogram"
            )
        return shape[-1]

    @cached_property
    def width(self) -> int:
        silence = np.zeros(self.window or round(self.least * self.rate), np.float32)
        return int(self.encode([silence]).shape[1])

    def encode(self, batch: Sequence[Samples]) -> Rows:
        return np.stack([self._row(sound) for sound in batch])

    def _row(self, sound: Samples) -> Rows:
        window = self.window or len(sound)
        windows = np.pad(sound, (0, -len(sound) % window)).reshape(-1, window)
        shape = self.network.shape
        rows = self.network.run(windows if len(shape) == 2 else windows[:, None])
        return np.asarray(rows.mean(axis=0), np.float32)
