"""Users that nobody has met: what their attributes say before, and after, their first events.

    python benchmarks/newcomers.py DATA --protected gender,age --attributes occupation --out F.json

10 % of the users, by a hash of their identifiers, are held out of training entirely, and 10 % for
validation. Each is asked with their first 0, 1, 3 and 10 events for their next ten; what an
attribute weighs is chosen on the validation users.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from penchant import load_dataset
from penchant.config import Recipe
from penchant.data.dataset import Dataset
from penchant.data.splitting import protocols
from penchant.data.splitting.cases import Cases
from penchant.data.user_attributes import select_attributes
from penchant.data.vocabulary import Vocabulary
from penchant.evaluation import metrics
from penchant.evaluation.evaluate import evaluate
from penchant.models.registry import BASELINES
from penchant.models.transition.recommender import TransitionFitter, with_defaults

AFTER = (0, 1, 3, 10)
AHEAD = 10
SHARE = 0.1
WEIGHTS = (0.2, 0.5, 1.0, 2.0, 5.0)
SHOWN = ("recall@10", "ndcg@10")


def first_events(dataset: Dataset, users: np.ndarray, count: int) -> Cases:
    """Users with their first ``count`` events, and the items of the ten after these."""
    whole = dataset.events.sorted().histories(users)
    place = np.arange(len(whole.events)) - np.repeat(whole.indptr[:-1], whole.lengths)
    truth = whole.keep((place >= count) & (place < count + AHEAD))
    some = np.flatnonzero(truth.lengths > 0)
    histories, truth = whole.keep(place < count).take(some), truth.take(some)
    behavior = np.full(len(some), dataset.catalogue.behavior(dataset.target))
    return Cases(histories, truth.indptr, truth.events.item, behavior, np.full(len(some), -1))


def compared(path: Path, recipe: Recipe) -> dict:
    began = time.perf_counter()

    def told(text: str) -> None:
        print(f"{time.perf_counter() - began:6.0f} s  {text}", file=sys.stderr, flush=True)

    dataset, notes = select_attributes(load_dataset(path).with_target(recipe.target), recipe.users)
    parts = protocols.cold_user(dataset, recipe.seed, SHARE)
    data = dataset.with_events(parts.train)
    asked = {
        part: {count: first_events(dataset, cases.histories.users, count) for count in AFTER}
        for part, cases in (("validation", parts.validation), ("test", parts.test))
    }
    fit = TransitionFitter(data)

    def value(model, part: str) -> dict[int, dict[str, np.ndarray]]:
        return {
            count: evaluate(model, data.catalogue, cases, seed=recipe.seed).cases
            for count, cases in asked[part].items()
        }

    best, top = 0.0, -1.0
    for weight in WEIGHTS:
        model = fit(recipe.transition.model_copy(update={"attributes": weight}))
        found = value(model, "validation")
        mean = float(np.mean([of["ndcg@10"].mean() for of in found.values()]))
        told(f"an attribute weighs {weight:g}: validation NDCG@10 {mean:.4f}")
        if mean > top:
            best, top = weight, mean
    bare = replace(data, catalogue=replace(data.catalogue, attributes=Vocabulary(())))
    popular = BASELINES["popularity"]
    models = {
        "popularity": popular.fitter(data, recipe.seed)(popular.settings()),
        "without attributes": TransitionFitter(bare)(with_defaults(recipe.transition, data)),
        "with attributes": fit(recipe.transition.model_copy(update={"attributes": best})),
    }
    values = {name: value(model, "test") for name, model in models.items()}
    ours = values["with attributes"]
    return {
        "dataset": dataset.name,
        "attributes": list(dataset.catalogue.attributes.ids),
        "notes": list(notes),
        "weight": best,
        "rows": [
            {
                "model": name,
                "after": count,
                "cases": len(asked["test"][count].histories),
                "metrics": {m: metrics.bootstrap(of[m], recipe.seed)._asdict() for m in SHOWN},
                "with attributes less this": {
                    m: metrics.paired(ours[count][m], of[m], recipe.seed)._asdict() for m in SHOWN
                },
            }
            for count in AFTER
            for name, by in values.items()
            for of in [by[count]]
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--attributes", default="")
    parser.add_argument("--protected", default="")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args()
    lists = {
        name: tuple(filter(None, getattr(told, name).split(",")))
        for name in ("attributes", "protected")
    }
    recipe = Recipe.load(None, told.overrides)
    recipe = recipe.model_copy(update={"users": recipe.users.model_copy(update=lists)})
    found = compared(told.data, recipe)
    told.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in found["rows"]:
        cells = [f"{m} {row['metrics'][m]['value']:.4f}" for m in SHOWN]
        print(f"after {row['after']:2} events, {row['model']:20} " + "  ".join(cells))


if __name__ == "__main__":
    main()
