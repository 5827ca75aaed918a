"""Whether audio alone tells tastes apart: a generated world of tones, drums and noise.

    python benchmarks/sounds.py --out benchmarks/results/sounds.json

Each user likes one kind of sound. The sounds are short files, with nothing to tell their kind but
what they sound like; half of those of each kind have been heard by nobody. A user's list is the top
ten of these, and the share of the liked kind in it stands against chance. The control is the same
world with the sounds' rows dealt out anew among all of them. The settings are not searched.
"""

import argparse
import json
import time
import wave
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from penchant import from_columns
from penchant.config import ContentSettings, TransitionSettings
from penchant.data.dataset import Dataset
from penchant.evaluation import metrics
from penchant.features.encoders.cache import Cache
from penchant.features.item_content import encode_items
from penchant.models.transition.recommender import TransitionFitter

RATE = 22_050
SETTINGS = TransitionSettings(content_weights={"audio": 2.0}, cold=100.0)
FAITHFUL = 0.8  # of what a user hears, the share of the liked kind; the rest is of any


def tones(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Notes of a scale, a fifth of a second each, with three overtones."""
    note = rng.uniform(200, 400) * 2 ** (rng.integers(0, 24, 100)[(t * 5).astype(int)] / 12)
    phase = 2 * np.pi * np.cumsum(note) / RATE
    return sum(np.sin(n * phase) / n**2 for n in (1, 2, 3, 4))


def drums(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Beats of decaying noise over a falling thump, two to six a second."""
    since = t % (1 / rng.uniform(2, 6))
    low, fall = rng.uniform(50, 90), rng.uniform(8, 16)
    thump = np.sin(2 * np.pi * low * since * (1 + np.exp(-40 * since))) * np.exp(-fall * since)
    return thump + 0.5 * rng.normal(size=len(t)) * np.exp(-60 * since)


def noise(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Hiss, smoothed over one to six samples."""
    width = rng.integers(1, 7)
    return np.convolve(rng.normal(size=len(t)), np.ones(width) / width, "same")


KINDS = (tones, drums, noise)


def save(path: Path, sound: np.ndarray, loudness: float) -> str:
    """One channel of 16 bits."""
    samples = np.rint(sound / np.abs(sound).max() * loudness * 32_767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return str(path)


def world(folder: Path, sounds: int, users: int, seed: int) -> tuple[Dataset, np.ndarray]:
    """The dataset and the kind of each item; the second half of a kind's sounds is new to all.

    ``sounds`` of each kind, ``users`` who like each.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(RATE) / RATE
    count = len(KINDS) * sounds
    kind = np.repeat(np.arange(len(KINDS)), sounds)
    new = np.arange(count) % sounds >= sounds // 2
    names = [f"{place:04}" for place in rng.permutation(count)]  # a name tells no kind
    paths = [
        save(folder / f"{name}.wav", KINDS[k](rng, t), rng.uniform(0.1, 0.9))
        for name, k in zip(names, kind, strict=True)
    ]
    rows = []
    for user in range(len(KINDS) * users):
        heard = sounds // 3
        liked = np.where(
            rng.random(heard) < FAITHFUL, user // users, rng.integers(0, len(KINDS), heard)
        )
        rows += [(f"u{user:04}", names[rng.choice(np.flatnonzero((kind == k) & ~new))], at)
                 for at, k in enumerate(liked)]  # fmt: skip
    user, item, at = (list(column) for column in zip(*rows, strict=True))
    items = {"item": names, "audio": paths}
    data = from_columns(user, item, "listen", at, items=items, time="order", target="listen")
    order = np.argsort(names)
    assert data.catalogue.items.ids == tuple(sorted(names))
    assert np.array_equal(data.event_counts == 0, new[order]), (
        "each old sound has been heard, no new one"
    )
    return data, kind[order]


def right(data: Dataset, kind: np.ndarray, k: int) -> np.ndarray:
    """The share of the liked kind in the top k of the new items, for each user."""
    expert = TransitionFitter(data)(SETTINGS)
    new = np.flatnonzero(data.event_counts == 0)
    scores = expert.score(data.events.histories(np.arange(len(data.users))))[:, new]
    top = new[np.argsort(-scores, axis=1, kind="stable")[:, :k]]
    liked = np.repeat(np.arange(len(KINDS)), len(data.users) // len(KINDS))
    return (kind[top] == liked[:, None]).mean(axis=1)


def dealt(data: Dataset, seed: int) -> Dataset:
    """The data with the rows of its sounds in another order."""
    feature = data.catalogue.features["audio"]
    rows = np.random.default_rng(seed).permutation(feature.rows)
    features = {"audio": replace(feature, rows=rows)}
    return replace(data, catalogue=replace(data.catalogue, features=features))


def compared(worlds: int, sounds: int, users: int, k: int = 10) -> dict:
    found, control, seconds = [], [], 0.0
    for seed in range(worlds):
        with TemporaryDirectory() as scratch:
            data, kind = world(Path(scratch), sounds, users, seed)
            began = time.perf_counter()
            settings = ContentSettings(text="none", image="none", audio="librosa")
            data, read = encode_items(data, settings, cache=Cache(Path(scratch) / "cache"))
            seconds += time.perf_counter() - began
        assert not read.modalities["audio"].unread
        found.append(right(data, kind, k))
        control.append(right(dealt(data, seed), kind, k))
    everyone = np.concatenate(found)
    return {
        "worlds": worlds,
        "sounds": len(KINDS) * sounds,
        "new": int((data.event_counts == 0).sum()),
        "users": len(data.users),
        "events": len(data.events),
        "k": k,
        "encoder": read.modalities["audio"].encoder,
        "settings": SETTINGS.model_dump(),
        "read_seconds": round(seconds / worlds, 1),
        "chance": 1 / len(KINDS),
        "right": metrics.bootstrap(everyone, 0)._asdict(),
        "less_chance": metrics.bootstrap(everyone - 1 / len(KINDS), 0)._asdict(),
        "of_each_world": [round(float(one.mean()), 4) for one in found],
        "of_each_kind": {
            of.__name__: float(np.mean([part.reshape(len(KINDS), -1)[n] for part in found]))
            for n, of in enumerate(KINDS)
        },
        "dealt_anew": metrics.bootstrap(np.concatenate(control), 0)._asdict(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=5)
    parser.add_argument("--sounds", type=int, default=40, help="of each kind; half of them new")
    parser.add_argument("--users", type=int, default=100, help="who like each kind")
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args()
    found = compared(told.worlds, told.sounds, told.users)
    told.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
