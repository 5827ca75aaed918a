"""RecTools' SASRec trained for a time: events per second and NDCG@10 after each epoch, as JSON.

Runs in the environment of benchmarks/peers/rectools.sh. ``benchmarks/training_speed.py`` calls it:

    python rectools_sasrec.py FOLDER '{"embedding_size": 64, ...}'

FOLDER holds train.npy (E, 2) user and item rows in order, and asked.npy (B, 2) a user and the
item that comes next.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


class Clock(Callback):
    """Counts targets and seconds of training steps alone, and stops when the time is up."""

    def __init__(self, limit: float) -> None:
        self.limit, self.seconds, self.targets, self.steps = limit, 0.0, 0, 0

    def on_train_epoch_start(self, trainer: Trainer, module: object) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, module: object, outputs: object, batch: dict, number: int
    ) -> None:
        now = time.perf_counter()
        self.seconds, self.began = self.seconds + now - self.began, now
        self.targets += int((batch["y"] != 0).sum())
        self.steps += 1
        if self.seconds > self.limit:
            trainer.should_stop = True

    @property
    def over(self) -> bool:
        return self.seconds > self.limit


def ndcg(model: SASRecModel, dataset: Dataset, asked: np.ndarray) -> float:
    """Mean NDCG@10 of one right item for each user among all items but those seen."""
    lists = model.recommend(users=asked[:, 0], dataset=dataset, k=10, filter_viewed=True)
    right = pd.DataFrame(asked, columns=[Columns.User, Columns.Item])
    hit = right.merge(lists, on=[Columns.User, Columns.Item])
    return float((1 / np.log2(1 + hit[Columns.Rank])).sum() / len(asked))


def main(folder: Path, told: dict) -> None:
    seed_everything(told["seed"])
    torch.set_num_threads(told["threads"])
    train, asked = np.load(folder / "train.npy"), np.load(folder / "asked.npy")
    frame = pd.DataFrame(train, columns=[Columns.User, Columns.Item])
    frame[Columns.Weight] = 1.0
    frame[Columns.Datetime] = pd.Timestamp(0) + pd.to_timedelta(np.arange(len(frame)), unit="s")
    dataset = Dataset.construct(frame)

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=1,
            callbacks=[Clock(told["limit"])],
            accelerator="cpu",
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
        )

    model = SASRecModel(
        n_blocks=told["layers"],
        n_heads=told["heads"],
        n_factors=told["embedding_size"],
        dropout_rate=told["dropout"],
        session_max_len=told["max_length"],
        loss=told["loss"],
        n_negatives=told["negatives"],
        lr=told["learning_rate"],
        batch_size=told["batch_size"],
        get_trainer_func=trainer,
    )
    curve, done, steps, clock = [], 0, 0, None
    while clock is None or not clock.over:
        # of no epochs at least, or the first would be ended whatever it takes
        model.fit_partial(dataset, min_epochs=0, max_epochs=1)
        clock = next(c for c in model.fit_trainer.callbacks if isinstance(c, Clock))
        curve.append(
            {
                "seconds": round(clock.seconds, 2),
                "targets": clock.targets - done,
                "steps": clock.steps - steps,
                "whole": not clock.over,
                "ndcg@10": round(ndcg(model, dataset, asked), 5),
            }
        )
        done, steps = clock.targets, clock.steps
        print(json.dumps(curve[-1]), file=sys.stderr, flush=True)
    found = {"events_per_second": round(clock.targets / clock.seconds, 1), "epochs": curve}
    print(json.dumps(found))


main(Path(sys.argv[1]), json.loads(sys.argv[2]))
