"""The sequence expert beside RecTools' SASRec: events per second, and time to a given NDCG@10.

Both train on identifiers alone with the same width, layers, heads, length and number of
negatives, on the same threads, one after the other, and are asked for the same users' next items
among all that they have not seen. RecTools draws negatives for each position, and its default is
the full softmax: both are rows. The seconds are those of training alone.

    bash benchmarks/peers/rectools.sh
    python benchmarks/training_speed.py DATA... --out benchmarks/results/training-speed.json
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import penchant
from penchant.config import SequenceSettings
from penchant.data.dataset import Dataset
from penchant.data.splitting.split import split
from penchant.evaluation.evaluate import evaluate
from penchant.models.sequence import SEQUENCE
from penchant.training.tuning import drawn

PEER = Path(__file__).parent / "peers"
SAME = {"embedding_size": 64, "layers": 2, "heads": 2, "negatives": 512, "dropout": 0.3}
LENGTHS = {"ml-1m": 200}
"""Events that both read: 50 unless said."""
BATCHES = {50: 512, 200: 2048}
"""Events in a batch of ours; RecTools has its default of 128 users."""


def identifiers(dataset: Dataset) -> Dataset:
    """The dataset without what its items are."""
    catalogue = replace(dataset.catalogue, tags=tuple(() for _ in dataset.catalogue.tags))
    return replace(dataset, catalogue=catalogue)


def compared(path: Path, limit: float, users: int, seed: int) -> dict[str, Any]:
    """One data set's rows."""
    dataset = identifiers(penchant.load_dataset(path))
    parts = split(dataset, "leave-one-out", seed)
    data = dataset.with_events(parts.train)
    asked = parts.validation.take(drawn(data, parts.validation, users, seed))
    same = {**SAME, "max_length": LENGTHS.get(dataset.name, 50)}
    threads = torch.get_num_threads()
    rows = [{"trainer": "penchant", **ours(data, asked, same, limit, seed)}]
    with tempfile.TemporaryDirectory() as folder:
        train = parts.train.sorted()
        np.save(Path(folder, "train.npy"), np.stack([train.user, train.item], axis=1))
        each = np.stack([asked.histories.users, asked.truth], axis=1)
        np.save(Path(folder, "asked.npy"), each)
        for loss in ("sampled_softmax", "softmax"):
            told = {**same, "loss": loss, "learning_rate": 1e-3, "batch_size": 128, "seed": seed}
            told |= {"limit": limit, "threads": threads}
            command = [PEER / ".rectools/bin/python", PEER / "rectools_sasrec.py", folder]
            done = subprocess.run(
                [*command, json.dumps(told)], check=True, stdout=subprocess.PIPE, text=True
            )
            rows.append({"trainer": f"RecTools SASRec, {loss}", **json.loads(done.stdout)})
    mark = max(epoch["ndcg@10"] for epoch in rows[0]["epochs"]) * 0.9
    for row in rows:
        row["seconds_to_mark"] = next(
            (epoch["seconds"] for epoch in row["epochs"] if epoch["ndcg@10"] >= mark), None
        )
        row["times_as_fast"] = round(rows[0]["events_per_second"] / row["events_per_second"], 1)
    return {
        "dataset": dataset.name,
        "same": same,
        "users_asked": len(asked.histories),
        "mark": round(mark, 5),
        "rows": rows,
    }


def ours(
    data: Dataset, asked: Any, same: dict[str, Any], limit: float, seed: int
) -> dict[str, Any]:
    """The sequence expert's curve: its usual schedule, or as much as the peer's time allows."""
    fit = SEQUENCE.fitter(data, seed)
    settings = SequenceSettings(**same, batch_size=BATCHES[same["max_length"]], patience=1000)
    probe = fit(settings.model_copy(update={"stop": 1})).curve[0].seconds
    epochs = max(1, min(settings.epochs, int(limit / probe)))
    model = fit(
        settings.model_copy(update={"epochs": epochs}),
        watch=lambda m: evaluate(m, data.catalogue, asked, seed=seed).mean("ndcg@10"),
        progress=lambda text: print(text, file=sys.stderr, flush=True),
    )
    curve, seconds = [], 0.0
    for epoch in model.curve:
        seconds += epoch.seconds
        curve.append(
            {
                "seconds": round(seconds, 2),
                "targets": round(epoch.events_per_second * epoch.seconds),
                "whole": True,
                "ndcg@10": round(epoch.ndcg, 5),
            }
        )
    events = sum(epoch["targets"] for epoch in curve)
    return {"events_per_second": round(events / seconds, 1), "epochs": curve}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds of training for each")
    parser.add_argument("--users", type=int, default=2000, help="asked after each epoch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args()
    found = {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "limit_seconds": told.limit,
        "sets": [compared(path, told.limit, told.users, told.seed) for path in told.data],
    }
    told.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
