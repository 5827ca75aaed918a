"""What content is worth: warm users, and items that nobody has met, with and without each modality.

    python benchmarks/content.py DATA --out benchmarks/results/content-NAME.json

For each seed 5 % of the items, by a hash of their identifiers, are held out of training entirely,
and 5 % for validation. *Warm* is leave-one-out on all other items, with ``cold`` at 0; *cold* asks
each user's events on the held-out items, ranked among all items, with the ``cold`` that did best on
the validation items of the first seed, as did the alpha of each modality; *price* is the warm
ranking then. The next rows are "all" with less and more of ``cold``, warm and cold by one model,
and the last take away some of the images. Of each seed's users at most ``--users`` are asked, drawn
by the seed.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse

from penchant import load_dataset
from penchant.config import Recipe
from penchant.data.dataset import Dataset
from penchant.data.splitting.cases import Cases
from penchant.data.splitting.split import split
from penchant.evaluation import metrics
from penchant.evaluation.evaluate import evaluate
from penchant.features.item_content import encode_items
from penchant.features.kernels import content_rows, unit_rows
from penchant.models.registry import BASELINES
from penchant.models.transition.cold_start import ColdStartContext, cold_columns
from penchant.models.transition.recommender import (
    Transition,
    TransitionFitter,
    TransitionSettings,
    with_defaults,
)

SEEDS = 5
COLD = (0.0, 10.0, 100.0, 1000.0, 10_000.0)
ALPHA = (0.5, 1.0, 2.0, 4.0, 8.0)
DIAL = (1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)
MISSING = (0.25, 0.5, 0.75, 1.0)
SHOWN = ("warm ndcg@10", "cold recall@10", "cold recall@50", "cold ndcg@10", "price ndcg@10")


@dataclass(frozen=True)
class World:
    """One seed: what is fitted on, and who is asked. ``try_`` are the cold cases of validation."""

    data: Dataset
    warm: Cases
    cold: Cases
    try_: Cases


def world(dataset: Dataset, seed: int, users: int) -> World:
    rng = np.random.default_rng(seed)
    cold = split(dataset, "cold-item", seed)
    parts = split(dataset.with_events(cold.train), "leave-one-out", seed)
    data = dataset.with_events(parts.train)

    def known(cases: Cases) -> Cases:
        histories = data.events.histories(cases.histories.users)
        cases = replace(cases, histories=histories)
        return some(cases.take(np.flatnonzero(histories.lengths > 0)))

    def some(cases: Cases) -> Cases:
        return cases.take(np.sort(rng.permutation(len(cases.histories))[:users]))

    return World(data, some(parts.test), known(cold.test), known(cold.validation))


def without(data: Dataset, missing: float, seed: int) -> Dataset:
    """The data with the images of a share of its items taken away."""
    feature = data.catalogue.features["image"]
    gone = np.random.default_rng(seed).random(len(feature.rows)) < missing
    rows = np.where(gone[:, None], 0, feature.rows).astype(np.float32)
    features = {**data.catalogue.features, "image": replace(feature, rows=rows)}
    return replace(data, catalogue=replace(data.catalogue, features=features))


class Bench:
    """What all rows share: the recipe and the clock."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.began = time.perf_counter()

    def told(self, text: str) -> None:
        seconds = time.perf_counter() - self.began
        print(f"{seconds:6.0f} s  {text}", file=sys.stderr, flush=True)

    def chosen(self, world: World, modalities: tuple[str, ...], label: str) -> TransitionSettings:
        """Climb cold, then each alpha, by NDCG@10 of the validation items."""
        data, fit, cases = world.data, TransitionFitter(world.data), world.try_
        everything = dict.fromkeys(data.catalogue.modalities, 0.0)
        best = with_defaults(self.recipe.transition, data).model_copy(
            update={"content_weights": {**everything, **dict.fromkeys(modalities, 2.0)}}
        )
        if not modalities:
            return best
        base, rows = fit(best), content_rows(data.catalogue)
        new = np.flatnonzero(data.event_counts == 0)
        unit = {name: unit_rows(of)[new] for name, of in rows.items()}
        N = len(data.catalogue)
        met = scipy.sparse.diags_array((data.event_counts > 0).astype(np.float32), format="csr")
        place = scipy.sparse.csr_array(
            (np.ones(len(new), np.float32), (np.arange(len(new)), new)), (len(new), N)
        )

        def value(settings: TransitionSettings) -> float:
            """Of the columns of new items alone; those of the others stay as they were."""
            around = ColdStartContext.of(rows, settings, data.event_counts > 0)
            columns = cold_columns(base.statistics, around, settings, unit) @ place
            model = Transition.of(base.B @ met + columns, data, settings, base.statistics)
            found = evaluate(model, data.catalogue, cases, seed=self.recipe.seed)
            return found.mean("ndcg@10")

        top = -1.0
        for cold in COLD:
            tried = best.model_copy(update={"cold": cold})
            if (found := value(tried)) > top:
                best, top = tried, found
        for name in modalities if len(modalities) > 1 else ():
            for alpha in ALPHA:
                if alpha == best.content_weights[name]:
                    continue
                tried = best.model_copy(
                    update={"content_weights": {**best.content_weights, name: alpha}}
                )
                if (found := value(tried)) > top:
                    best, top = tried, found
        self.told(
            f"{label}: cold {best.cold:g}, {best.content_weights}: validation NDCG@10 {top:.4f}"
        )
        return best

    def asked(self, models, world: World) -> dict[str, np.ndarray]:
        """One value for each case of each kind, of a model for warm and one for cold."""
        catalogue, seed = world.data.catalogue, self.recipe.seed
        plain, other = models
        warm = evaluate(plain, catalogue, world.warm, seed=seed).cases
        price = warm if other is plain else evaluate(other, catalogue, world.warm, seed=seed).cases
        cold = evaluate(other, catalogue, world.cold, seed=seed).cases
        wide = evaluate(other, catalogue, world.cold, k=50, seed=seed).cases
        return {
            "warm ndcg@10": warm["ndcg@10"],
            "cold recall@10": cold["recall@10"],
            "cold recall@50": wide["recall@50"],
            "cold ndcg@10": cold["ndcg@10"],
            "price ndcg@10": price["ndcg@10"],
        }


def compared(path: Path, recipe: Recipe, seeds: int, users: int) -> dict:
    bench = Bench(recipe)
    dataset = load_dataset(path).with_target(recipe.target)
    dataset, read = encode_items(dataset, recipe.content, bench.told)
    modalities = dataset.catalogue.modalities
    rows = {"none": (), **{name: (name,) for name in modalities}, "all": modalities}
    worlds = [world(dataset, seed, users) for seed in range(seeds)]
    settings = {name: bench.chosen(worlds[0], of, name) for name, of in rows.items()}
    values: dict[str, list[dict[str, np.ndarray]]] = {}
    for seed, one in enumerate(worlds):
        fit = TransitionFitter(one.data)
        for name in rows:
            values.setdefault(name, []).append(bench.asked(both(fit, settings[name]), one))
            bench.told(f"seed {seed}, {name}")
        for cold in DIAL:
            model = fit(settings["all"].model_copy(update={"cold": cold}))
            values.setdefault(f"all, cold {cold:g}", []).append(bench.asked((model, model), one))
        bench.told(f"seed {seed}, more and less of cold")
        popular = BASELINES["popularity"]
        model = popular.fitter(one.data, seed)(popular.settings())
        values.setdefault("popularity", []).append(bench.asked((model, model), one))
        for missing in MISSING if "image" in modalities else ():
            fewer = TransitionFitter(without(one.data, missing, seed))
            fewer.sums = fit.sums  # pictures are no part of them
            for name in ("image", "all"):
                label = f"{name}, {missing:.0%} of the images missing"
                values.setdefault(label, []).append(bench.asked((fewer(settings[name]),) * 2, one))
            bench.told(f"seed {seed}, {missing:.0%} of the images missing")
    users_of = {
        kind: np.concatenate([getattr(one, kind).histories.users for one in worlds])
        for kind in ("warm", "cold")
    }

    def joined(name: str, metric: str) -> np.ndarray:
        return np.concatenate([of[metric] for of in values[name]])

    def interval(name: str, metric: str, less: str | None = None) -> dict[str, float]:
        cluster = users_of["cold" if metric.startswith("cold") else "warm"]
        ours = joined(name, metric)
        if less is None:
            return metrics.bootstrap(ours, recipe.seed, cluster=cluster)._asdict()
        return metrics.paired(ours, joined(less, metric), recipe.seed, cluster=cluster)._asdict()

    best = max(modalities, key=lambda name: float(joined(name, "cold recall@10").mean()))
    against = [("all", best), ("all", "popularity"), ("all", "none")]
    against += [(f"all, cold {cold:g}", "none") for cold in DIAL]
    if "image" in modalities:
        rest = tuple(name for name in modalities if name != "image")
        values["all but images"] = [
            bench.asked((TransitionFitter(one.data)(_off(settings["all"], "image")),) * 2, one)
            for one in worlds
        ]
        against += [
            (f"all, {missing:.0%} of the images missing", "all but images") for missing in MISSING
        ]
        bench.told(f"all but images: {', '.join(rest)}")
    found = {
        "dataset": dataset.name,
        "seeds": seeds,
        "cases": {kind: len(users) for kind, users in users_of.items()},
        "content": read.to_dict(),
        "rows": [
            {
                "row": name,
                "settings": settings[name].model_dump() if name in settings else None,
                "metrics": {metric: interval(name, metric) for metric in SHOWN},
            }
            for name in values
        ],
        "differences": [
            {
                "row": name,
                "less": less,
                "metrics": {metric: interval(name, metric, less) for metric in SHOWN},
            }
            for name, less in against
        ],
    }
    return found


def both(fit: TransitionFitter, settings: TransitionSettings) -> tuple[Transition, Transition]:
    """The fit that asks no more of content than the sums do, and that of the settings."""
    plain = fit(settings.model_copy(update={"cold": 0.0}))
    return plain, fit(settings) if settings.cold else plain


def _off(settings: TransitionSettings, name: str) -> TransitionSettings:
    return settings.model_copy(update={"content_weights": {**settings.content_weights, name: 0.0}})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--users", type=int, default=2000, help="asked for each trial")
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args()
    found = compared(told.data, Recipe.load(None, told.overrides), told.seeds, told.users)
    told.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in found["rows"]:
        cells = [f"{metric} {row['metrics'][metric]['value']:.4f}" for metric in SHOWN]
        print(f"{row['row']:36} " + "  ".join(cells))


if __name__ == "__main__":
    main()
