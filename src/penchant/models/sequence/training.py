"""The training loop: schedule, early stopping, checkpoints that resume bit for bit."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penchant.config import SequenceSettings
from penchant.errors import TrainingError
from penchant.models.sequence.batches import Inputs, batches, windows
from penchant.models.sequence.losses import draw_negatives, excluded_negatives, sampled_softmax
from penchant.models.sequence.network import Dropout, ItemTable, Network
from penchant.models.sequence.sparse_adamw import SparseAdamW, TableRows
from penchant.types import Ints, Progress

Watch = Callable[[], float]
"""Gives the validation NDCG@10 of the network as it stands."""


@dataclass(frozen=True)
class TrainingData:
    """What is trained on: E events in order, and which of them are targets.

    Parameters
    ----------
    weight
        Weight of each event as a target, (E,) float32; 0 for what is none.
    share
        Share of each item among all targets, (N,) float32.
    repeats
        Whether items that a history holds are negatives too.
    """

    inputs: Inputs
    indptr: Ints
    item: Ints
    weight: NDArray[np.float32]
    share: Tensor
    repeats: bool


@dataclass(frozen=True)
class Epoch:
    """One line of the training curve; ``ndcg`` is NaN where nothing watched."""

    epoch: int
    loss: float
    events_per_second: float
    seconds: float
    ndcg: float


class Trainer:
    """Trains a network epoch by epoch; ``state`` and ``load`` are the whole of it, bit for bit."""

    def __init__(
        self, network: Network, data: TrainingData, settings: SequenceSettings, seed: int
    ) -> None:
        self.network, self.data, self.settings, self.seed = network, data, settings, seed
        items = network.items
        tables = [items.embedding.weight, items.bias]
        self.rows = SparseAdamW([table.detach() for table in tables], [settings.weight_decay, 0.0])
        self.dense = [p for p in network.parameters() if all(p is not table for table in tables)]
        self.optimizer = torch.optim.AdamW(
            [
                {
                    "params": [p for p in self.dense if p.ndim > 1],
                    "weight_decay": settings.weight_decay,
                },
                {"params": [p for p in self.dense if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
            betas=self.rows.betas,
            fused=True,
        )
        self.epoch = 0
        self.curve: list[Epoch] = []
        starts, sizes = windows(data.indptr, settings.max_length, np.random.default_rng(seed))
        self.steps = settings.epochs * sum(
            1 for _ in batches(starts, sizes, settings.batch_size, np.random.default_rng(seed))
        )

    def run(
        self,
        watch: Watch | None = None,
        progress: Progress | None = None,
        checkpoint: Path | None = None,
    ) -> int:
        """Train to the end of the schedule, or until patience ends; the best number of epochs.

        The network is left as it was after its best epoch where something watches, else after the
        last. A ``checkpoint`` is written after each epoch, and read at the beginning where it
        exists. Raises TrainingError where a loss is not finite, naming epoch and batch.
        """
        best, best_value, kept = self.epoch, -math.inf, _copied(self.network)
        if checkpoint is not None and checkpoint.exists():
            best, best_value, kept = self._resume(checkpoint)
        began = time.perf_counter()
        spent = sum(line.seconds for line in self.curve)
        last = self.settings.stop or self.settings.epochs
        while self.epoch < last and (watch is None or self.epoch - best < self.settings.patience):
            line = self._once(watch)
            self.curve.append(line)
            if watch is None or line.ndcg > best_value:
                best, best_value, kept = self.epoch, line.ndcg, _copied(self.network)
            if checkpoint is not None:
                state = {"best": best, "value": best_value, "kept": kept, **self.state()}
                torch.save(state, checkpoint.with_suffix(".part"))
                checkpoint.with_suffix(".part").replace(checkpoint)
            if progress:
                passed = spent + time.perf_counter() - began
                left = passed / self.epoch * (last - self.epoch)
                watched = "" if watch is None else f", validation NDCG@10 {line.ndcg:.4f}"
                progress(
                    f"epoch {line.epoch} of {last}: loss {line.loss:.4f}{watched}, "
                    f"{line.events_per_second:,.0f} events/s, {left:.0f} s left at most"
                )
        self.network.load_state_dict(kept)
        return best

    def state(self) -> dict[str, Any]:
        """Everything that the rest of the training depends on."""
        return {
            "epoch": self.epoch,
            "curve": [tuple(vars(line).values()) for line in self.curve],
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rows": self.rows.state(),
        }

    def _resume(self, checkpoint: Path) -> tuple[int, float, dict[str, Tensor]]:
        state = torch.load(checkpoint, weights_only=True)
        self.epoch = state["epoch"]
        self.curve = [Epoch(*line) for line in state["curve"]]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rows.load(state["rows"])
        return state["best"], state["value"], state["kept"]

    def _once(self, watch: Watch | None) -> Epoch:
        """One pass over the events; its randomness depends on the seed and its number alone."""
        began = time.perf_counter()
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        total, count, events = 0.0, 0.0, 0
        self.network.train()
        noise = np.random.Generator(np.random.SFC64((self.seed, self.epoch)))
        for module in self.network.modules():
            if isinstance(module, Dropout):
                module.noise = noise
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed * 1_000_003 + self.epoch)
            for number, (starts, size) in enumerate(self._batches()):
                step = self.epoch * (self.steps // self.settings.epochs) + number
                rate = self._rate(step)
                part = self._part(starts, size, generator)
                events += len(starts) * size
                if part is None:
                    continue
                self.optimizer.zero_grad(set_to_none=True)
                loss = self._loss(part)
                mean = loss / part.total
                mean.backward()  # type: ignore[no-untyped-call]
                leaves = [*self.dense, *part.own]
                norm = torch.nn.utils.clip_grad_norm_(leaves, 5.0)
                if not bool(torch.isfinite(mean)) or not bool(torch.isfinite(norm)):
                    raise TrainingError(
                        f"expected a finite loss, received {float(mean.detach())} with gradient "
                        f"norm {float(norm)} in epoch {self.epoch + 1}, batch {number + 1} "
                        f"(windows of {size} events from events {starts[:3].tolist()} on); lower "
                        "the rate, or look at those events"
                    )
                for group in self.optimizer.param_groups:
                    group["lr"] = rate
                self.optimizer.step()
                gradients = [own.grad for own in part.own if own.grad is not None]
                self.rows.step(part.pool, part.rows, gradients, rate)
                total += float(loss.detach())
                count += part.total
        self.rows.settle()
        self.epoch += 1
        seconds = time.perf_counter() - began
        value = math.nan
        if watch is not None:
            self.network.eval()
            value = watch()
        return Epoch(self.epoch, total / max(count, 1e-9), events / seconds, seconds, value)

    def _batches(self) -> Iterator[tuple[Ints, int]]:
        rng = np.random.default_rng((self.seed, self.epoch))
        starts, sizes = windows(self.data.indptr, self.settings.max_length, rng)
        return batches(starts, sizes, self.settings.batch_size, rng)

    def _rate(self, step: int) -> float:
        warm = max(1, int(self.settings.warmup * self.steps))
        share = min(1.0, (step - warm) / max(1, self.steps - warm))
        factor = (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * share))
        return self.settings.learning_rate * factor

    def _part(self, starts: Ints, size: int, generator: torch.Generator) -> "TrainingBatch | None":
        """A batch with its negatives; None where it has no target."""
        data, N = self.data, self.network.shape.items
        place = starts[:, None] + np.arange(size)
        weight = data.weight[place + 1]
        wanted = weight > 0
        if not wanted.any():
            return None
        read = data.inputs.take(place)
        right = torch.from_numpy(data.item[place + 1][wanted])
        if self.settings.negatives:
            drawn, expected = draw_negatives(
                right, N, self.settings.negatives, data.share, generator
            )
        else:
            drawn, expected = torch.arange(N), torch.zeros(N)
        thing = torch.from_numpy(read.thing)
        about = thing < N
        pool, places = torch.unique(torch.cat([thing[about], right, drawn]), return_inverse=True)
        of_thing, right, drawn = places.split([int(about.sum()), len(right), len(drawn)])
        # a token comes after the items of the batch as it comes after all of them
        thing = (thing - N + len(pool)).masked_scatter(about, of_thing)
        arrays = (read.behavior, read.domain, read.gap, data.inputs.behavior[place + 1])
        device = self.settings.device
        fields = (thing, *(torch.from_numpy(array) for array in arrays))
        follow = torch.from_numpy(wanted)
        none = excluded_negatives(
            thing.numpy(), wanted, right.numpy(), drawn.numpy(), not data.repeats
        )
        pool = pool.to(device)
        rows = self.rows.read(pool)
        return TrainingBatch(
            pool,
            rows,
            [row.own.detach().requires_grad_() for row in rows],
            [field.to(device) for field in fields],
            follow.to(device),
            right.to(device),
            drawn.to(device),
            expected.to(device),
            torch.from_numpy(none).to(device),
            torch.from_numpy(weight[wanted]).to(device),
            float(weight.sum()),
        )

    def _loss(self, part: "TrainingBatch") -> Tensor:
        """Summed weighted loss of a batch."""
        network, half = self.network, self.settings.precision == "bfloat16"
        with torch.autocast(torch.device(self.settings.device).type, torch.bfloat16, enabled=half):
            own, bias = part.own
            items = ItemTable(network.items(part.pool, own), bias)
            states = network.read(part.fields, items.vectors)[part.wanted]
            negative = network.logits(states, items.take(part.drawn))
            positive = network.pair_logits(states, items.take(part.right))
        losses = sampled_softmax(positive.float(), negative.float(), part.expected, part.excluded)
        return (losses * part.weight).sum()


@dataclass(frozen=True)
class TrainingBatch:
    """A batch: the distinct items of its events, targets and negatives, and where they are.

    Parameters
    ----------
    pool
        Places of the I distinct items in the tables, (I,), and their ``rows`` there.
    own
        The vectors and biases of these, (I, D) and (I,), whose gradients are asked for.
    fields
        Thing, behavior, domain, gap of each event and the behavior of the next one, (B, L);
        thing is a place in the pool.
    wanted
        Which events are followed by one of T targets, (B, L).
    right, drawn
        Places in the pool of the targets (T,) and of the negatives (S,).
    expected
        Log of how often each negative was to be expected, (S,).
    excluded
        Places t S + s of the negatives that are none for a target, (P,).
    weight
        Weight of each target, (T,), and their ``total``.
    """

    pool: Tensor
    rows: list[TableRows]
    own: list[Tensor]
    fields: list[Tensor]
    wanted: Tensor
    right: Tensor
    drawn: Tensor
    expected: Tensor
    excluded: Tensor
    weight: Tensor
    total: float


def _copied(network: Network) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
