"""A federation of one dataset's users, simulated: its clients, bytes, losses, and its expert.

Flower's messages and apps are those of a real federation; the clients are parts of one dataset, in
this process. Beside it stands the same fit at one place, on the same block and the same events.
"""

import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

import numpy as np
from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from penchant.config import Recipe
from penchant.data.dataset import Dataset
from penchant.data.splitting.protocols import resolve_protocol
from penchant.data.splitting.split import split
from penchant.errors import MissingExtraError
from penchant.evaluation.evaluate import evaluate
from penchant.evaluation.metrics.intervals import interval_dict
from penchant.models.base import Recommender
from penchant.models.transition.recommender import TransitionFitter
from penchant.privacy.federated.agreement import Agreement, best_sellers, cells, split_users
from penchant.privacy.federated.client import client_app
from penchant.privacy.federated.in_process_grid import InProcessGrid
from penchant.privacy.federated.participants import DroppedClient, wait_for_clients
from penchant.privacy.federated.sum_round import SumRound, secure_sum_round, sum_round
from penchant.types import Progress

T = TypeVar("T")
Engine = Literal["local", "ray"]
Measure = Callable[[Recommender], dict[str, float | None]]

CATALOGUES = (500, 2_000, 10_000, 100_000)
"""Numbers of items for which the report says what a client would send."""


@dataclass(frozen=True)
class FederationOptions:
    """How a federation is simulated.

    Attributes
    ----------
    clients
        Among whom the users are divided.
    items
        How many best sellers are the public items, where ``block`` names none.
    block
        Identifiers of the public items.
    secure
        Whether the statistics are masked.
    degree
        How many neighbors each client shares masks with; by default all others.
    rounds
        Of the deep expert; 0 fits the transition expert by one round of statistics.
    clip, noise
        Differential privacy of the rounds; a clip of 0 leaves it out.
    engine
        "local" for one process, "ray" for Flower's own simulation.
    """

    clients: int = 20
    items: int = 500
    block: Sequence[str] | None = None
    secure: bool = False
    degree: int | None = None
    rounds: int = 0
    clip: float = 0.0
    noise: float = 0.0
    engine: Engine = "local"


def federate(
    dataset: Dataset,
    options: FederationOptions,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
) -> dict[str, object]:
    """Simulate a federation of a dataset's users and compare it with the central fit.

    Test and validation events are held out first. The settings are the recipe's: nothing is
    tuned, since that would query the clients again and again.

    Parameters
    ----------
    dataset
        Whose users are divided among the clients.
    options
        How many clients there are, and what they send.
    recipe
        The experts' settings and the seed.
    progress
        Takes a line on each step.

    Returns
    -------
    dict
        JSON types: bytes, dropped clients, seconds, and ``ndcg@10`` with ``central_ndcg@10``.

    Raises
    ------
    ConfigError
        For numbers or items that do not fit the dataset.
    TrainingError
        Where too many clients are lost.
    """
    recipe = recipe or Recipe()
    progress = progress or (lambda text: None)
    dataset = resolve_protocol(dataset.with_target(recipe.target), recipe.repeats)
    items = options.block
    if items is None:
        items = best_sellers(dataset, options.items)
    agreement = Agreement.of(dataset, items, transition=recipe.transition, sequence=recipe.sequence)
    whole = agreement.align(dataset)
    parts = split(whole, seed=recipe.seed)
    data = whole.with_events(parts.train)
    report: dict[str, object] = {
        "clients": options.clients,
        "users": len(data.users),
        "items": len(agreement.catalogue),
        "events": len(data.events),
        "block_is_public": options.block is not None,
    }

    def ndcg(model: Recommender) -> dict[str, float | None]:
        evaluation = evaluate(model, agreement.catalogue, parts.test, seed=recipe.seed)
        return interval_dict(evaluation.metrics)["ndcg@10"]

    if options.rounds:
        return report | _by_rounds(agreement, data, options, recipe.seed, ndcg, progress)
    return report | _by_sums(agreement, data, options, ndcg, progress)


def partitioned_app(dataset: Dataset, clients: int, folder: Path | None = None) -> ClientApp:
    """The app of clients among whom an aligned dataset's users are divided.

    With a folder each client's part is a file there, read when the client answers: an app that
    travels to other processes with every message then carries none.
    """
    owned = list(split_users(dataset, clients))
    if folder is not None:
        for place, part in enumerate(owned):
            (folder / str(place)).write_bytes(pickle.dumps(part))
        return client_app(lambda context: pickle.loads((folder / _place(context)).read_bytes()))
    return client_app(lambda context: owned[int(_place(context))])


def run_on(engine: Engine, dataset: Dataset, clients: int, serve: Callable[[Grid], T]) -> T:
    """What a server function gives on a grid of clients that share an aligned dataset's users.

    "local" answers within this process; "ray" is Flower's own simulation, each client an actor.
    Raises MissingExtraError for "ray" where Ray is not installed.
    """
    if engine == "local":
        return serve(InProcessGrid(partitioned_app(dataset, clients), clients))
    if find_spec("ray") is None:
        raise MissingExtraError("ray", "federated", "pip install ray")
    from flwr.simulation import run_simulation

    results: list[T] = []
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        wait_for_clients(grid, clients, 600.0)  # its clients join while it runs already
        results.append(serve(grid))

    init: Any = {
        "_node_ip_address": "127.0.0.1",
        "include_dashboard": False,
        "log_to_driver": False,
    }
    resources: Any = {"num_cpus": 1, "num_gpus": 0.0}
    with TemporaryDirectory() as folder:
        run_simulation(
            server,
            partitioned_app(dataset, clients, Path(folder)),
            clients,
            backend_config={"init_args": init, "client_resources": resources},
        )
    return results[0]


def _place(context: Context) -> str:
    """Which part a simulated client owns."""
    return str(context.node_config["partition-id"])


def _by_sums(
    agreement: Agreement,
    data: Dataset,
    options: FederationOptions,
    ndcg: Measure,
    progress: Progress,
) -> dict[str, object]:
    def serve(grid: Grid) -> SumRound:
        if options.secure:
            return secure_sum_round(grid, agreement, options.degree)
        return sum_round(grid, agreement)

    progress(f"one round: the statistics of {options.clients} clients")
    round_ = run_on(options.engine, data, options.clients, serve)
    began = time.perf_counter()
    expert = agreement.solve(round_.event_counts, round_.statistics)
    solving = time.perf_counter() - began
    progress("the central fit")
    central = TransitionFitter(data)(agreement.settings)
    same = {
        "sums": round_.statistics == central.statistics,
        "counts": bool(np.array_equal(round_.event_counts, data.event_counts)),
        "B": all(
            np.array_equal(getattr(expert.B, part), getattr(central.B, part))
            for part in ("data", "indices", "indptr")
        ),
    }
    return {
        "model": "transition",
        "secure": options.secure,
        **_messages(round_.sent, round_.dropped),
        "bytes_of_catalogues": {n: 8 * cells(n, time=agreement.time) for n in CATALOGUES},
        "same_bits_as_central": same,
        "seconds": round(round_.seconds, 2),
        "solving_seconds": round(solving, 2),
        "ndcg@10": ndcg(expert),
        "central_ndcg@10": ndcg(central),
    }


def _by_rounds(
    agreement: Agreement,
    data: Dataset,
    options: FederationOptions,
    seed: int,
    ndcg: Measure,
    progress: Progress,
) -> dict[str, object]:
    from penchant.models.sequence import SEQUENCE

    central = SEQUENCE.fitter(data, seed)  # raises without the extra ``deep``
    from penchant.privacy.federated.fedavg import ClientPrivacy, fed_avg

    privacy = ClientPrivacy(options.clip, options.noise) if options.clip or options.noise else None
    # a rate that rose and fell in each round would never stand high
    local = agreement.sequence.model_copy(update={"epochs": 1, "stop": 0, "warmup": 0.0})
    one_epoch = replace(agreement, sequence=local)
    trained = run_on(
        options.engine,
        data,
        options.clients,
        lambda grid: fed_avg(
            grid, one_epoch, options.rounds, privacy, seed=seed, progress=progress
        ),
    )
    progress("the central fit")
    settings = agreement.sequence.model_copy(update={"epochs": options.rounds, "stop": 0})
    return {
        "model": "sequence",
        "secure": False,
        **_messages(trained.sent, trained.dropped),
        "rounds": [asdict(line) for line in trained.rounds],
        "rho": trained.rho if trained.rho is None or np.isfinite(trained.rho) else None,
        "seconds": round(trained.seconds, 2),
        "ndcg@10": ndcg(trained.expert),
        "central_ndcg@10": ndcg(central(settings)),
    }


def _messages(sent: dict[str, int], dropped: tuple[DroppedClient, ...]) -> dict[str, object]:
    """Bytes of a client's messages, least and most, and who was dropped."""
    return {
        "answered": len(sent),
        "bytes_per_client": {"least": min(sent.values()), "most": max(sent.values())},
        "dropped": [asdict(client) for client in dropped],
    }
