"""One interest against several at an equal budget of training seconds.

    python benchmarks/interests.py DATA --out benchmarks/results/interests-NAME.json

The plain inner product (K = M = 1) is trained for the recipe's epochs; each mixture of K user
vectors and M item facets for as many as take the same seconds, by the speed of its first pass.
Validation says which wins; then each is asked the test once. How far a user's vectors differ, and
what each finds alone, is told of at most 3,000 test users.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from penchant import load_dataset
from penchant.config import Recipe
from penchant.data.splitting.split import split
from penchant.evaluation.evaluate import evaluate
from penchant.models.sequence import SEQUENCE
from penchant.training.tuning import drawn
from penchant.training.vector_diagnostics import judge_vectors

JUDGED = 3000
MIXTURES = ((1, 1), (2, 2), (4, 1), (4, 4))


def compared(path: Path, recipe: Recipe) -> dict[str, Any]:
    """All rows of one data set."""
    dataset = load_dataset(path).with_target(recipe.target)
    parts = split(dataset, None, recipe.seed)
    data = dataset.with_events(parts.train)
    asked = parts.validation.take(drawn(data, parts.validation, recipe.search.users, recipe.seed))
    some = np.random.default_rng(recipe.seed).permutation(len(parts.test.histories))[:JUDGED]
    judged = parts.test.take(np.sort(some))
    fit = SEQUENCE.fitter(data, recipe.seed)
    rows, answers = [], []
    budget = 0.0

    def ndcg(model: Any) -> float:
        return evaluate(model, data.catalogue, asked, seed=recipe.seed).mean("ndcg@10")

    def told(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    for interests, facets in MIXTURES:
        change = {"interests": interests, "facets": facets, "patience": recipe.sequence.epochs}
        settings = recipe.sequence.model_copy(update=change)
        if budget:
            one = fit(settings.model_copy(update={"stop": 1}), progress=told).curve[0].seconds
            epochs = max(1, round(budget / one))
            settings = settings.model_copy(update={"epochs": epochs, "patience": epochs})
        model = fit(settings, watch=ndcg, progress=told)
        seconds = sum(epoch.seconds for epoch in model.curve)
        budget = budget or seconds
        found = evaluate(model, data.catalogue, parts.test, seed=recipe.seed)
        answers.append(found)
        rows.append(
            {
                "interests": interests,
                "facets": facets,
                "epochs": settings.epochs,
                "training_seconds": round(seconds, 1),
                "validation_ndcg@10": max(epoch.ndcg for epoch in model.curve),
                "metrics": {m: found.metrics[m]._asdict() for m in ("recall@10", "ndcg@10")},
                "less_one": found.minus(answers[0], "ndcg@10")._asdict(),
                **judge_vectors(model, data.catalogue, judged).to_dict(),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    best = max(rows, key=lambda row: row["validation_ndcg@10"])
    return {
        "dataset": dataset.name,
        "seed": recipe.seed,
        "settings": recipe.sequence.model_dump(),
        "cases": len(parts.test.histories),
        "validation_chooses": {"interests": best["interests"], "facets": best["facets"]},
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args()
    found = compared(told.data, Recipe.load(told.recipe, told.overrides))
    told.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
