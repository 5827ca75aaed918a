"""What each part of the data adds: events of other behaviors, names, tags, friends.

    python benchmarks/parts.py DATA --out benchmarks/results/parts-NAME.json

The transition expert, its settings searched on validation for each row, asked the same test cases.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from penchant import load_dataset
from penchant.config import Recipe
from penchant.data.dataset import Dataset
from penchant.data.splitting.split import split
from penchant.data.user_attributes import select_attributes
from penchant.evaluation.evaluate import evaluate
from penchant.features.item_content import encode_items
from penchant.training.fit import train

SHOWN = ("recall@10", "ndcg@10")
PARTS = ("behaviors", "names", "tags", "friends")


def only(dataset: Dataset, parts: tuple[str, ...]) -> Dataset:
    """The dataset with the target behavior's events and some further parts."""
    catalogue, events = dataset.catalogue, dataset.events
    if "behaviors" not in parts:
        events = events.take(events.behavior == catalogue.behavior(dataset.target))
    features = {name: of for name, of in catalogue.features.items() if name != "text"}
    catalogue = replace(
        catalogue,
        features=catalogue.features if "names" in parts else features,
        tags=catalogue.tags if "tags" in parts else (),
    )
    relations = dataset.relations if "friends" in parts else dataset.relations[:0]
    return replace(dataset, catalogue=catalogue, events=events, relations=relations)


def compared(path: Path, recipe: Recipe) -> dict:
    began = time.perf_counter()

    def told(text: str) -> None:
        print(f"{time.perf_counter() - began:6.0f} s  {text}", file=sys.stderr, flush=True)

    dataset = load_dataset(path).with_target(recipe.target)
    dataset, _ = encode_items(dataset, recipe.content, told)
    dataset, _ = select_attributes(dataset, recipe.users)
    rows = {"alone": (), **{f"with {part}": (part,) for part in PARTS}, "with all": PARTS}
    found, out = {}, []
    for name, parts in rows.items():
        data = only(dataset, parts)
        sides = split(data, None, recipe.seed)
        trained = train(
            data, sides, "transition", recipe, lambda text, n=name: told(f"{n}: {text}")
        )
        found[name] = evaluate(trained.recommender, data.catalogue, sides.test, seed=recipe.seed)
        out.append(
            {
                "row": name,
                "settings": trained.recommender.settings.model_dump(),
                "cases": len(sides.test.histories),
                "metrics": {m: found[name].metrics[m]._asdict() for m in SHOWN},
                "less alone": {m: found[name].minus(found["alone"], m)._asdict() for m in SHOWN},
            }
        )
    return {"dataset": dataset.name, "seed": recipe.seed, "rows": out}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args()
    found = compared(told.data, Recipe.load(None, told.overrides))
    told.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in found["rows"]:
        cells = [f"{m} {row['metrics'][m]['value']:.4f}" for m in SHOWN]
        print(f"{row['row']:16} " + "  ".join(cells))


if __name__ == "__main__":
    main()
