"""Federated rounds of the deep expert: in one process, in Flower's simulation, as processes."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("flwr", reason="the extra federated is not installed")
pytest.importorskip("torch", reason="the extra deep is not installed")

from flwr.app import Array, ArrayRecord

from penchant.config import Recipe, SequenceSettings
from penchant.data.dataset import Events
from penchant.data.io.save import save as save_dataset
from penchant.data.splitting.split import split
from penchant.data.synthetic.world import checkerboard
from penchant.errors import ConfigError, DataError, TrainingError
from penchant.evaluation.evaluate import evaluate
from penchant.privacy.federated import project
from penchant.privacy.federated.agreement import Agreement, split_users
from penchant.privacy.federated.client import client_app
from penchant.privacy.federated.fedavg import (
    ChangeMean,
    ClientPrivacy,
    fed_avg,
    gaussian,
)
from penchant.privacy.federated.flower_app import (
    RunConfig,
    load,
    process_server,
    run_server,
    save,
    write,
)
from penchant.privacy.federated.in_process_grid import InProcessGrid
from penchant.privacy.federated.simulation import FederationOptions, federate

HERE = Path(__file__).parents[1]
SMALL = SequenceSettings(embedding_size=8, layers=1, epochs=1, dropout=0.0, negatives=0)


@pytest.fixture(scope="module")
def board():
    return checkerboard(users=24, items=16)


@pytest.fixture(scope="module")
def agreement(board):
    return Agreement.of(board, sequence=SMALL)


def grid(agreement, dataset, clients, spoil=None):
    """Clients of a dataset; ``spoil`` maps (client, round) to what is made of the reply."""
    owned = list(split_users(agreement.align(dataset), clients))
    asked = dict.fromkeys(range(clients), 0)

    def mod(message, context, answer):
        if not message.metadata.message_type.startswith("train"):
            return answer(message, context)
        place = int(context.node_config["partition-id"])
        asked[place] += 1
        change = (spoil or {}).get((place, asked[place]), lambda reply: reply)
        return change(answer(message, context))

    return InProcessGrid(
        client_app(lambda context: owned[int(context.node_config["partition-id"])], [mod]), clients
    )


def spoiling(change):
    def spoil(reply):
        arrays = {name: array.numpy().copy() for name, array in reply.content["arrays"].items()}
        reply.content["arrays"] = ArrayRecord({n: Array(a) for n, a in change(arrays).items()})
        return reply

    return spoil


def failing(reply):
    raise RuntimeError("power cut")


def test_rounds_learn_what_follows(board):
    settings = SequenceSettings(
        embedding_size=16, layers=1, epochs=2, dropout=0.0, learning_rate=0.01
    )
    agreement = Agreement.of(board, sequence=settings)
    data = agreement.align(board)
    parts = split(data)
    grids = grid(agreement, data.with_events(parts.train), 4)
    found = fed_avg(grids, agreement, 25)
    ndcg = evaluate(found.expert, agreement.catalogue, parts.test).mean("ndcg@10")
    first = fed_avg(grid(agreement, data.with_events(parts.train), 4), agreement, 1)
    before = evaluate(first.expert, agreement.catalogue, parts.test).mean("ndcg@10")
    assert ndcg > before + 0.1
    assert [len(line.clients) for line in found.rounds] == [4] * 25
    assert len(set(found.sent.values())) == 1
    assert found.rho is None


def test_the_same_seed_gives_the_same_network(agreement, board):
    first, second = (fed_avg(grid(agreement, board, 3), agreement, 2, seed=5) for _ in range(2))
    for name, array in first.expert.arrays().items():
        assert np.array_equal(array, second.expert.arrays()[name], equal_nan=True)


def test_a_round_is_the_weighed_mean():
    mean = ChangeMean({"w": np.zeros(2, np.float32)})
    mean.add("ann", {"w": np.array([3, 0], np.float32)}, 1)
    mean.add("bo", {"w": np.array([0, 6], np.float32)}, 2)
    mean.add("cy", {"w": np.array([9, 9], np.float32)}, 0)
    change, line = mean.taken(3)
    assert change["w"].tolist() == [1, 4]
    assert line.examples == 3
    nobody = ChangeMean({"w": np.ones(2, np.float32)})
    nobody.add("cy", {"w": np.array([9, 9], np.float32)}, 0)
    assert nobody.taken(1)[0]["w"].tolist() == [0, 0]


def test_momentum_goes_on_in_the_direction_of_the_changes_before(agreement, board):
    """The first round moves by its change alone; the second by its own and what is left of it."""
    plain, going = (
        fed_avg(grid(agreement, board, 3), agreement, 1, momentum=m) for m in (0.0, 0.5)
    )
    first = plain.expert.arrays()
    assert np.array_equal(first["items.bias"], going.expert.arrays()["items.bias"])
    begun = fed_avg(
        grid(agreement, board.with_events(board.events.take(slice(0, 0))), 3), agreement, 1
    )
    start = begun.expert.arrays()["items.bias"]
    two, twice = (
        fed_avg(grid(agreement, board, 3), agreement, 2, momentum=m).expert.arrays()["items.bias"]
        for m in (0.0, 0.5)
    )
    assert np.allclose(twice - two, 0.5 * (first["items.bias"] - start), atol=1e-6)
    with pytest.raises(ConfigError, match="momentum"):
        fed_avg(grid(agreement, board, 3), agreement, 1, momentum=1.0)


def test_clients_without_events_leave_the_network_as_it_is(agreement, board):
    nobody = board.with_events(Events.empty())
    found = fed_avg(grid(agreement, nobody, 2), agreement, 1)
    assert found.rounds[0].moved == 0.0
    assert found.rounds[0].examples == 0
    assert found.dropped == ()


def test_a_single_client_is_enough(agreement, board):
    found = fed_avg(grid(agreement, board, 1), agreement, 1)
    assert found.rounds[0].clients == ("client 0",)
    assert found.rounds[0].moved > 0


def test_wrong_clients_are_dropped_and_the_others_go_on(agreement, board):
    def nan(arrays):
        arrays["items.bias"][3] = np.nan
        return arrays

    def cut(arrays):
        return {name: array[:-1] for name, array in arrays.items()}

    def fewer(arrays):
        return {name: array for name, array in arrays.items() if name != "items.bias"}

    spoil = {
        (0, 1): failing,
        (1, 1): spoiling(nan),
        (2, 2): spoiling(cut),
        (3, 2): spoiling(fewer),
    }
    found = fed_avg(grid(agreement, board, 6, spoil), agreement, 3)
    told = [(one.client, one.stage) for one in found.dropped]
    assert told == [
        ("client 0", "round 1"),
        ("client 1", "round 1"),
        ("client 2", "round 2"),
        ("client 3", "round 2"),
    ]
    reasons = [one.reason for one in found.dropped]
    for reason, part in zip(reasons, ("power cut", "NaN", "shape", "items.bias"), strict=True):
        assert part in reason
    assert [len(line.clients) for line in found.rounds] == [4, 2, 2]
    assert found.rounds[2].clients == ("client 4", "client 5")
    assert all(np.isfinite(a).all() for n, a in found.expert.arrays().items() if n != "curve")


def test_a_round_without_anyone_ends_the_run(agreement, board):
    spoil = {(place, 1): failing for place in range(3)}
    with pytest.raises(TrainingError, match="power cut"):
        fed_avg(grid(agreement, board, 3, spoil), agreement, 1)
    with pytest.raises(ConfigError, match="at least one round"):
        fed_avg(grid(agreement, board, 3), agreement, 0)


def test_changes_are_clipped_and_noise_is_added():
    start = {"w": np.zeros(2, np.float32)}
    mean = ChangeMean(start, ClientPrivacy(clip=1.0, noise=0.0))
    mean.add("far", {"w": np.array([30, 40], np.float32)}, 1)
    mean.add("near", {"w": np.array([0.3, 0.4], np.float32)}, 10**6)
    np.testing.assert_allclose(mean.taken(4)[0]["w"], np.array([0.9, 1.2]) / 4, rtol=1e-6)
    wide = ChangeMean({"w": np.zeros(20_000, np.float32)}, ClientPrivacy(clip=2.0, noise=3.0))
    noise = wide.taken(5)[0]["w"].astype(float) * 5
    assert abs(noise.mean()) < 5 * 6 / np.sqrt(20_000)
    assert abs(noise.std() - 6) < 5 * 6 / np.sqrt(2 * 20_000)
    drawn = gaussian(20_000)
    assert abs(np.mean(np.abs(drawn) < 1) - 0.6827) < 5 * np.sqrt(0.6827 * 0.3173 / 20_000)


def test_what_is_spent_is_told(agreement, board):
    found = fed_avg(grid(agreement, board, 3), agreement, 4, ClientPrivacy(clip=0.5, noise=2.0))
    assert found.rho == 4 / 8
    assert not ClientPrivacy(1.0, 0.0).rho < np.inf
    for clip, noise in ((0.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (1.0, -1.0), (1.0, np.nan)):
        with pytest.raises(ConfigError, match="finite clip"):
            ClientPrivacy(clip, noise)


def test_rounds_beside_the_central_fit(board):
    found = federate(board, FederationOptions(3, items=16, rounds=2), Recipe(sequence=SMALL))
    assert found["model"] == "sequence"
    assert len(found["rounds"]) == 2
    assert 0 <= found["ndcg@10"]["value"] <= 1
    assert 0 <= found["central_ndcg@10"]["value"] <= 1


@pytest.mark.parametrize("rounds", [0, 1])
def test_what_a_server_saves_scores_as_what_it_had(agreement, board, tmp_path, rounds):
    write(tmp_path / "app", agreement, tmp_path / "out", rounds=rounds)
    with pytest.raises(DataError, match="finished run"):
        load(tmp_path / "out")
    config = RunConfig(timeout=60, rounds=rounds, secure=True)
    arrays, record = run_server(grid(agreement, board, 4), agreement, config)
    save(tmp_path / "out", arrays, record)
    expert, again, kept = load(tmp_path / "out")
    assert kept == record
    assert again.to_json() == agreement.to_json()
    assert kept.model == expert.name == ("sequence" if rounds else "transition")
    assert set(kept.sent) == {f"client {n}" for n in range(4)}
    for name, array in expert.arrays().items():
        assert np.array_equal(array, arrays[name], equal_nan=True)
    history = agreement.align(board).history("u0000")
    assert np.isfinite(expert.score(history)).any()
    with pytest.raises(ConfigError, match="'round'"):
        write(tmp_path / "app", agreement, tmp_path / "out", round=1)


def test_a_run_of_0_1_0_is_read():
    expert, agreement, record = load(HERE / "fixtures" / "privacy-0.1.0" / "federation")
    board = checkerboard(users=6, items=8)
    assert agreement.catalogue.items == board.catalogue.items
    assert set(record.sent) == {f"client {n}" for n in range(3)}
    _, statistics = agreement.read(agreement.vector(agreement.align(board)))
    assert expert.statistics == statistics
    old = {"terms": "agreement.json", "rounds": 2}  # entries of an app that 0.1.0 wrote
    assert RunConfig.of(old) == RunConfig(agreement="agreement.json", rounds=2)
    assert project.process_server is process_server


def apart():
    """The command that runs another where only loopback can be reached; skips where it cannot."""
    command = ["unshare", "-rn"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"]).returncode:
        pytest.skip("unshare -rn gives no network of its own here (Linux, user namespaces)")
    return command


def told_by(command, folder, seconds):
    """The record of a run, or the ends of its logs."""
    subprocess.run([*apart(), sys.executable, *command], timeout=seconds, check=True)
    if not (folder / "out" / "record.json").exists():
        logs = {log.name: log.read_text()[-2000:] for log in folder.glob("*.log")}
        pytest.fail(json.dumps(logs, indent=1))
    return load(folder / "out")


@pytest.mark.slow  # a minute: Flower starts processes and polls them every few seconds
@pytest.mark.parametrize(
    ("faults", "config"),
    [
        (("none", "none", "none"), {"secure": True}),
        (("none", "nan", "shape", "dies", "none"), {"rounds": 2}),
    ],
    ids=["masked sums", "rounds with lost clients"],
)
def test_a_server_and_clients_as_processes(board, agreement, tmp_path, faults, config):
    names = ("ann", "bo", "cy", "dee", "eve")[: len(faults)]
    for name, part in zip(names, split_users(board, len(faults)), strict=True):
        save_dataset(part, tmp_path / name)
    (tmp_path / "agreement.json").write_text(agreement.to_json())
    pairs = [f"{name}={fault}" for name, fault in zip(names, faults, strict=True)]
    config = json.dumps({"timeout": 60.0, **config})
    command = [str(HERE / "federation_processes.py"), str(tmp_path), "240", config, *pairs]
    expert, _, record = told_by(command, tmp_path, 420)
    kept = [name for name, fault in zip(names, faults, strict=True) if fault == "none"]
    assert sorted(record.sent) == kept
    if "secure" in config:
        sums = agreement.vector(agreement.align(board))
        _, statistics = agreement.read(sums)
        assert expert.statistics == statistics
        return
    reasons = {client.client: client.reason for client in record.dropped}
    assert "NaN" in reasons.pop("bo")
    assert "shape" in reasons.pop("cy")
    assert list(reasons) == ["dee"]
    assert [sorted(line.clients) for line in record.rounds] == [kept] * 2


RAY = """import json, sys
sys.path.insert(0, {here!r})
from federation_processes import loopback_up
loopback_up()
from penchant.config import Recipe, SequenceSettings
from penchant.data.synthetic import checkerboard
from penchant.privacy.federated.simulation import FederationOptions, federate
small = Recipe(sequence=SequenceSettings(width=8, layers=1))
told = [
    federate(checkerboard(), FederationOptions(20, items=20, secure=True, engine="ray")),
    federate(checkerboard(), FederationOptions(4, items=20, rounds=2, engine="ray"), small),
]
print(json.dumps(told))
"""


@pytest.mark.slow  # half a minute: Ray starts its processes
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_flower_simulation_gives_the_same(tmp_path):
    (tmp_path / "ray_bootstrap_config.yaml").write_text("{}\n")
    environment = os.environ | {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
    command = [*apart(), sys.executable, "-c", RAY.format(here=str(HERE))]
    ended = subprocess.run(command, env=environment, check=True, stdout=-1, text=True, timeout=300)
    sums, rounds = json.loads(ended.stdout.splitlines()[-1])
    assert sums["same_bits_as_central"] == {"sums": True, "counts": True, "B": True}
    assert sums["answered"] == 20
    assert [len(line["clients"]) for line in rounds["rounds"]] == [4, 4]
