"""Updates and deletions against fits from nothing, on MovieLens-100K: bits, lists, columns, time.

    python benchmarks/exactness.py ML-100K-FOLDER --out benchmarks/results/exactness.json

The folder is RecBole's ml-100k, ingested here with recipes/ml-100k.toml.
"""

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from penchant.config import TransitionSettings
from penchant.data.io import from_columns, load
from penchant.data.merge import merge
from penchant.data.merge import without_users as dataset_without
from penchant.models.transition.recommender import TransitionFitter
from penchant.models.transition.statistics import Statistics, statistics
from penchant.recommendation import Model
from penchant.training.update import update, without_users

SETTINGS = TransitionSettings(candidates=200)


def fitted(data):
    return Model(data, TransitionFitter(data)(SETTINGS))


def compared(name, changed, data):
    """One line: the changed model against a fit on the same data."""
    began = time.perf_counter()
    found, receipt = changed()
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    expected = fitted(data(found))
    whole = time.perf_counter() - began
    a, b = found.recommender, expected.recommender
    lists = [
        bool(np.array_equal(x.items, y.items))
        for x, y in zip(found.recommend_all(10), expected.recommend_all(10), strict=True)
    ]
    return {
        "case": name,
        "same statistics": a.statistics == b.statistics,
        "same B": bool((a.B != b.B).nnz == 0),
        "same top 10 for all users": all(lists),
        "columns solved": receipt.solved,
        "of": receipt.columns,
        "seconds": round(seconds, 2),
        "seconds of a fit": round(whole, 2),
    }


def partitions(data, count=10):
    """Whether sums over random partitions by user, in random order, are the sums of all."""
    whole = statistics(data.events, data.catalogue, SETTINGS, data.time)
    same = 0
    for seed in range(count):
        rng = np.random.default_rng(seed)
        owner = rng.integers(0, 5, len(data.users))[data.events.user]
        total = Statistics.zero(*whole.forward.C.shape)
        for part in rng.permutation(5):
            events = data.events.take(owner == part)
            total = total + statistics(events, data.catalogue, SETTINGS, data.time)
        same += total == whole
    return same


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipes = Path(__file__).parent.parent / "recipes"
    with TemporaryDirectory() as scratch:
        load.ingest(arguments.folder, Path(scratch) / "d", mapping=recipes / "ml-100k.toml")
        data = load.load(Path(scratch) / "d")
    events, model = data.events, fitted(data)
    print(f"{partitions(data)} of 10 random partitions by user have the sums of all, bit for bit")
    gone = [data.users.ids[user] for user in range(0, len(data.users), 47)]
    rows = [
        compared(
            f"forget {len(gone)} users",
            lambda: without_users(model, gone),
            lambda found: dataset_without(data, data.users.rows(gone)),
        )
    ]
    newest = np.zeros(len(events), bool)
    newest[np.lexsort((events.row, events.time))[-1000:]] = True
    item = int(np.argsort(np.bincount(events.item, minlength=len(data.catalogue)))[800])
    for name, mask, new_users in (
        ("the latest 1,000 events", newest, False),
        ("one late event", np.arange(len(events)) == 33_333, False),
        ("the first events of an item", events.item == item, False),
        ("a new user", events.user == 5, True),
    ):
        first, second = (data.with_events(events.take(part)) for part in (~mask, mask))
        if new_users:
            first = dataset_without(first, np.unique(second.events.user))
        before = fitted(first)
        rows.append(
            compared(
                f"update: {name}",
                lambda before=before, second=second: update(before, second),
                lambda found, first=first, second=second: merge(first, second).dataset,
            )
        )
    new = from_columns.from_columns(
        [data.users.ids[9], "someone new"],
        ["a new item"] * 2,
        behavior="rate",
        timestamp=[893_286_700, 893_286_701],
        items={"item": ["a new item"], "tags": [["Comedy"]]},
        time="clock",
    )
    rows.append(
        compared(
            "update: a new item, a new user",
            lambda: update(model, new),
            lambda found: merge(data, new).dataset,
        )
    )
    arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(row)
    assert all(row["same statistics"] and row["same B"] for row in rows)


if __name__ == "__main__":
    main()
