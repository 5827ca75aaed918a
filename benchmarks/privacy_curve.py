"""NDCG@10 against epsilon: each private method beside what is not private.

    python benchmarks/privacy_curve.py DATA --out F.json

Each method is released from the training events once for each epsilon, by the settings as they
stand (none is searched, so none leaks), and asked on the test cases; "inf" is its clipped sums
without noise; the deep expert by DP-SGD has no such end. Popularity and the transition expert
without privacy stand beside.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from penchant import load_dataset
from penchant.config import Recipe
from penchant.data.dataset import Dataset
from penchant.data.splitting.split import split
from penchant.evaluation.evaluate import Evaluation, evaluate
from penchant.features.item_content import encode_items
from penchant.models.base import Recommender
from penchant.models.baselines.popularity import POPULARITY
from penchant.models.private import ReleaseSettings
from penchant.models.transition.recommender import TransitionFitter
from penchant.privacy import Ledger
from penchant.privacy.differential.fit import release_model
from penchant.privacy.differential.release import MOST_ITEMS, Budget

EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0, None)
DEEP = (2.0, 8.0)
METHODS = ("popularity", "projected", "mixture", "full", "sequence")


def curve(dataset: Dataset, delta: float, recipe: Recipe, methods: list[str]) -> dict:
    began = time.perf_counter()
    dataset, _ = encode_items(dataset.with_target(recipe.target), recipe.content)
    parts = split(dataset, seed=recipe.seed)
    data = dataset.with_events(parts.train)

    def told(text: str) -> None:
        print(f"{time.perf_counter() - began:6.0f} s  {text}", file=sys.stderr, flush=True)

    def asked(model: Recommender) -> Evaluation:
        return evaluate(model, data.catalogue, parts.test, repeats=recipe.repeats, seed=recipe.seed)

    popular = asked(POPULARITY.fitter(data, recipe.seed)(POPULARITY.settings()))
    plain = {"popularity": popular, "transition": asked(TransitionFitter(data)(recipe.transition))}
    for name, found in plain.items():
        told(f"{name}, not private: {found.mean('ndcg@10'):.4f}")
    rows = []
    for method in methods:
        if method == "full" and len(data.catalogue) > MOST_ITEMS:
            told("full: too many items")
            continue
        changed = recipe.privacy.model_copy(update={"method": method})
        settings = ReleaseSettings(privacy=changed, transition=recipe.transition)
        for epsilon in EPSILONS:
            if method == "sequence" and epsilon not in DEEP:
                continue  # each is minutes of training
            ledger = None if epsilon is None else Ledger(epsilon, delta)
            start = time.perf_counter()
            model, spent = release_model(data, settings, recipe.sequence, Budget(ledger))
            seconds = time.perf_counter() - start
            found = asked(model)
            rows.append(
                {
                    "method": method,
                    "epsilon": "inf" if epsilon is None else epsilon,
                    "spent": {} if spent is None else dict(spent.spent),
                    "seconds": round(seconds, 1),
                    "ndcg@10": found.metrics["ndcg@10"]._asdict(),
                    "recall@10": found.metrics["recall@10"]._asdict(),
                    "less popularity without privacy": found.minus(popular, "ndcg@10")._asdict(),
                }
            )
            told(f"{method}, epsilon {epsilon}: {found.mean('ndcg@10'):.4f}")
    return {
        "dataset": dataset.name,
        "protocol": parts.protocol,
        "cases": len(parts.test.histories),
        "users": len(data.users),
        "items": len(data.catalogue),
        "contents": list(data.catalogue.modalities),
        "delta": delta,
        "settings": recipe.privacy.model_dump(exclude={"method", "public"}),
        "network": recipe.sequence.model_dump(include={"embedding_size", "layers", "max_length"}),
        "not private": {
            name: {m: of.metrics[m]._asdict() for m in ("ndcg@10", "recall@10")}
            for name, of in plain.items()
        },
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--delta", type=float, default=1e-6)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--out", type=Path, required=True, help="Rows of other methods stay in it.")
    told = parser.parse_args()
    methods = told.methods.split(",")
    recipe = Recipe.load(None, told.overrides)
    found = curve(load_dataset(told.data), told.delta, recipe, methods)
    if told.out.exists():
        old = json.loads(told.out.read_text("utf-8"))["rows"]
        found["rows"] = [row for row in old if row["method"] not in methods] + found["rows"]
    told.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in found["rows"]:
        value = row["ndcg@10"]
        span = f"[{value['low']:.4f}, {value['high']:.4f}]"
        print(f"{row['method']:10} epsilon {row['epsilon']:>4}  {value['value']:.4f} {span}")


if __name__ == "__main__":
    main()
