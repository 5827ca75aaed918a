"""Seconds until an item that nobody has met can be recommended: its column of B, and the update.

    python benchmarks/new_item.py --out benchmarks/results/new-item.json

A generated catalogue with tags and a feature of 128 numbers, its events, a fitted transition
expert. The column alone is one small solve beside the fit, for the item's rows of content. The
update is everything: the catalogue, the events and the sums move to their places in the larger
catalogue; its item brings tags alone, as a feature would come from an encoder. The mark is 50 ms
for the column. Processor seconds stand beside those of the clock, which other work may lengthen.

An item that takes the idf of one of its tags over a step of 1/4 changes what other items are, so
that other columns are solved too: such items are counted, and left out of both.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from penchant import from_columns
from penchant.config import TransitionSettings
from penchant.data.dataset import Dataset
from penchant.data.item_features import Feature
from penchant.data.merge import merge
from penchant.features.kernels import new_item_content
from penchant.models.transition.cold_start import cold_columns
from penchant.models.transition.recommender import TransitionFitter
from penchant.recommendation import Model
from penchant.training.update import update

SETTINGS = TransitionSettings(content_weights={"tags": 2.0, "vector": 2.0}, cold=10.0)
REPEATS = 20
LENGTH = 20  # events of a user
KINDS, TAGS, WIDTH = 100, 500, 128
MARK = 0.05


def described(rng: np.random.Generator, items: int) -> tuple[np.ndarray, list, np.ndarray]:
    """The kind of each item, five tags of which three are its kind's, and its vector."""
    kind = rng.integers(0, KINDS, items)
    own = kind[:, None] * (TAGS // KINDS) + rng.integers(0, TAGS // KINDS, (items, 3))
    drawn = np.concatenate([own, rng.integers(0, TAGS, (items, 2))], axis=1)
    tags = [[f"tag {tag}" for tag in row] for row in drawn.tolist()]
    centers = np.random.default_rng(0).standard_normal((KINDS, WIDTH))
    return kind, tags, centers[kind] + rng.standard_normal((items, WIDTH))


def world(items: int, users: int, seed: int) -> Dataset:
    """Users who mostly stay with one kind of items; popularity falls as the root of the rank."""
    rng = np.random.default_rng(seed)
    kind, tags, vectors = described(rng, items)
    order = np.argsort(kind, kind="stable")
    start = np.searchsorted(kind[order], np.arange(KINDS + 1))
    liked = np.repeat(rng.integers(0, KINDS, users), LENGTH)
    stray = rng.random(len(liked)) < 0.2
    liked[stray] = rng.integers(0, KINDS, stray.sum())
    place = rng.random(len(liked)) ** 2 * np.diff(start)[liked]
    item = order[start[liked] + place.astype(int)]
    names = np.array([f"item {place:06}" for place in rng.permutation(items)], object)
    data = from_columns(
        np.repeat([f"user {user:06}" for user in range(users)], LENGTH),
        names[item],
        "view",
        np.tile(np.arange(LENGTH), users),
        items={"item": names, "tags": tags},
        time="order",
        target="view",
    )
    vectors = vectors[np.argsort(names)]
    feature = Feature.fit(vectors, np.ones(items, bool), WIDTH, "given")
    return replace(data, catalogue=replace(data.catalogue, features={"vector": feature}))


def newcomers(data: Dataset, tags: list) -> Dataset:
    """Items with these tags and no event."""
    names = [f"item {place:06} new" for place in range(len(tags))]
    known = {"time": data.time, "target": data.target, "behaviors": data.catalogue.behaviors}
    return from_columns([], [], [], [], items={"item": names, "tags": tags}, **known)


def contents(data: Dataset, tags: list, vectors: np.ndarray) -> dict | None:
    """The unit rows of new items in each modality; None where they change what a tag is worth."""
    merged = merge(data, newcomers(data, tags))
    catalogue = merged.dataset.catalogue
    new = np.setdiff1d(np.arange(len(catalogue)), merged.items)
    given = np.zeros((len(catalogue), WIDTH))
    given[new] = vectors
    present = np.isin(np.arange(len(catalogue)), new)
    feature = catalogue.features["vector"].encode(given, present)
    catalogue = replace(catalogue, features={"vector": feature})
    return new_item_content(data.catalogue, catalogue, merged.items, new)


def timed(work: Callable[[int], object], repeats: int) -> dict[str, float]:
    """Seconds of the clock and of the processor: the first time, then median and most."""
    clock, processor = [], []
    for place in range(repeats + 1):
        began, busy = time.perf_counter(), time.process_time()
        work(place)
        clock.append(time.perf_counter() - began)
        processor.append(time.process_time() - busy)
    return {
        "first": round(clock[0], 4),
        "median": round(float(np.median(clock[1:])), 4),
        "max": round(max(clock[1:]), 4),
        "processor_median": round(float(np.median(processor[1:])), 4),
        "processor_max": round(max(processor[1:]), 4),
    }


def measured(items: int, users: int, seed: int = 0, repeats: int = REPEATS) -> dict:
    data = world(items, users, seed)
    began = time.perf_counter()
    expert = TransitionFitter(data)(SETTINGS)
    fit_seconds = time.perf_counter() - began
    _, drawn, vectors = described(np.random.default_rng(seed + 1), 2 * repeats)
    made = [contents(data, drawn[n : n + 1], vectors[n : n + 1]) for n in range(2 * repeats)]
    alike = [n for n, rows in enumerate(made) if rows is not None]
    rows, tags = [made[n] for n in alike], [drawn[n] for n in alike]
    assert len(rows) > 1, f"all of {len(made)} items change what a tag is worth: take more items"
    repeats = min(repeats, len(rows) - 1)
    columns = []

    def column(place: int) -> None:
        found = cold_columns(
            expert.statistics, expert.cold_start_context, expert.settings, rows[place]
        )
        columns.append(found)

    alone = timed(column, repeats)
    model = Model(data, expert)
    solved = []

    def whole(place: int) -> None:
        _, receipt = update(model, newcomers(data, tags[place : place + 1]))
        solved.append(receipt.solved)

    everything = timed(whole, min(repeats, 5))
    assert set(solved) == {1}, "one column is solved, and no other"
    return {
        "items": items,
        "events": len(data.events),
        "width": WIDTH,
        "tags": len({tag for of_item in data.catalogue.tags for tag in of_item}),
        "candidates": expert.settings.candidates,
        "fit_seconds": round(fit_seconds, 1),
        "predictors": int(np.median([found.nnz for found in columns])),
        "repeats": repeats,
        "mark_seconds": MARK,
        "column": alone,
        "update": everything,
        "update_repeats": min(repeats, 5),
        "drawn": len(made),
        "changed_the_worth_of_a_tag": len(made) - len(alike),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--users", type=int, default=15_000, help=f"of {LENGTH} events each")
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args()
    found = measured(told.items, told.users)
    told.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
