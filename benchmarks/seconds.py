"""Where the seconds of a fit go, and how near the solve comes to its arithmetic.

    python benchmarks/seconds.py DATA [DATA ...] --out benchmarks/results/seconds.json

The floor is the Cholesky factorization and two triangular solves of as many dense systems of the
same sizes, already in memory, on the same threads. Settings are those of the benchmark's result
of the same name where it stands beside --out, else the defaults.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.linalg.lapack import dpotrs
from threadpoolctl import threadpool_limits

from penchant.config import TransitionSettings, current_names
from penchant.data.io.load import load
from penchant.data.splitting.split import split
from penchant.models.transition.recommender import Transition, TransitionFitter, with_defaults
from penchant.models.transition.solver import candidates, solve, system
from penchant.recommendation import Model

EVALUATE = """
import json, sys
from penchant.training.benchmark import Peak
from penchant.data.splitting.split import split
from penchant.evaluation.evaluate import evaluate
from penchant.recommendation import load
with Peak() as peak:
    model = load(sys.argv[1])
    cases = split(model.dataset).test
    found = evaluate(model.recommender, model.dataset.catalogue, cases)
print(json.dumps({
    "cases": len(cases.histories),
    "ndcg@10": found.mean("ndcg@10"),
    "seconds": round(found.seconds, 2),
    "peak_mb": round(peak.megabytes),
}))
"""
"""In a process of its own: load, split, evaluate."""


def chosen(name, folder):
    file = folder / f"{name}.json"
    if not file.is_file():
        return TransitionSettings()
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    row = next(row for row in rows if row["model"] == "transition")
    return TransitionSettings(**current_names(TransitionSettings, row["settings"]))


def floor(sizes):
    """Seconds of the factorizations alone."""
    rng = np.random.default_rng(0)
    ready = {}
    for size in set(sizes):
        X = rng.standard_normal((size, size))
        ready[size] = X @ X.T + size * np.eye(size), rng.standard_normal(size)

    def work(size):
        A, b = ready[size]
        dpotrs(np.linalg.cholesky(A).T, b, lower=0)

    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        began = time.perf_counter()
        list(pool.map(work, sizes, chunksize=64))
        return time.perf_counter() - began


def measured(path, folder):
    dataset = load(path)
    parts = split(dataset)
    settings = with_defaults(chosen(dataset.name, folder), dataset)
    fitter = TransitionFitter(dataset.with_events(parts.train))
    times = {}

    def timed(name, work):
        began = time.perf_counter()
        result = work()
        times[name] = round(time.perf_counter() - began, 2)
        return result

    sums = timed("statistics", lambda: fitter.statistics(settings))
    contents = timed("content", lambda: fitter.content(settings))
    ready = sums, contents
    both = timed("system", lambda: system(*ready, settings, fitter.dataset.event_counts))
    B = timed("solve", lambda: solve(both, settings.candidates))
    columns = np.flatnonzero(np.diff(both.right.indptr))
    sizes = [len(rows) for rows in candidates(both.right, columns, settings.candidates)]
    times["floor of the solve"] = round(floor(sizes), 2)
    model = Transition.of(B, dataset, settings, sums)
    with TemporaryDirectory() as scratch:
        run = Model(dataset, model).save(Path(scratch) / "run")
        command = [sys.executable, "-c", EVALUATE, str(run)]
        evaluated = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {
        "dataset": dataset.name,
        "events": len(parts.train),
        "items": len(dataset.catalogue),
        "columns": len(columns),
        "candidates": settings.candidates,
        "seconds": times,
        "statistics and solve": round(times["statistics"] + times["system"] + times["solve"], 2),
        "evaluate": evaluated,
    }


def lines(rows):
    names = ["statistics", "content", "system", "solve", "floor of the solve"]
    head = ["data", *names, "statistics + system + solve", "evaluate s", "peak MB"]
    text = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in rows:
        cells = [
            row["dataset"],
            *(f"{row['seconds'][name]:.1f}" for name in names),
            f"**{row['statistics and solve']:.1f}**",
            f"{row['evaluate']['seconds']:.1f}",
            f"{row['evaluate']['peak_mb']:,}",
        ]
        text.append("| " + " | ".join(cells) + " |")
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = [measured(path, arguments.out.parent) for path in arguments.data]
    arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    arguments.out.with_suffix(".md").write_text(lines(rows), encoding="utf-8")
    print(lines(rows))


if __name__ == "__main__":
    main()
