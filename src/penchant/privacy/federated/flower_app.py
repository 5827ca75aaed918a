"""The federation as a Flower app: a server and clients that are processes of their own.

``write`` makes the folder that ``flwr run`` sends to a SuperLink. Each SuperNode names the events
that it holds, ``--node-config 'name="north" data="/srv/north"'``, a DATA directory as ``penchant
ingest`` writes it; the server keeps the terms and what it learned, which ``load`` reads.
"""

import json
from dataclasses import replace
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
from penchant.privacy.federated.agreement import Terms
from penchant.privacy.federated.client import Mod, client_app
from penchant.privacy.federated.participants import Dropped, wait
from penchant.privacy.federated.sum_round import summed, summed_secretly
from penchant.types import Arrays

CONFIG: dict[str, int | float | str | bool] = {
    "terms": "",
    "out": "",
    "clients": 1,
    "secure": False,
    "rounds": 0,
    "clip": 0.0,
    "noise": 0.0,
    "seed": 0,
    "timeout": 600.0,
}
"""What ``flwr run --run-config`` may set: clients are waited for until so many are connected, and
``timeout`` is of each answer, in seconds."""

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


def write(folder: Path, terms: Terms, out: Path, **config: int | float | str | bool) -> None:
    """Write the app's folder, and the terms beside it; ``config`` are entries of CONFIG.

    Raises ConfigError for an entry that is not known.
    """
    if unknown := sorted(config.keys() - CONFIG.keys()):
        raise ConfigError(f"expected entries of {', '.join(CONFIG)}, received {unknown[0]!r}")
    folder.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / "terms.json").write_text(terms.to_json(), encoding="utf-8")
    values = CONFIG | {"terms": str(out / "terms.json"), "out": str(out)} | config
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    (folder / "pyproject.toml").write_text(_PROJECT + lines, encoding="utf-8")
    (folder / "federation.py").write_text(_MODULE, encoding="utf-8")


def process_client(mods: list[Mod] | None = None) -> ClientApp:
    """The app of a client whose node's configuration names its DATA directory."""
    return client_app(lambda context: _data(str(context.node_config["data"])), mods)


def process_server() -> ServerApp:
    """The app of a server: it waits for clients, takes their sums or rounds, and saves."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        config: dict[str, Any] = CONFIG | dict(context.run_config)
        terms = Terms.from_json(Path(config["terms"]).read_text(encoding="utf-8"))
        wait(grid, config["clients"], config["timeout"])
        save(Path(config["out"]), *served(grid, terms, config))

    return app


def served(grid: Grid, terms: Terms, config: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    """What a run learned, and its record, by the entries of CONFIG."""
    timeout = float(config["timeout"])
    record: dict[str, Any]
    if rounds := int(config["rounds"]):
        from penchant.privacy.federated.fedavg import Guard, averaged

        clip, noise = float(config["clip"]), float(config["noise"])
        guard = Guard(clip, noise) if clip or noise else None
        trained = averaged(
            grid, terms, rounds, guard, seed=int(config["seed"]), timeout=timeout, progress=print
        )
        arrays = trained.expert.arrays()
        record = {"model": "sequence", "rounds": [vars(line) for line in trained.rounds]}
        return arrays, record | _told(trained.sent, trained.dropped, trained.seconds)
    sums = summed_secretly if config["secure"] else summed
    found = sums(grid, terms, timeout=timeout)
    arrays = terms.solved(found.met, found.statistics).arrays() | {"met": found.met}
    record = {"model": "transition", "secure": bool(config["secure"])}
    return arrays, record | _told(found.sent, found.dropped, found.seconds)


def save(folder: Path, arrays: Arrays, record: dict[str, Any]) -> None:
    """Write what was learned; the record last, so that it tells that all is there."""
    save_file({n: np.ascontiguousarray(a) for n, a in arrays.items()}, folder / "learned.tensors")
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    (folder / "record.json").write_text(text, encoding="utf-8")


def load(folder: Path) -> tuple[Recommender, Terms, dict[str, Any]]:
    """The expert that a server saved, its terms, and the record of the run.

    Raises DataError where the folder holds no finished run.
    """
    if not (folder / "record.json").exists():
        raise DataError(
            f"expected a finished run of a federation in {folder}, found no record.json; see the "
            "log of its server"
        )
    terms = Terms.from_json((folder / "terms.json").read_text(encoding="utf-8"))
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    arrays, family = load_file(folder / "learned.tensors"), family_of(record["model"])
    met = arrays.pop("met", None)
    if met is None:
        return family.restore(arrays, terms.empty, terms.sequence), terms, record
    expert: Any = family.restore(arrays, terms.empty, terms.settings)
    return replace(expert, known=met > 0), terms, record


@lru_cache(maxsize=1)
def _data(folder: str) -> Dataset:
    from penchant.data.io.load import load as read

    return read(Path(folder))


def _told(sent: dict[str, int], dropped: tuple[Dropped, ...], seconds: float) -> dict[str, Any]:
    gone = [vars(one) for one in dropped]
    return {"bytes": sent, "dropped": gone, "seconds": round(seconds, 2)}
