"""Federated sums: in the open, masked, with clients that are lost or wrong; and the command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("flwr", reason="the extra federated is not installed")

from flwr.app import Array, ArrayRecord, Error, Message

from penchant.cli import app
from penchant.config import Recipe, TransitionSettings
from penchant.data.dataset import Behavior, Events
from penchant.data.io.save import save as save_dataset
from penchant.data.synthetic.world import checkerboard, genres, world
from penchant.errors import ConfigError, DataError, MissingExtraError, TrainingError
from penchant.models.transition.recommender import TransitionFitter
from penchant.privacy import federated
from penchant.privacy.federated import secure_aggregation
from penchant.privacy.federated.agreement import Agreement, best_sellers, cells, split_users
from penchant.privacy.federated.client import client_app
from penchant.privacy.federated.in_process_grid import InProcessGrid
from penchant.privacy.federated.simulation import FederationOptions, federate, run_on
from penchant.privacy.federated.sum_round import secure_sum_round, sum_round

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="module")
def people():
    """Users with several behaviors and domains, one of them negative, and tags."""
    return world(users=60, items=120).dataset()


@pytest.fixture(scope="module")
def agreement(people):
    return Agreement.of(people, best_sellers(people, 30))


def central(agreement, dataset):
    """The fit at one place, on the block, and its events of each item."""
    aligned = agreement.align(dataset)
    return TransitionFitter(aligned)(agreement.settings), aligned.event_counts


def assert_same(agreement, found, dataset):
    expected, event_counts = central(agreement, dataset)
    assert found.statistics == expected.statistics
    assert found.event_counts.tolist() == event_counts.tolist()
    B = agreement.solve(found.event_counts, found.statistics).B
    for part in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(B, part), getattr(expected.B, part))


def without(dataset, *places, clients):
    """The dataset of all clients but some."""
    kept = [i for i in range(clients) if i not in places]
    parts = list(split_users(dataset, clients))
    users = np.isin(dataset.users.ids, [u for i in kept for u in parts[i].users.ids])
    return dataset.with_events(dataset.events.take(users[dataset.events.user]))


def fault(actions, spoil):
    """Flower's mod that spoils answers: {client: function of the reply} at some actions."""

    def mod(message, context, answer):
        place = int(context.node_config["partition-id"])
        if message.metadata.message_type in actions and place in spoil:
            return spoil[place](answer(message, context))
        return answer(message, context)

    return mod


def grid(agreement, dataset, clients, mod=None):
    """Clients of an aligned dataset, some of whose answers are spoilt."""
    owned = list(split_users(agreement.align(dataset), clients))
    load = lambda context: owned[int(context.node_config["partition-id"])]  # noqa: E731
    return InProcessGrid(client_app(load, [mod] if mod else None), clients)


def sending(array):
    def spoil(reply):
        reply.content["arrays"] = ArrayRecord({"sums": Array(array)})
        return reply

    return spoil


def failing(reply):
    raise RuntimeError("power cut")


@pytest.mark.parametrize("clients", [1, 7, 60])
def test_sums_of_clients_are_those_of_one_place(people, agreement, clients):
    found = sum_round(grid(agreement, people, clients), agreement)
    assert_same(agreement, found, people)
    assert found.dropped == ()
    assert len(found.sent) == clients


@pytest.mark.parametrize("degree", [None, 8, 11])
def test_masked_sums_are_those_of_one_place(people, agreement, degree):
    found = secure_sum_round(grid(agreement, people, 20), agreement, degree)
    assert_same(agreement, found, people)
    assert len(found.sent) == 20


def test_sums_of_users_without_time_and_without_order():
    for data in (replace(checkerboard(), time="none"), genres(users=12, items=24, length=6)[0]):
        agreement = Agreement.of(data)
        assert_same(agreement, secure_sum_round(grid(agreement, data, 6), agreement), data)


def test_weights_and_a_negative_behavior_are_public(people):
    behaviors = tuple(
        replace(b, polarity=-1) if i == 0 and b.name != people.target else b
        for i, b in enumerate(people.catalogue.behaviors)
    ) or (Behavior("view"),)
    data = replace(people, catalogue=replace(people.catalogue, behaviors=behaviors))
    settings = TransitionSettings(decay=0.5, reverse=0.5)
    agreement = Agreement.of(data, best_sellers(data, 20), transition=settings)
    assert_same(agreement, sum_round(grid(agreement, data, 5), agreement), data)


def test_a_client_without_events_adds_nothing_and_is_not_seen_to(people, agreement):
    own = next(split_users(people, 60)).users.ids
    silent = people.with_events(people.events.take(people.events.user >= len(own)))
    for sums in (sum_round, secure_sum_round):
        found = sums(grid(agreement, silent, 60), agreement)
        assert_same(agreement, found, silent)
        assert len(found.sent) == 60
    nobody = people.with_events(Events.empty())
    assert agreement.vector(agreement.align(nobody)).any() == False  # noqa: E712
    found = sum_round(grid(agreement, nobody, 3), agreement)
    assert found.statistics.forward.C.nnz == 0
    assert agreement.solve(found.event_counts, found.statistics).B.nnz == 0


def test_the_size_of_a_message_tells_nothing_of_its_client(people, agreement):
    sent = sum_round(grid(agreement, people, 60), agreement).sent.values()
    payload = 8 * agreement.cells
    assert (
        len({len(agreement.vector(part)) for part in split_users(agreement.align(people), 60)}) == 1
    )
    assert all(0 <= size - payload < 400 for size in sent)  # names and shapes
    assert max(sent) - min(sent) < 4  # Flower writes the number of a node in its answer's name
    assert agreement.cells == cells(30, agreement.rows, agreement.time)


def test_a_masked_vector_looks_like_noise(people, agreement):
    seen = {}

    def spy(message, context, answer):
        reply = answer(message, context)
        if message.metadata.message_type == "train.masked":
            seen[context.node_id] = reply.content["arrays"]["sums"].numpy()
        return reply

    secure_sum_round(grid(agreement, people, 5, spy), agreement)
    own = [agreement.vector(part) for part in split_users(agreement.align(people), 5)]
    assert np.mean([np.mean(vector == 0) for vector in own]) > 0.3
    for vector in seen.values():
        assert not (vector == 0).any()
        bits = np.unpackbits(vector.view(np.uint8)).mean()
        assert abs(bits - 0.5) < 6 * 0.5 / np.sqrt(64 * len(vector))
    total = sum(own[1:], own[0])
    hidden = list(seen.values())
    assert not (sum(hidden[1:], hidden[0]) == total).any()  # their own seeds hide the sum too


WRONG = {
    "fails": (failing, "power cut"),
    "is of another shape": (sending(np.zeros(3, np.uint64)), "shape"),
    "sends NaN": (sending(np.full(3, np.nan)), "shape"),
    "is of another type": (lambda reply: sending(np.full(10**4, np.nan))(reply), "shape"),
}


@pytest.mark.parametrize("sums", [sum_round, secure_sum_round])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_client_is_dropped_and_named(people, agreement, sums, wrong):
    spoil, reason = WRONG[wrong]
    mod = fault({"train.sums", "train.masked"}, {3: spoil, 8: spoil})
    found = sums(grid(agreement, people, 20, mod), agreement)
    assert [one.client for one in found.dropped] == ["client 3", "client 8"]
    assert all(reason in one.reason for one in found.dropped)
    assert_same(agreement, found, without(people, 3, 8, clients=20))


def test_nan_and_huge_sums_are_named(people, agreement):
    spoil = {
        0: sending(np.full(agreement.cells, np.nan)),
        1: sending(np.full(agreement.cells, 1 << 63, np.uint64)),
    }
    found = sum_round(grid(agreement, people, 5, fault({"train.sums"}, spoil)), agreement)
    assert "float64" in found.dropped[0].reason
    assert "larger" in found.dropped[1].reason
    assert_same(agreement, found, without(people, 0, 1, clients=5))


@pytest.mark.parametrize(
    ("action", "counted"),
    [
        ("train.keys", False),
        ("train.share", False),
        ("train.masked", False),
        ("train.opened", True),
    ],
)
@pytest.mark.parametrize("degree", [None, 12])
def test_a_client_lost_at_any_step(people, agreement, action, counted, degree):
    mod = fault({action}, {2: failing, 15: failing})
    found = secure_sum_round(grid(agreement, people, 20, mod), agreement, degree)
    assert [one.client for one in found.dropped] == ["client 2", "client 15"]
    expected = people if counted else without(people, 2, 15, clients=20)
    assert_same(agreement, found, expected)
    assert len(found.sent) == (20 if counted else 18)


def test_six_of_twenty_may_be_lost(people, agreement):
    lost = dict.fromkeys(range(6), failing)
    found = secure_sum_round(grid(agreement, people, 20, fault({"train.masked"}, lost)), agreement)
    assert len(found.dropped) == 6
    assert_same(agreement, found, without(people, *range(6), clients=20))


def test_too_many_lost_clients_end_a_masked_sum(people, agreement):
    mod = fault({"train.opened"}, dict.fromkeys(range(10), failing))
    with pytest.raises(TrainingError, match="too many clients were lost"):
        secure_sum_round(grid(agreement, people, 20, mod), agreement)
    mod = fault({"train.sums"}, dict.fromkeys(range(5), failing))
    with pytest.raises(TrainingError, match="power cut"):
        sum_round(grid(agreement, people, 5, mod), agreement)


def test_a_masked_cell_beyond_sense_is_found(people, agreement):
    mod = fault({"train.masked"}, {0: sending(np.full(agreement.cells, 1 << 62, np.uint64))})
    with pytest.raises(DataError, match="below 2"):
        secure_sum_round(grid(agreement, people, 5, mod), agreement)


class Gone(InProcessGrid):
    """A grid that answers for a lost node in its own name, as a SuperLink does."""

    def send_and_receive(self, messages, *, timeout=None):
        for number, message in enumerate(messages):
            message.metadata.__dict__["_message_id"] = f"{number}"
            reply = self._answer(message)
            if message.metadata.dst_node_id == 4 and "train" in message.metadata.message_type:
                reply = Message(Error(code=5, reason="node is gone"), reply_to=message)
                reply.metadata.__dict__["_src_node_id"] = 1
            yield reply
            yield reply


def test_a_lost_node_is_known_by_what_was_asked_of_it(people, agreement):
    app = grid(agreement, people, 4).app
    found = sum_round(Gone(app, 4), agreement)
    assert [(one.client, one.reason) for one in found.dropped] == [("client 2", "node is gone")]
    assert_same(agreement, found, without(people, 2, clients=4))


@pytest.mark.parametrize("clients", [1, 2])
def test_a_client_alone_is_not_hidden(people, agreement, clients):
    with pytest.raises(ConfigError, match="at least 3 clients"):
        secure_sum_round(grid(agreement, people, clients), agreement)


def test_a_member_tells_each_thing_once_and_to_enough():
    members = {n: secure_aggregation.Member(n, 2) for n in (1, 2, 3)}
    keys = {n: member.public() for n, member in members.items()}
    own = {n: {o: k for o, k in keys.items() if o != n} for n in keys}
    letters = {n: member.share(own[n]) for n, member in members.items()}
    one, vector = members[1], np.arange(5, dtype=np.uint64)
    with pytest.raises(TrainingError, match="once"):
        one.share(own[1])
    mine = {n: letters[n][1] for n in (2, 3)}
    with pytest.raises(TrainingError, match="at least 2"):
        one.masked(vector, {2: mine[2]})
    one.masked(vector, mine)
    with pytest.raises(TrainingError, match="at least 2"):
        one.open([2])
    assert secure_aggregation.Member.from_json(one.to_json()) == one
    assert set(one.open([2, 3])) == {2, 3}
    with pytest.raises(TrainingError, match="another"):
        one.open([2, 3])
    two = members[2]
    two.masked(vector, {1: letters[1][2], 3: letters[1][3]})
    with pytest.raises(TrainingError, match="member 3 was forged"):
        two.open([1, 3])
    with pytest.raises(TrainingError, match="distinct"):
        secure_aggregation.Member(4, 2).share({1: keys[1], 2: keys[1]})


def test_fewer_shares_than_the_threshold_say_nothing():
    secret = bytes(range(32))
    shares = secure_aggregation.split_secret(secret, range(1, 6), 3)
    assert secure_aggregation.joined_secret({n: shares[n] for n in (2, 4, 5)}, 3) == secret
    with pytest.raises(TrainingError, match="fit together"):
        secure_aggregation.joined_secret({n: shares[n] for n in (2, 4)}, 2)
    again = secure_aggregation.split_secret(secret, range(1, 6), 3)
    assert all(again[n] != shares[n] for n in shares)


def test_an_agreement_survives_json_and_refuse_what_does_not_fit(people, agreement):
    again = Agreement.from_json(agreement.to_json())
    assert again.to_json() == agreement.to_json()
    assert again.catalogue.items == agreement.catalogue.items
    with pytest.raises(DataError, match="time"):
        agreement.align(replace(people, time="none"))
    with pytest.raises(ConfigError, match="unheard-of"):
        Agreement.of(people, ["unheard-of"])
    with pytest.raises(ConfigError, match="from 1 to 60"):
        list(split_users(people, 61))


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "flwr", None)
    with pytest.raises(MissingExtraError, match="federated"):
        federated.check_extra()


def test_ray_is_asked_for_by_name(people):
    if __import__("importlib.util").util.find_spec("ray"):
        pytest.skip("Ray is installed")
    with pytest.raises(MissingExtraError, match="pip install ray"):
        run_on("ray", people, 3, lambda grid: None)


def test_the_command_prints_bytes_and_both_values(tmp_path):
    save_dataset(checkerboard(), tmp_path / "data")
    command = ["federate", str(tmp_path / "data"), "--clients", "5", "--items", "20"]
    shown = CliRunner().invoke(app, [*command, "--secure"])
    assert shown.exit_code == 0, shown.output
    for part in ("5 clients with 20 users", "masked", "sums yes, counts yes, B yes", "NDCG@10"):
        assert part in shown.output
    asked = CliRunner().invoke(app, [*command, "--json"])
    found = json.loads(asked.stdout)
    assert found["ndcg@10"] == found["central_ndcg@10"]
    (tmp_path / "block.txt").write_text("\n".join(f"i{n:04d}" for n in range(12)))
    asked = CliRunner().invoke(app, [*command, "--block", str(tmp_path / "block.txt"), "--json"])
    assert json.loads(asked.stdout)["items"] == 12
    refused = CliRunner().invoke(app, [*command, "--secure", "--rounds", "2"])
    assert isinstance(refused.exception, ConfigError)
    assert isinstance(CliRunner().invoke(app, [*command, "--noise", "1"]).exception, ConfigError)


@pytest.mark.slow  # worlds of the same property are above
@pytest.mark.parametrize(("clients", "secure"), [(20, True), (943, False)])
def test_movielens_is_equal_bit_for_bit(movielens, clients, secure):
    found = federate(movielens, FederationOptions(clients, secure=secure), Recipe())
    assert found["same_bits_as_central"] == {"sums": True, "counts": True, "B": True}
    assert found["answered"] == clients == found["clients"]
    assert 8_004_000 <= found["bytes_per_client"]["most"] < 8_020_000
    assert found["ndcg@10"] == found["central_ndcg@10"]
