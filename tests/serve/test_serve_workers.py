"""Several real worker processes over one store: nothing stale, nothing lost, started again."""

import importlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed; it is in the extra serve")
pytest.importorskip("torch", reason="torch is not installed; it is the extra deep")

import postgres
from penchant.serve.store.store import Store
from penchant.serve.store.tables import metadata
from serving import run_of


@pytest.fixture(scope="module")
def load():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
        yield importlib.import_module("serving_load")


@pytest.fixture(scope="module")
def run(tmp_path_factory, data):
    return run_of(tmp_path_factory.mktemp("runs") / "fused", "fusion", data)


@pytest.fixture(scope="module")
def cluster():
    with postgres.cluster() as address:
        yield address


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param(
            "postgresql",
            marks=pytest.mark.skipif(postgres.BINARIES is None, reason=postgres.WHY),
        ),
    ]
)
def database(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    address = request.getfixturevalue("cluster")
    store = Store(address)
    metadata.drop_all(store.engine)
    store.close()
    return address


def wait_until_ended(processes):
    for _ in range(200):
        if not any(Path(f"/proc/{process}").exists() for process in processes):
            return
        time.sleep(0.1)
    raise AssertionError(f"still there: {processes}")


def test_two_workers_share_a_store_and_end_together(load, tmp_path, data):
    run, database = run_of(tmp_path / "run", data=data), f"sqlite:///{tmp_path / 's.sqlite'}"
    users = [user for user in data.users.ids if len(data.history(user).events) > 3][:2]
    with load.service(run, database) as served:
        assert load.stale(served.port, load.scorer(run), users, 2)["stale"] == 0
        workers = served.workers()
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        wait_until_ended(workers[:1])
        load.ready(served, 2)
        workers = served.workers()
        os.kill(served.process.pid, signal.SIGKILL)
        wait_until_ended(workers)
    store = Store(database)
    assert store.counts()["events"] == 4
    store.close()


@pytest.mark.slow
def test_nothing_is_stale_on_two_workers(load, run, data, database):
    users = [u for u in data.users.ids if len(data.history(u).events) > 3][:6]
    with load.service(run, database) as served:
        found = load.stale(served.port, load.scorer(run), users, 6)
        load.most(served.port, users, 1.0)
        text = served.metrics()
        assert len(served.workers()) == 2
    assert found["rounds"] == 36
    assert found["stale"] == 0
    assert found["mean_change"] > 1e-3
    assert "penchant_events_total" in text


@pytest.mark.slow
def test_what_was_answered_survives_kills(load, run, data, database):
    found = load.killed(run, database, data.catalogue.items.ids, kills=3)
    assert found["answered"] > 100
    assert found["lost"] == found["twice"] == 0


@pytest.mark.slow
def test_all_end_together_and_nobody_keeps_the_port(load, run, tmp_path):
    with load.service(run, f"sqlite:///{tmp_path / 's.sqlite'}") as served:
        workers = served.workers()
        os.kill(served.process.pid, signal.SIGKILL)
        wait_until_ended(workers)
        store = f"sqlite:///{tmp_path / 's.sqlite'}"
        with load.service(run, store, port=served.port), load.Client(served.port) as client:
            assert client.ask("GET", "/healthz")[0] == 200


def test_a_run_that_cannot_serve_is_told_before_a_worker_starts(load, run, tmp_path):
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "penchant.cli", "serve", str(tmp_path), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "expected a saved run" in done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "penchant.cli", "serve", str(run), "--open", "--host", "0.0.0.0"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "--open with a host of this machine" in done.stderr
