"""Rounds of the deep expert: FedAvg (McMahan et al. 2017), with differential privacy where asked.

In each round every client trains the network that it was sent on its own events and sends it back;
the server takes their mean, weighed by the targets that each has trained on, and goes on in the
direction of the means before (FedAvgM, Hsu et al. 2019): an item that few clients have moves by few
changes, of which a mean alone leaves little. With a ``ClientPrivacy`` each client's change is
clipped and noise is added to the sum (DP-FedAvg, McMahan et al. 2018).
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from flwr.app import RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from penchant.data.dataset import Dataset
from penchant.errors import ConfigError
from penchant.models.sequence.batches import windows
from penchant.models.sequence.network import Network
from penchant.models.sequence.recommender import SequenceRecommender, build_network, training_data
from penchant.models.sequence.training import Trainer
from penchant.privacy.federated import participants
from penchant.privacy.federated.agreement import Agreement
from penchant.privacy.federated.participants import DroppedClient, Participants, Round
from penchant.types import Floats, Progress

Weights = dict[str, NDArray[np.float32]]
"""The learned arrays of a network, by name."""


@dataclass(frozen=True)
class ClientPrivacy:
    """Differential privacy of a whole client, toward who sees the networks but not the messages.

    clip   L2 norm that a client's change is scaled down to, where it is larger
    noise  standard deviation of the Gaussian noise on the sum of changes, in clips

    The sum moves by at most ``clip`` when a client is added or removed, and it is divided by the
    number of clients that began, which is public. The server sees each change: it is trusted. The
    numbers of examples and who was in a round are told as they are, and are not covered.
    Noise is drawn in float64, whose grid the guarantee does not model (Mironov 2012).
    """

    clip: float
    noise: float

    def __post_init__(self) -> None:
        if not (0 < self.clip < np.inf and 0 <= self.noise < np.inf):
            raise ConfigError(
                "expected a finite clip above 0 and noise of at least 0, received "
                f"{self.clip} and {self.noise}"
            )

    @property
    def rho(self) -> float:
        """What one round spends, in zCDP; rounds add up. Infinite without noise.

        >>> ClientPrivacy(clip=1.0, noise=2.0).rho
        0.125
        """
        return 1 / (2 * self.noise**2) if self.noise else np.inf


@dataclass(frozen=True)
class FedAvgResult:
    """The expert after all rounds, and what they took; ``rho`` is spent in all, or None."""

    expert: SequenceRecommender
    rounds: tuple[Round, ...]
    sent: dict[str, int]
    dropped: tuple[DroppedClient, ...]
    seconds: float
    rho: float | None


def fed_avg(
    grid: Grid,
    agreement: Agreement,
    rounds: int,
    privacy: ClientPrivacy | None = None,
    *,
    momentum: float = 0.9,
    seed: int = 0,
    timeout: float = 600.0,
    progress: Progress | None = None,
) -> FedAvgResult:
    """Train the deep expert by some rounds; ``agreement.sequence.epochs`` are those of a round.

    The network moves by v_t = momentum v_(t - 1) + the mean change of round t; 0 is plain FedAvg.

    A client that fails, is late, or sends what is no network is dropped from there on.
    Raises ConfigError for less than one round, TrainingError where no client is left.
    """
    if rounds < 1 or not 0 <= momentum < 1:
        raise ConfigError(
            "expected at least one round and a momentum of at least 0, below 1, received "
            f"{rounds} and {momentum}"
        )
    began = time.perf_counter()
    clients = Participants(grid, timeout).discover()
    invited = len(clients.nodes)
    torch.manual_seed(seed)
    network, scored = _built(agreement)
    weights, text, lines = weights_of(network), agreement.to_json(), []
    speed: dict[str, Floats] = {name: np.zeros(array.shape) for name, array in weights.items()}
    expected = {name: (array.shape, "float32") for name, array in weights.items()}

    def wrong(node: int, answer: RecordDict) -> str | None:
        examples = participants.config_value(answer, "examples")
        if not (isinstance(examples, int) and 0 <= examples < 1 << 40):
            return f"expected a number of examples, received {examples!r}"
        return participants.mismatch(participants.arrays_of(answer), expected)

    for number in range(rounds):
        values = {"agreement": text, "seed": seed * 1_000_003 + number}
        message = participants.array_message(weights, **values)
        stage = f"round {number + 1}"
        mean = ChangeMean(weights, privacy)
        for node, answer in clients.ask(
            "train.round", participants.broadcast(message), stage, wrong
        ):
            mean.add(
                clients.names[node],
                participants.arrays_of(answer),
                participants.config_value(answer, "examples"),
            )
        change, line = mean.taken(invited)
        lines.append(line)
        for name, array in weights.items():
            speed[name] = momentum * speed[name] + change[name]
            weights[name] = (array + speed[name]).astype(np.float32)
        if progress:
            progress(
                f"round {number + 1} of {rounds}: {len(line.clients)} clients, "
                f"{line.examples:,} examples, the network moved by {line.moved:.3g}"
            )
    load(network, weights)
    network.eval()
    expert = SequenceRecommender(network, agreement.empty, agreement.sequence, scored)
    sent = {clients.names[node]: clients.sent[node] for node in clients.nodes}
    spent = None if privacy is None else rounds * privacy.rho
    seconds = time.perf_counter() - began
    return FedAvgResult(expert, tuple(lines), sent, tuple(clients.dropped), seconds, spent)


class ChangeMean:
    """The mean of what clients made of a network, in float64, one client after another."""

    def __init__(self, weights: Weights, privacy: ClientPrivacy | None = None) -> None:
        self.weights, self.privacy = weights, privacy
        self.total: dict[str, Floats] = {n: np.zeros(a.shape) for n, a in weights.items()}
        self.examples: dict[str, int] = {}

    def add(self, client: str, weights: Mapping[str, NDArray[Any]], examples: int) -> None:
        """Add a client's network; one of no examples counts nothing, or as no change."""
        change = {name: weights[name] - array.astype(np.float64) for name, array in self.each()}
        share = float(examples)
        if self.privacy is not None:
            share = 1 / max(1.0, _length(change) / self.privacy.clip)
        for name in self.total:
            self.total[name] += share * change[name]
        self.examples[client] = examples

    def taken(self, invited: int) -> tuple[dict[str, Floats], Round]:
        """The mean change, and the round's line; none where nobody had examples."""
        examples = sum(self.examples.values())
        if self.privacy is not None:
            deviation, count = self.privacy.clip * self.privacy.noise, float(invited)
            for total in self.total.values():
                total += deviation * gaussian(total.size).reshape(total.shape)
        else:
            count = float(max(1, examples))
        change = {name: total / count for name, total in self.total.items()}
        return change, Round(tuple(self.examples), examples, _length(change))

    def each(self) -> list[tuple[str, NDArray[np.float32]]]:
        """Name and array of the network that was sent."""
        return list(self.weights.items())


def gaussian(size: int) -> Floats:
    """Standard normal values from the system's secure generator, (size,) (Box and Muller)."""
    words = np.frombuffer(os.urandom(16 * size), np.uint64).reshape(2, size)
    first, second = ((words >> 11) + 0.5) * 2.0**-53
    values: Floats = np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)
    return values


def train_locally(
    agreement: Agreement, data: Dataset, weights: Weights, seed: int
) -> tuple[Weights, int]:
    """Train a network on a client's aligned events; its weights, and how many targets it saw.

    Raises ValueError for weights that are not the network's.
    """
    network, _ = _built(agreement)
    load(network, weights)
    # one client's events are too few to say what negatives are: all clients have the same
    again = agreement.sequence.repeats is not False
    settings = agreement.sequence.model_copy(update={"stop": 0, "repeats": again})
    training = training_data(data, settings)
    rng = np.random.default_rng(seed)
    examples = int(windows(training.indptr, settings.max_length, rng)[1].sum())
    if examples:
        network.to(settings.device)
        Trainer(network, training, settings, seed).run()
    return weights_of(network), examples


def weights_of(network: Network) -> Weights:
    """All that a network has learned, by name."""
    return {n: p.detach().cpu().numpy().copy() for n, p in sorted(network.named_parameters())}


def load(network: Network, weights: Mapping[str, NDArray[Any]]) -> None:
    """Put weights into a network. Raises ValueError where they are not its own."""
    own = weights_of(network)
    wrong = participants.mismatch(
        weights, {name: (array.shape, "float32") for name, array in own.items()}
    )
    if wrong is not None:
        raise ValueError(wrong)
    state = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
    network.load_state_dict(state, strict=False)


def _built(agreement: Agreement) -> tuple[Network, NDArray[np.bool_]]:
    """A network in which every item of the block has a vector of its own."""
    return build_network(
        agreement.empty, agreement.sequence, np.ones(len(agreement.catalogue), bool)
    )


def _length(change: Mapping[str, Floats]) -> float:
    return float(np.sqrt(sum((array**2).sum() for array in change.values())))
