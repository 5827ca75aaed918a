"""Worker processes behind one port, restarted when they end."""

import json
import logging
import multiprocessing
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
from penchant.serve.api.api_keys import ApiKeys
from penchant.serve.app import application
from penchant.serve.service.recommendation_service import language_model_of
from penchant.serve.settings import ServiceSettings
from penchant.serve.store.store import Store
from penchant.storage.artifact import read_manifest

SETTINGS = "PENCHANT_SERVE"
"""The environment variable with the settings of a worker, as JSON."""

log = logging.getLogger(__name__)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Workers(Multiprocess):
    """Worker processes, each restarted as soon as it has ended."""

    def keep_subprocess_alive(self) -> None:
        # the base class pings each worker, and waits for one that died meanwhile
        for place, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if process.process.is_alive():
                continue
            process.join()
            log.warning(
                "a worker ended with exit code %s and is restarted", process.process.exitcode
            )
            self.processes[place] = Process(self.config, self.target, self.sockets)
            self.processes[place].start()


def worker() -> Any:
    """The application of a worker process."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    if os.environ.get("PENCHANT_ACCESS"):
        logging.getLogger("penchant.serve.access").setLevel(logging.INFO)
    threading.Thread(target=_exit_with_supervisor, daemon=True).start()
    content = json.loads(os.environ[SETTINGS])
    return application(ServiceSettings(**{**content, "hosts": tuple(content["hosts"])}))


def _exit_with_supervisor() -> None:
    """Exit when the supervisor has ended, so that it can be restarted on its port."""
    # not os.getppid(): the supervisor may have ended while this worker was starting
    if (supervisor := multiprocessing.parent_process()) is None:
        return
    supervisor.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
    os._exit(1)


def first_key(store: Store) -> str | None:
    """An admin key if the store has no key yet; else None."""
    keys = ApiKeys(store)
    return None if keys.list_all() else keys.add("first", {"admin"})


def serve(
    settings: ServiceSettings, host: str, port: int, workers: int, ready: Any = lambda port: None
) -> None:
    """Serve until a signal ends it.

    Parameters
    ----------
    settings
        How the service runs.
    host, port
        Where to listen; port 0 takes a free one.
    workers
        Number of processes.
    ready
        Called with the port before the first worker starts.

    Raises
    ------
    ArtifactError, ConfigError
        For what would keep each worker from starting.
    """
    if settings.open and host not in LOOPBACK:
        raise ConfigError(
            f"expected --open with a host of this machine, {LOOPBACK[0]}, received {host}; without "
            "--open, API keys control access"
        )
    for path in settings.runs.values():
        read_manifest(path)
    Rules.model_validate(dict(settings.rules))
    language_model_of(settings)
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
