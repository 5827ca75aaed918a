"""NDCG against seconds of fitting: the transition expert beside implicit's ALS and BPR.

    python benchmarks/frontier.py DATA --out benchmarks/results/frontier-NAME

One process, one split, one machine. For each family, the bounded search chooses settings on
validation events; then one thing that costs time is moved along a ladder (candidates, iterations,
factors), and each point is fitted and asked the test once. Writes NAME.json, NAME.svg, NAME.md.
"""

import argparse
import json
import os
import time
from pathlib import Path

from penchant.config import Recipe
from penchant.data.io.load import load
from penchant.data.splitting.split import split
from penchant.evaluation.evaluate import evaluate
from penchant.models.registry import FAMILIES
from penchant.training.fit import start
from penchant.training.tuning import changed, search

LADDERS = {
    "transition": [{"candidates": c} for c in (12, 25, 50, 100, 200, 400)],
    "als": [{"iterations": i} for i in (2, 5, 15, 30)] + [{"factors": f} for f in (64, 128, 256)],
    "bpr": [{"iterations": i} for i in (10, 50, 100, 200, 400)],
}
COLORS = {"transition": "#0b6e4f", "als": "#c1440e", "bpr": "#3d5a98"}


def measured(dataset, parts, name, recipe):
    family = FAMILIES[name]
    train = dataset.with_events(parts.train)
    begun = time.perf_counter()
    found = search(
        family, start(family, recipe), train, parts.validation, recipe.search, seed=recipe.seed
    )
    print(f"{name}: {time.perf_counter() - begun:.0f} s of search: {found.settings}", flush=True)
    points = []
    for change in [{}, *LADDERS[name]]:
        settings = changed(found.settings, change)
        if any(point["settings"] == settings.model_dump() for point in points):
            continue
        begun = time.perf_counter()
        model = family.fitter(train, recipe.seed)(settings)
        seconds = time.perf_counter() - begun
        result = evaluate(model, dataset.catalogue, parts.test, seed=recipe.seed)
        metrics = {m: result.metrics[m]._asdict() for m in ("ndcg@10", "recall@10")}
        point = {
            "model": name,
            "chosen": not change,
            "change": change,
            "settings": model.settings.model_dump(),
            "fit_seconds": round(seconds, 3),
            "metrics": metrics,
        }
        print(f"{name} {change}: {seconds:.2f} s, {metrics['ndcg@10']['value']:.4f}", flush=True)
        points.append(point)
    return points


def lines(points):
    rows = ["| model | changed | fit seconds | NDCG@10 | Recall@10 |", "|---|---|---|---|---|"]
    for p in sorted(points, key=lambda p: (p["model"], p["fit_seconds"])):
        n, r = p["metrics"]["ndcg@10"], p["metrics"]["recall@10"]
        change = ", ".join(f"{k} {v}" for k, v in p["change"].items()) or "**as chosen**"
        rows.append(
            f"| {p['model']} | {change} | {p['fit_seconds']:.1f} "
            f"| {n['value']:.4f} ±{(n['high'] - n['low']) / 2:.4f} | {r['value']:.4f} |"
        )
    return "\n".join(rows) + "\n"


def drawn(points, title, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "penchant"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name, color in COLORS.items():
        mine = sorted(
            (p["fit_seconds"], p["metrics"]["ndcg@10"]["value"], p)
            for p in points
            if p["model"] == name
        )
        axes.plot(*zip(*[m[:2] for m in mine], strict=True), "o-", color=color, label=name, ms=4)
        for seconds, value, point in mine:
            n = point["metrics"]["ndcg@10"]
            axes.vlines(seconds, n["low"], n["high"], color=color, lw=1, alpha=0.6)
            if point["chosen"]:
                axes.plot(seconds, value, "o", color=color, ms=9, mfc="none")
    axes.set(
        xscale="log",
        xlabel="seconds of one fit, two cores (ringed: as chosen on validation)",
        ylabel="test NDCG@10, 95 % interval",
        title=title,
    )
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    dataset = load(arguments.data)
    recipe = Recipe(seed=arguments.seed)
    parts = split(dataset, seed=recipe.seed)
    points = [p for name in LADDERS for p in measured(dataset, parts, name, recipe)]
    content = {
        "dataset": dataset.name,
        "protocol": parts.protocol,
        "seed": recipe.seed,
        "cores": os.cpu_count(),
        "points": points,
    }
    out = arguments.out
    out.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    out.with_suffix(".md").write_text(lines(points), encoding="utf-8")
    drawn(points, f"{dataset.name}, {parts.protocol}, full ranking", out.with_suffix(".svg"))
    print(lines(points))


if __name__ == "__main__":
    main()
