"""One data set seen in several ways, each fitted by every model and asked the same questions.

What benchmarks/behaviors.py and benchmarks/domains.py share.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penchant.config import Recipe
from penchant.data.dataset import Dataset, Histories
from penchant.data.splitting.cases import Cases, Split
from penchant.evaluation import metrics
from penchant.evaluation.evaluate import Evaluation, evaluate
from penchant.models.base import Recommender
from penchant.training.fit import Trained, train
from penchant.types import Scores

MODELS = ("transition", "sequence", "fusion")
SHOWN = ("recall@10", "ndcg@10")


@dataclass(frozen=True)
class Variant:
    """A way to see a data set: what is fitted, and how a history of the whole set looks in it."""

    dataset: Dataset
    parts: Split
    seen: Callable[[Histories], Histories] = lambda histories: histories


@dataclass(frozen=True)
class Reader:
    """A model of a variant, asked with the histories of the whole data set.

    What is left out of a list are the items of the whole history, so that all variants have the
    same candidates.
    """

    model: Recommender
    seen: Callable[[Histories], Histories]

    def score(self, histories: Histories) -> Scores:
        return self.model.score(self.seen(histories))


def fitted(
    variant: Variant, recipe: Recipe, label: str, made: dict[str, Trained] | None = None
) -> dict[str, Trained]:
    """Every model of a variant but those ``made``, settings chosen on its validation cases."""
    began = time.perf_counter()

    def told(text: str) -> None:
        print(f"{time.perf_counter() - began:6.0f} s  {label}: {text}", file=sys.stderr, flush=True)

    made = {} if made is None else made
    for name in MODELS:
        if name not in made:
            train(variant.dataset, variant.parts, name, recipe, told, made)
    return made


def asked(model: Any, dataset: Dataset, cases: Cases, recipe: Recipe) -> Evaluation:
    """What a model does on some cases."""
    return evaluate(model, dataset.catalogue, cases, repeats=recipe.repeats, seed=recipe.seed)


def means(values: dict[str, Any], seed: int, users: Any) -> dict[str, Any]:
    """Mean of each shown metric with its interval over users."""
    return {name: metrics.bootstrap(values[name], seed, cluster=users)._asdict() for name in SHOWN}


def difference(ours: Any, other: Any, seed: int, users: Any) -> dict[str, Any]:
    """Paired difference of each shown metric with its interval over users."""
    return {
        name: metrics.paired(ours[name], other[name], seed, cluster=users)._asdict()
        for name in SHOWN
    }


def fusion_less_best(values: dict[str, dict[str, Any]], seed: int, users: Any) -> dict[str, Any]:
    """The fusion less the expert that is better by NDCG@10, paired."""
    best = max(("transition", "sequence"), key=lambda name: float(values[name]["ndcg@10"].mean()))
    return {"against": best, **difference(values["fusion"], values[best], seed, users)}


def settings(trained: Trained) -> dict[str, Any]:
    """What validation chose, as JSON types."""
    found: dict[str, Any] = trained.recommender.settings.model_dump()
    return found


def line(label: str, entry: dict[str, Any]) -> str:
    """One row for a person."""
    m = entry["metrics"]
    cells = [
        f"{m[name]['value']:.4f} +-{(m[name]['high'] - m[name]['low']) / 2:.4f}" for name in SHOWN
    ]
    return f"{label:32} " + "  ".join(cells)


def signed(entry: dict[str, float]) -> str:
    """A difference with its interval for a person."""
    return f"{entry['value']:+.4f} [{entry['low']:+.4f}, {entry['high']:+.4f}]"


def main(description: str | None, compared: Callable[[Path, Recipe], dict[str, Any]]) -> None:
    """The command of a script: every data set compared, written as one JSON document."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args()
    recipe = Recipe.load(overrides=told.overrides)
    found = [compared(path, recipe) for path in told.data]
    told.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
