"""The deep expert under differential privacy: DP-SGD, with one sequence of each user as the unit.

Each step takes each user with probability q, clips the gradient of their one sequence to a length
C and adds Gaussian noise of deviation z C to the sum (Abadi et al. 2016, algorithm 1). Adding or
taking away one user therefore moves a step's sum by at most C. What the steps spend together is
counted by Opacus's Renyi accountant for the Poisson-subsampled Gaussian mechanism (Mironov et al.
2019).

Public inputs: the catalogue with its content, the settings, the number of users (it sets q).
Private: the events. The guarantee is for the weights of the network; a list reads its own user's
history besides, which no other user's list does.
"""

import secrets
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penchant.config import PrivacySettings, SequenceSettings
from penchant.data.dataset import Dataset
from penchant.errors import ConfigError, MissingExtraError
from penchant.models.sequence.network import Network
from penchant.models.sequence.recommender import SequenceRecommender, build_network, training_data
from penchant.privacy.differential.accountant import check
from penchant.types import Ints, Progress

try:
    import torch
    from opacus.accountants import RDPAccountant
    from opacus.accountants.utils import get_noise_multiplier
    from opacus.optimizers import DPOptimizer
    from torch import Tensor, nn
    from torch.func import functional_call, grad, vmap
except ImportError as error:
    raise MissingExtraError("opacus", "dp") from error


_ORDERS = [*RDPAccountant.DEFAULT_ALPHAS, 80, 96, 128, 192, 256, 512]  # of small budgets too
_PART = 64  # users whose gradients are held at once


@dataclass(frozen=True)
class TrainingCost:
    """What a training spent: epsilon at delta, by ``steps`` steps of noise z at sampling rate q."""

    epsilon: float
    delta: float
    noise: float
    sampling: float
    steps: int


def private_sequence(
    dataset: Dataset,
    settings: SequenceSettings,
    budget: tuple[float, float],
    privacy: PrivacySettings | None = None,
    progress: Progress | None = None,
) -> tuple[SequenceRecommender, TrainingCost]:
    """Train the deep expert so that the budget, (epsilon, delta), holds for one user more or less.

    A user's sequence is the latest ``settings.max_length`` + 1 of their events. The loss is the
    exact softmax over all items, since negatives drawn from what others took would be theirs.
    Nothing is watched: ``privacy`` fixes the steps.

    Raises ConfigError for a budget outside its intervals, for no users, and for settings that have
    no private training (several interests; domains without a common order).
    """
    check(*budget)
    _possible(settings, dataset)
    privacy, (epsilon, delta) = privacy or PrivacySettings(), budget
    users = len(np.unique(dataset.events.user))
    q = min(1.0, privacy.sample / users)
    count = max(1, round(privacy.passes / q))
    with warnings.catch_warnings():
        # each order gives a valid bound, the last one too
        warnings.filterwarnings("ignore", "Optimal order")
        asked = {"target_epsilon": epsilon, "target_delta": delta, "alphas": _ORDERS}
        z = get_noise_multiplier(**asked, sample_rate=q, steps=count)
    settings = settings.model_copy(update={"dropout": 0.0, "id_dropout": 0.0, "device": "cpu"})
    # which items anyone has met is private: all have a vector of their own
    network, scored = build_network(dataset, settings, np.ones(len(dataset.catalogue), bool))
    network.eval()
    reader = _Reader(dataset, settings)
    run = _DPSGD(network, reader, privacy, z, q)
    accountant = RDPAccountant()
    for step in range(count):
        run.step()
        accountant.step(noise_multiplier=z, sample_rate=q)
        if progress and (step + 1) % max(1, count // 20) == 0:  # no loss: it is of these users
            progress(f"step {step + 1} of {count}, {q * users:.0f} users at a time")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Optimal order")
        cost = float(accountant.get_epsilon(delta, alphas=_ORDERS))
    spent = TrainingCost(cost, delta, float(z), q, count)
    return SequenceRecommender(network, dataset, settings, scored), spent


def _possible(settings: SequenceSettings, dataset: Dataset) -> None:
    if settings.interests * settings.facets > 1:
        raise ConfigError("expected one interest and one facet for a private training")
    if dataset.no_common_clock:
        raise ConfigError(
            "expected times that order all events of a user: a user of domains without a common "
            "order has several sequences, and the guarantee is for one"
        )
    if not len(dataset.events):
        raise ConfigError("expected users with events to train on, received none")


class _Reader:
    """The one sequence of each user, of one length: events before the first say nothing."""

    def __init__(self, dataset: Dataset, settings: SequenceSettings) -> None:
        self.data = training_data(dataset, settings)
        self.length = settings.max_length

    def __len__(self) -> int:
        return len(self.data.indptr) - 1

    def take(self, users: Ints) -> list[Tensor]:
        """Thing, behavior, domain, gap, next behavior, next item, weight, there: (B, L) each."""
        first, last = self.data.indptr[users, None], self.data.indptr[users + 1, None]
        place = last - 1 - self.length + np.arange(self.length)
        there = place >= first
        place = np.where(there, place, last - 1)
        then = np.minimum(place + 1, last - 1)
        read, inputs = self.data.inputs.take(place), self.data.inputs
        weight = self.data.weight[then] * there
        columns: tuple[NDArray[Any], ...] = (
            *(read.thing, read.behavior, read.domain, read.gap, inputs.behavior[then]),
            *(self.data.item[then], weight, there.astype(np.float32)),
        )
        return [torch.from_numpy(column) for column in columns]


class _OneUser(nn.Module):
    """The loss of one user's sequence: the mean over its targets; 0 where there is none."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, columns: list[Tensor]) -> Tensor:
        *fields, item, weight, there = (column[None] for column in columns)
        table = self.network.table()
        content = self.network.content_embedding(fields, table.vectors) * there[..., None]
        states = self.network.passed(content + self.network.position_embedding(fields[-1]))[0]
        logits = self.network.logits(states, table)
        right = torch.log_softmax(logits, -1).gather(-1, item[0, :, None])[:, 0]
        return -(right * weight[0]).sum() / weight.sum().clamp(min=1e-6)


class _DPSGD:
    """Steps of DP-SGD; samples and noise come from seeds that nobody knows."""

    def __init__(
        self,
        network: Network,
        reader: _Reader,
        privacy: PrivacySettings,
        noise: float,
        sampling: float,
    ) -> None:
        self.model, self.reader, self.sampling = _OneUser(network), reader, sampling
        generator = torch.Generator().manual_seed(secrets.randbits(63))
        self.rng = np.random.Generator(np.random.PCG64(secrets.randbits(128)))
        self.optimizer = DPOptimizer(
            torch.optim.Adam(self.model.parameters(), lr=privacy.learning_rate),
            noise_multiplier=noise,
            max_grad_norm=privacy.gradient,
            expected_batch_size=max(1, round(sampling * len(reader))),
            generator=generator,
            secure_mode=True,  # four draws for each, against attacks on floating point
        )

    def gradients(self, users: Ints) -> dict[str, Tensor]:
        """The gradient of each user's loss, (B, ...) for each parameter."""
        columns, buffers = self.reader.take(users), dict(self.model.named_buffers())

        def loss(weights: dict[str, Tensor], *columns: Tensor) -> Tensor:
            found: Tensor = functional_call(self.model, (weights, buffers), (list(columns),))
            return found

        weights = {name: p.detach() for name, p in self.model.named_parameters()}
        if not len(users):
            return {name: torch.zeros((0, *p.shape)) for name, p in weights.items()}
        each = vmap(grad(loss), in_dims=(None, *([0] * len(columns))))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop")  # of a fallback
            found: dict[str, Tensor] = each(weights, *columns)
        return found

    def step(self) -> None:
        """One step: a sample of users, their clipped gradients, noise."""
        taken = np.flatnonzero(self.rng.random(len(self.reader)) < self.sampling)
        parts = np.split(taken, range(_PART, len(taken), _PART)) if len(taken) else [taken]
        for place, part in enumerate(parts, 1):
            self.optimizer.zero_grad()
            found = self.gradients(part)
            for name, parameter in self.model.named_parameters():
                parameter.grad_sample = found[name]  # type: ignore[attr-defined]
            self.optimizer.signal_skip_step(do_skip=place < len(parts))
            self.optimizer.step()
        self.optimizer.zero_grad()
