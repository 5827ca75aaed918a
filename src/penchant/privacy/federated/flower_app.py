"""The federation as a Flower app: a server and clients that are processes of their own.

``write`` makes the folder that ``flwr run`` sends to a SuperLink. Each SuperNode names the events
that it holds, ``--node-config 'name="north" data="/srv/north"'``, a DATA directory as ``penchant
ingest`` writes it; the server keeps the agreement and what it learned, which ``load`` reads.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from safetensors.numpy import load_file, save_file

from penchant.data.dataset import Dataset
from penchant.errors import ConfigError, DataError
from penchant.models.base import Recommender
from penchant.models.registry import family_of
from penchant.privacy.federated.agreement import Agreement
from penchant.privacy.federated.client import Mod, client_app
from penchant.privacy.federated.participants import DroppedClient, Round, wait_for_clients
from penchant.privacy.federated.sum_round import secure_sum_round, sum_round
from penchant.types import Arrays

Setting = int | float | str | bool

AGREEMENT, RECORD, LEARNED = "agreement.json", "record.json", "learned.tensors"
_OLD_AGREEMENT = "terms.json"  # as version 0.1.0 named the file, and the entry of the run's config


@dataclass(frozen=True)
class RunConfig:
    """What ``flwr run --run-config`` may set.

    Attributes
    ----------
    agreement, out
        Paths of the agreement and of the folder that the server writes.
    clients
        How many clients the server waits for.
    secure
        Whether the statistics are masked.
    rounds
        Rounds of the deep expert; 0 fits the transition expert by one round of statistics.
    clip, noise
        Differential privacy of the rounds; 0 and 0 leave it out.
    seed
        Of the rounds.
    timeout
        Seconds that each answer may take.
    """

    agreement: str = ""
    out: str = ""
    clients: int = 1
    secure: bool = False
    rounds: int = 0
    clip: float = 0.0
    noise: float = 0.0
    seed: int = 0
    timeout: float = 600.0

    @classmethod
    def of(cls, values: Mapping[str, Setting]) -> "RunConfig":
        """A configuration from its entries; ConfigError for one that is not known."""
        entries = {
            "agreement" if name == "terms" else name: value for name, value in values.items()
        }
        known = {name: type(default) for name, default in asdict(cls()).items()}
        if strange := sorted(entries.keys() - known.keys()):
            raise ConfigError(f"expected entries of {', '.join(known)}, received {strange[0]!r}")
        typed: dict[str, Any] = {name: known[name](value) for name, value in entries.items()}
        return cls(**typed)


@dataclass(frozen=True)
class RunRecord:
    """What a finished run says of itself.

    Attributes
    ----------
    model
        Name of the model family.
    sent
        Bytes of each client's answers.
    dropped
        Who was dropped, at which stage, and why.
    seconds
        Of the whole run.
    secure
        Whether the statistics were masked.
    rounds
        Of the deep expert; empty for one round of statistics.
    """

    model: str
    sent: dict[str, int]
    dropped: tuple[DroppedClient, ...]
    seconds: float
    secure: bool = False
    rounds: tuple[Round, ...] = ()

    def to_json(self) -> str:
        """The record as JSON, which ``from_json`` reads."""
        content = asdict(self)
        content["bytes"] = content.pop("sent")
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "RunRecord":
        """The record of a text, also of one that version 0.1.0 wrote."""
        content = json.loads(text)
        return cls(
            content["model"],
            content["bytes"],
            tuple(DroppedClient(**entry) for entry in content["dropped"]),
            content["seconds"],
            content.get("secure", False),
            tuple(
                Round(tuple(entry["clients"]), entry["examples"], entry["moved"])
                for entry in content.get("rounds", ())
            ),
        )


_PROJECT = """[project]
name = "federation"
version = "1.0.0"
description = "Penchant, federated"
license = "Apache-2.0"
dependencies = ["penchant[federated]"]

[tool.flwr.app]
publisher = "penchant"

[tool.flwr.app.components]
serverapp = "federation:server"
clientapp = "federation:client"

[tool.flwr.app.config]
"""
_MODULE = """from penchant.privacy.federated.flower_app import process_client, process_server

server = process_server()
client = process_client()
"""


def write(folder: Path, agreement: Agreement, out: Path, **config: Setting) -> None:
    """Write the app's folder, and the agreement beside it.

    Parameters
    ----------
    folder
        Of the app, which ``flwr run`` takes.
    agreement
        What all parties know.
    out
        Where the server keeps the agreement and what it learns.
    **config
        Entries of ``RunConfig``.

    Raises
    ------
    ConfigError
        For an entry that is not known.
    """
    values = {"agreement": str(out / AGREEMENT), "out": str(out), **config}
    settings = asdict(RunConfig.of(values))
    folder.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / AGREEMENT).write_text(agreement.to_json(), encoding="utf-8")
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    (folder / "pyproject.toml").write_text(_PROJECT + lines, encoding="utf-8")
    (folder / "federation.py").write_text(_MODULE, encoding="utf-8")


def process_client(mods: list[Mod] | None = None) -> ClientApp:
    """The app of a client whose node's configuration names its DATA directory."""
    return client_app(lambda context: _data(str(context.node_config["data"])), mods)


def process_server() -> ServerApp:
    """The app of a server: it waits for clients, takes their statistics or rounds, and saves."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        config = RunConfig.of(context.run_config)
        agreement = Agreement.from_json(Path(config.agreement).read_text(encoding="utf-8"))
        wait_for_clients(grid, config.clients, config.timeout)
        save(Path(config.out), *run_server(grid, agreement, config))

    return app


def run_server(grid: Grid, agreement: Agreement, config: RunConfig) -> tuple[Arrays, RunRecord]:
    """What a run learned, and its record."""
    timeout = config.timeout
    if config.rounds:
        from penchant.privacy.federated.fedavg import ClientPrivacy, fed_avg

        private = bool(config.clip or config.noise)
        trained = fed_avg(
            grid,
            agreement,
            config.rounds,
            ClientPrivacy(config.clip, config.noise) if private else None,
            seed=config.seed,
            timeout=timeout,
            progress=print,
        )
        seconds = round(trained.seconds, 2)
        record = RunRecord(
            "sequence", trained.sent, trained.dropped, seconds, rounds=trained.rounds
        )
        return trained.expert.arrays(), record
    if config.secure:
        summed = secure_sum_round(grid, agreement, timeout=timeout)
    else:
        summed = sum_round(grid, agreement, timeout)
    expert = agreement.solve(summed.event_counts, summed.statistics)
    seconds = round(summed.seconds, 2)
    record = RunRecord("transition", summed.sent, summed.dropped, seconds, config.secure)
    return expert.arrays() | {"event_counts": summed.event_counts}, record


def save(folder: Path, arrays: Arrays, record: RunRecord) -> None:
    """Write what was learned; the record last, so that where it is, all is there."""
    save_file({n: np.ascontiguousarray(a) for n, a in arrays.items()}, folder / LEARNED)
    (folder / RECORD).write_text(record.to_json(), encoding="utf-8")


def load(folder: Path) -> tuple[Recommender, Agreement, RunRecord]:
    """The expert that a server saved, the agreement, and the record of the run.

    Runs of version 0.1.0 are read too.

    Raises
    ------
    DataError
        Where the folder holds no finished run.
    """
    if not (folder / RECORD).exists():
        raise DataError(
            f"expected a finished run of a federation in {folder}, found no {RECORD}; see the "
            "log of its server"
        )
    name = AGREEMENT if (folder / AGREEMENT).exists() else _OLD_AGREEMENT
    agreement = Agreement.from_json((folder / name).read_text(encoding="utf-8"))
    record = RunRecord.from_json((folder / RECORD).read_text(encoding="utf-8"))
    arrays, family = load_file(folder / LEARNED), family_of(record.model)
    event_counts = arrays.pop("event_counts", arrays.pop("met", None))  # "met" in 0.1.0
    if event_counts is None:
        return family.restore(arrays, agreement.empty, agreement.sequence), agreement, record
    expert: Any = family.restore(arrays, agreement.empty, agreement.settings)
    return replace(expert, known=event_counts > 0), agreement, record


@lru_cache(maxsize=1)
def _data(folder: str) -> Dataset:
    from penchant.data.io.load import load as read

    return read(Path(folder))
