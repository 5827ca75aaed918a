"""A federation of one dataset's users, simulated: its clients, bytes, losses, and its expert.

Flower's messages and apps are those of a real federation; the clients are parts of one dataset, in
this process. Beside it stands the same fit at one place, on the same block and the same events.
"""

import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from penchant.models.transition.recommender import Fitter
from penchant.privacy.federated.agreement import Terms, best_sellers, cells, shared_out
from penchant.privacy.federated.client import client_app
from penchant.privacy.federated.in_process_grid import LocalGrid
from penchant.privacy.federated.participants import Dropped, wait
from penchant.privacy.federated.sum_round import Summed, summed, summed_secretly
from penchant.types import Progress

T = TypeVar("T")
Engine = Literal["local", "ray"]

CATALOGUES = (500, 2_000, 10_000, 100_000)
"""Numbers of items of which a client's bytes are told, by arithmetic."""


@dataclass(frozen=True)
class Options:
    """How a federation is simulated.

    clients   among whom the users are shared out
    block     identifiers of the public items; None takes the ``items`` best sellers
    secure    whether sums are masked, and ``degree`` neighbors each member's masks have
    rounds    of the deep expert; 0 makes the transition expert by one round of sums
    clip, noise   of differential privacy in rounds; a clip of 0 leaves it out
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
    options: Options,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Simulate a federation of a dataset's users and measure it beside the central fit.

    Test and validation events are held out first. JSON types come back. The settings are the
    recipe's: nothing is searched, since a search would ask the clients again and again.

    Raises ConfigError for numbers or items that do not fit the dataset, TrainingError where too
    many clients are lost.
    """
    recipe = recipe or Recipe()
    progress = progress or (lambda text: None)
    dataset = resolve_protocol(dataset.with_target(recipe.target), recipe.repeats)
    items = options.block
    if items is None:
        items = best_sellers(dataset, options.items)
    terms = Terms.of(dataset, items, transition=recipe.transition, sequence=recipe.sequence)
    whole = terms.aligned(dataset)
    parts = split(whole, seed=recipe.seed)
    data = whole.with_events(parts.train)
    found: dict[str, Any] = {
        "clients": options.clients,
        "users": len(data.users),
        "items": len(terms.catalogue),
        "events": len(data.events),
        "block_is_public": options.block is not None,
    }

    def measured(model: Recommender) -> dict[str, Any]:
        answer = evaluate(model, terms.catalogue, parts.test, seed=recipe.seed)
        return interval_dict(answer.metrics)["ndcg@10"]

    if options.rounds:
        found |= _by_rounds(terms, data, options, recipe.seed, measured, progress)
    else:
        found |= _by_sums(terms, data, options, measured, progress)
    return found


def partitioned(dataset: Dataset, clients: int, folder: Path | None = None) -> ClientApp:
    """The app of clients among whom an aligned dataset's users are shared out.

    With a folder each client's part is a file there, read when the client is asked: an app that
    travels to other processes with every message then carries none.
    """
    owned = list(shared_out(dataset, clients))
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
        return serve(LocalGrid(partitioned(dataset, clients), clients))
    if find_spec("ray") is None:
        raise MissingExtraError("ray", "federated", "pip install ray")
    from flwr.simulation import run_simulation

    results: list[T] = []
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        wait(grid, clients, 600.0)  # its clients join while it runs already
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
            partitioned(dataset, clients, Path(folder)),
            clients,
            backend_config={"init_args": init, "client_resources": resources},
        )
    return results[0]


def _place(context: Context) -> str:
    """Which part a simulated client owns."""
    return str(context.node_config["partition-id"])


def _by_sums(
    terms: Terms,
    data: Dataset,
    options: Options,
    measured: Callable[[Recommender], dict[str, Any]],
    progress: Progress,
) -> dict[str, Any]:
    def serve(grid: Grid) -> Summed:
        if options.secure:
            return summed_secretly(grid, terms, options.degree)
        return summed(grid, terms)

    progress(f"one round of sums of {options.clients} clients")
    round_ = run_on(options.engine, data, options.clients, serve)
    began = time.perf_counter()
    expert = terms.solved(round_.met, round_.statistics)
    solving = time.perf_counter() - began
    progress("the central fit")
    central = Fitter(data)(terms.settings)
    same = {
        "sums": round_.statistics == central.statistics,
        "counts": bool(np.array_equal(round_.met, data.event_counts)),
        "B": all(
            np.array_equal(getattr(expert.B, part), getattr(central.B, part))
            for part in ("data", "indices", "indptr")
        ),
    }
    return {
        "model": "transition",
        "secure": options.secure,
        **_told(round_.sent, round_.dropped),
        "bytes_of_catalogues": {n: 8 * cells(n, time=terms.time) for n in CATALOGUES},
        "same_bits_as_central": same,
        "seconds": round(round_.seconds, 2),
        "solving_seconds": round(solving, 2),
        "ndcg@10": measured(expert),
        "central_ndcg@10": measured(central),
    }


def _by_rounds(
    terms: Terms,
    data: Dataset,
    options: Options,
    seed: int,
    measured: Callable[[Recommender], dict[str, Any]],
    progress: Progress,
) -> dict[str, Any]:
    from penchant.models.sequence import SEQUENCE

    central = SEQUENCE.fitter(data, seed)  # raises without the extra ``deep``
    from penchant.privacy.federated.fedavg import Guard, averaged

    guard = Guard(options.clip, options.noise) if options.clip or options.noise else None
    # a rate that rose and fell in each round would never stand high
    local = terms.sequence.model_copy(update={"epochs": 1, "stop": 0, "warmup": 0.0})
    asked = Terms(terms.catalogue, terms.time, terms.target, terms.transition, local)
    trained = run_on(
        options.engine,
        data,
        options.clients,
        lambda grid: averaged(grid, asked, options.rounds, guard, seed=seed, progress=progress),
    )
    progress("the central fit")
    beside = terms.sequence.model_copy(update={"epochs": options.rounds, "stop": 0})
    return {
        "model": "sequence",
        "secure": False,
        **_told(trained.sent, trained.dropped),
        "rounds": [vars(line) for line in trained.rounds],
        "rho": trained.rho if trained.rho is None or np.isfinite(trained.rho) else None,
        "seconds": round(trained.seconds, 2),
        "ndcg@10": measured(trained.expert),
        "central_ndcg@10": measured(central(beside)),
    }


def _told(sent: dict[str, int], dropped: tuple[Dropped, ...]) -> dict[str, Any]:
    """Bytes of each client's messages, least and most, and who was dropped."""
    return {
        "answered": len(sent),
        "bytes_per_client": {"least": min(sent.values()), "most": max(sent.values())},
        "dropped": [vars(one) for one in dropped],
    }
