"""What several behaviors are worth: target-only, all merged into one, and kept separate.

With separate behaviors, items that a history holds are once more negatives of the sequence expert
where they were excluded, or the other way; and it is scored for each other behavior.

    python benchmarks/behaviors.py DATA... --out benchmarks/results/behaviors.json

For each data set and each way to see it, both experts and their fusion choose their settings on
validation and are asked the same test cases, among the same candidates. Differences are paired.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from penchant import load_dataset
from penchant.config import Recipe
from penchant.data.arrays import is_repeat
from penchant.data.dataset import Catalogue, Dataset, Events, Histories
from penchant.data.splitting.cases import Cases, Split
from penchant.data.splitting.split import split
from penchant.models.sequence import SequenceExpert
from penchant.models.sequence.recommender import history_is_negative
from penchant.training.fit import Trained
from variants import (
    MODELS,
    Reader,
    Variant,
    asked,
    difference,
    fitted,
    fusion_less_best,
    line,
    main,
    means,
    settings,
    signed,
)


def only(dataset: Dataset, parts: Split) -> Variant:
    """The target's events alone."""
    row = dataset.catalogue.behavior(dataset.target)

    def seen(histories: Histories) -> Histories:
        return histories.keep(histories.events.behavior == row)

    train = parts.train.take(parts.train.behavior == row)
    validation, test = (
        replace(cases, histories=seen(cases.histories)) for cases in (parts.validation, parts.test)
    )
    return Variant(dataset, Split(train, validation, test, parts.protocol), seen)


def merged(dataset: Dataset, parts: Split) -> Variant:
    """Every event as if it were one of the target."""
    target = dataset.catalogue.behaviors[dataset.catalogue.behavior(dataset.target)]
    catalogue = replace(dataset.catalogue, behaviors=(target,))

    def seen(histories: Histories) -> Histories:
        events = histories.events
        return replace(histories, events=replace(events, behavior=np.zeros_like(events.behavior)))

    def alike(cases: Cases) -> Cases:
        behavior = np.zeros_like(cases.behavior)
        return replace(cases, histories=seen(cases.histories), behavior=behavior)

    train = replace(parts.train, behavior=np.zeros_like(parts.train.behavior))
    seen_parts = Split(train, alike(parts.validation), alike(parts.test), parts.protocol)
    return Variant(replace(dataset, catalogue=catalogue), seen_parts, seen)


SEPARATE = "separate behaviors"
WAYS = {
    "target only": only,
    "merged": merged,
    SEPARATE: lambda dataset, parts: Variant(dataset, parts),
}
AGAIN = {False: "history items excluded from negatives", True: "history items as negatives"}


def held(events: Events, catalogue: Catalogue) -> dict[str, float]:
    """Of each behavior's events the share of an item that the user's history holds already."""
    events = events.take(events.item >= 0).sorted()
    again = is_repeat(events.user * len(catalogue) + events.item)
    return {
        catalogue.behaviors[row].name: float(again[events.behavior == row].mean())
        for row in np.unique(events.behavior).tolist()
    }


def compared(path: Path, recipe: Recipe) -> dict[str, Any]:
    """All rows of one data set."""
    dataset = load_dataset(path)
    parts = split(dataset, None, recipe.seed)
    rows: list[dict[str, Any]] = []
    cases: dict[tuple[str, str], dict[str, Any]] = {}
    made: dict[str, Trained] = {}
    again = not history_is_negative(dataset.with_events(parts.train), recipe.sequence)
    sequence = recipe.sequence.model_copy(update={"repeats": again})
    otherwise = recipe.model_copy(update={"sequence": sequence})
    seen = [(way, see(dataset, parts), recipe) for way, see in WAYS.items()]
    for way, variant, chosen in (*seen, (AGAIN[again], Variant(dataset, parts), otherwise)):
        same = {} if chosen is recipe else {"transition": made["transition"]}
        made = fitted(variant, chosen, f"{dataset.name}, {way}", same)
        for name, trained in made.items():
            found = asked(Reader(trained.recommender, variant.seen), dataset, parts.test, recipe)
            cases[way, name] = found.cases
            entry = {
                "way": way,
                "model": name,
                "metrics": means(found.cases, recipe.seed, found.clusters),
                "settings": settings(trained),
            }
            if name != "fusion":  # its trials are those of its experts
                tried = [trial.ndcg for trial in trained.trials]
                entry["validation_ndcg@10"] = max(tried, default=None)
            rows.append(entry)
            print(line(f"{dataset.name}, {way}, {name}", entry), flush=True)
        if way == SEPARATE:
            expert = made["sequence"].recommender
            assert isinstance(expert, SequenceExpert)
            for behavior in dataset.catalogue.behaviors:
                if behavior.name != dataset.target and behavior.polarity > 0:
                    other = f"scored for {behavior.name}"
                    found = asked(expert.with_target(behavior.name), dataset, parts.test, recipe)
                    cases[other, "sequence"] = found.cases
    pairs = [
        (SEPARATE, "target only"),
        (SEPARATE, "merged"),
        (AGAIN[again], "merged"),
    ]
    pairs += [(way, SEPARATE) for way in dict.fromkeys(way for way, _ in cases if way not in WAYS)]
    differences = [
        {
            "model": name,
            "way": way,
            "less": other,
            **difference(cases[way, name], cases[other, name], recipe.seed, None),
        }
        for name in MODELS
        for way, other in pairs
        if (way, name) in cases
    ]
    for entry in differences:
        what = f"{dataset.name}, {entry['model']}, {entry['way']} less {entry['less']}"
        print(f"{what}: NDCG@10 {signed(entry['ndcg@10'])}", flush=True)
    apart = {name: cases[SEPARATE, name] for name in MODELS}
    best = fusion_less_best(apart, recipe.seed, None)
    print(f"{dataset.name}: fusion less {best['against']}: {signed(best['ndcg@10'])}", flush=True)
    return {
        "dataset": dataset.name,
        "target": dataset.target,
        "cases": len(parts.test.histories),
        "held": held(parts.train, dataset.catalogue),
        "seed": recipe.seed,
        "rows": rows,
        "differences": differences,
        "fusion_less_best": best,
    }


if __name__ == "__main__":
    main(__doc__, compared)
