"""Several worker processes behind one port, started again where one ends."""

import json
import logging
import os
import signal
import tempfile
import threading
import time
from dataclasses import asdict, replace
from typing import Any

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from penchant.errors import ConfigError
from penchant.recommendation.rerank import Rules
from penchant.serve.api.api_keys import Keys
from penchant.serve.app import application
from penchant.serve.service.live import model_of
from penchant.serve.settings import Settings
from penchant.serve.store.store import Store
from penchant.storage.artifact import read_manifest

SETTINGS = "PENCHANT_SERVE"
"""The variable of the environment that holds a worker's settings, as JSON."""

log = logging.getLogger(__name__)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Workers(Multiprocess):
    """Worker processes, each started again as soon as it has ended."""

    def keep_subprocess_alive(self) -> None:
        # the base class asks each for a sign of life, and waits for one that died meanwhile
        for place, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if process.process.is_alive():
                continue
            process.join()
            log.warning("a worker has ended (%s); another starts", process.process.exitcode)
            self.processes[place] = Process(self.config, self.target, self.sockets)
            self.processes[place].start()


def worker() -> Any:
    """The application of a worker that the supervisor has started."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    if os.environ.get("PENCHANT_ACCESS"):
        logging.getLogger("penchant.serve.access").setLevel(logging.INFO)
    threading.Thread(target=_with_parent, args=(os.getppid(),), daemon=True).start()
    found = json.loads(os.environ[SETTINGS])
    return application(Settings(**{**found, "hosts": tuple(found["hosts"])}))


def _with_parent(parent: int) -> None:
    """End where the supervisor has ended, so that it can be started again on its port."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
    os._exit(1)


def first_key(store: Store) -> str | None:
    """A key for everything where the store has none yet; else None."""
    keys = Keys(store)
    return None if keys.listed() else keys.add("first", {"admin"})


def serve(
    settings: Settings, host: str, port: int, workers: int, ready: Any = lambda port: None
) -> None:
    """Serve until it is told to end. ``ready`` is told the port before the first worker starts.

    Raises ArtifactError and ConfigError for what would keep each worker from starting.
    """
    if settings.open and host not in LOOPBACK:
        raise ConfigError(
            f"expected --open with a host of this machine, {LOOPBACK[0]}, received {host}; without "
            "--open, keys say who may do what"
        )
    for path in settings.runs.values():
        read_manifest(path)
    Rules.model_validate(dict(settings.rules))
    model_of(settings)
    store = Store(settings.database)
    settings = replace(
        settings, since=store.revision, hosts=LOOPBACK if settings.open else settings.hosts
    )
    store.close()
    with tempfile.TemporaryDirectory(prefix="penchant-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        os.environ[SETTINGS] = json.dumps(asdict(settings))
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = "1"
        config = uvicorn.Config(
            "penchant.serve.workers:worker",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_keep_alive=30,
        )
        socket = config.bind_socket()
        ready(socket.getsockname()[1])
        Workers(config, target=uvicorn.Server(config).run, sockets=[socket]).run()
