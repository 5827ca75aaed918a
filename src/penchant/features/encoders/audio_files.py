"""Files of sound as samples, whatever their rate and channels."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penchant.errors import MissingExtraError, UnreadableError
from penchant.features.encoders.file_source import Files

Samples = NDArray[np.float32]

_RATE, _CHANNELS = 384_000, 16  # more are no music, and a minute of them takes gigabytes
_UNREADABLE = RuntimeError, OSError, TypeError  # of which soundfile's own is one
_SILENCE = 10 ** (-80 / 20)  # a peak 80 dB below full scale, which 16 bits hardly tell from none


class Sounds(Files):
    """What encoders of audio share: the mean of all channels, at one rate, of the first seconds.

    A file that is silent, shorter than ``least`` seconds or not finite is unreadable.
    """

    modality = "audio"
    least = 0.1

    def __init__(self, rate: int, seconds: float) -> None:
        self.rate, self.seconds = rate, seconds

    def cut(self, content: bytes) -> bool:
        soundfile = _soundfile()
        try:
            return bool(soundfile.info(io.BytesIO(content)).duration > self.seconds)
        except _UNREADABLE:
            return False

    def prepare(self, content: bytes) -> Any:
        """Samples at the encoder's rate, (T,) in [-1, 1]."""
        return samples(content, self.rate, self.seconds, self.least)


def samples(content: bytes, rate: int, seconds: float, least: float) -> Samples:
    """The first seconds of a file, one channel. Raises UnreadableError, MissingExtraError."""
    soundfile = _soundfile()
    import soxr

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            own = file.samplerate
            if own > _RATE or file.channels > _CHANNELS:
                raise UnreadableError(f"odd: {file.channels} channels of {own:,} Hz")
            channels = file.read(round(seconds * own), dtype="float32", always_2d=True)
    except _UNREADABLE as error:
        reason = str(error).rpartition(": ")[2].strip(".")
        raise UnreadableError(f"not a sound that can be read: {reason}") from None
    if len(channels) < max(1, least * own):
        spent, needed = 1000 * len(channels) / own, 1000 * least
        raise UnreadableError(f"too short: {spent:.0f} ms of at least {needed:.0f}")
    sound = channels.mean(axis=1)
    if not np.isfinite(sound).all():
        raise UnreadableError("samples that are not finite")
    if np.abs(sound).max() < _SILENCE:
        raise UnreadableError("silent")
    return np.asarray(soxr.resample(sound, own, rate), np.float32)


def _soundfile() -> Any:
    try:
        import soundfile
    except (ModuleNotFoundError, OSError) as error:  # OSError: without its C library
        raise MissingExtraError("soundfile", "audio") from error
    return soundfile
