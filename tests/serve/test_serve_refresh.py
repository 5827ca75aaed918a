"""From the store into the run: the same bits as a fit on all events; workers follow."""

import json
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed; it is in the extra serve")

from typer.testing import CliRunner

from penchant import forget, load
from penchant.cli import app
from penchant.data.merge import without_users
from penchant.models.transition.recommender import TransitionFitter
from penchant.recommendation import Model
from penchant.serve.service.refresh import refresh
from penchant.serve.store.store import Store
from serving import client_of, run_of, told


def assert_same(found, expected):
    """The same bits in the sums, the same B, the same lists for every user."""
    a, b = found.recommender, expected.recommender
    assert a.statistics == b.statistics
    assert (a.B != b.B).nnz == 0
    for left, right in zip(found.recommend_all(10), expected.recommend_all(10), strict=True):
        assert np.array_equal(left.items, right.items)
        assert np.array_equal(left.scores, right.scores)


def later_half(data):
    """The data without each user's last two events, and these as they are posted."""
    events = data.events
    last = events.indptr(len(data.users))[1:]
    held = np.zeros(len(events), bool)
    held[np.maximum(last - 1, 0)] = held[np.maximum(last - 2, 0)] = True
    ids, names = data.catalogue.items.ids, [b.name for b in data.catalogue.behaviors]
    posted = [
        {
            "event_id": f"e{place}",
            "user": data.users.ids[events.user[place]],
            "item": ids[events.item[place]],
            "behavior": names[events.behavior[place]],
            "domain": data.catalogue.domains[events.domain[place]],
            "timestamp": int(events.time[place]),
        }
        for place in np.flatnonzero(held & (events.item >= 0))
    ]
    kept = ~held | (events.item < 0)
    return data.with_events(events.take(kept)), posted


def test_a_run_that_took_its_store_is_that_of_a_fit_on_all_events(data, database, tmp_path):
    before, posted = later_half(data)
    settings = TransitionFitter(before)(load_settings(before)).settings
    model = Model(before, TransitionFitter(before)(settings))
    model.save(tmp_path / "run")
    with client_of(tmp_path / "run", database) as client:
        for start in range(0, len(posted), 300):
            told(client.post("/events", json=posted[start : start + 300]))
        user = posted[0]["user"]
        live = told(client.get(f"/users/{user}/recommendations"))
        store = Store(database)
        receipt = refresh(tmp_path / "run", store)
        assert receipt.added.events == len(posted)
        found = load(tmp_path / "run")
        assert_same(found, Model(data, TransitionFitter(data)(settings)))
        again = refresh(tmp_path / "run", store)  # nothing new: nothing to do
        assert again.added is None
        for _ in range(100):  # the service takes it over beside its requests
            then = told(client.get(f"/users/{user}/recommendations"))
            if then["artifact"] != live["artifact"]:
                break
            time.sleep(0.1)
        assert then["artifact"] != live["artifact"]
        past = {event["item"] for event in posted if event["user"] == user}
        assert not past & {row["item"] for row in then["items"]}
        offline = found.recommend(user)
        assert [row["item"] for row in then["items"]] == [row.item for row in offline.items]


def load_settings(data):
    from penchant.config import TransitionSettings

    return TransitionSettings(candidates=60)


def test_who_was_forgotten_is_taken_out_of_the_run_and_stays_out(data, database, tmp_path):
    settings = load_settings(data)
    model = Model(data, TransitionFitter(data)(settings))
    model.save(tmp_path / "run")
    user, other = data.users.ids[5], data.users.ids[6]
    with client_of(tmp_path / "run", database) as client:
        item = data.catalogue.items.ids[0]
        told(client.post("/events", json={"user": user, "item": item, "behavior": "buy"}))
        told(client.delete(f"/users/{user}"))
        receipt = refresh(tmp_path / "run", Store(database))
        assert receipt.forgotten.users == 1
        assert receipt.added is None
    found = load(tmp_path / "run")
    row = data.users.rows([user])
    assert_same(
        found, Model(without_users(data, row), TransitionFitter(without_users(data, row))(settings))
    )
    assert user not in found.dataset.users
    assert other in found.dataset.users
    with client_of(tmp_path / "run", database) as client:  # and may come back as somebody new
        told(client.post("/events", json={"user": user, "item": item, "behavior": "buy"}))
        assert told(client.get(f"/users/{user}/recommendations"))["source"] == "transition"
        assert refresh(tmp_path / "run", Store(database)).forgotten is None
    assert len(load(tmp_path / "run").dataset.history(user).events) == 1


def test_items_and_sessions_and_queries_go_into_the_run(data, database, tmp_path):
    run = run_of(tmp_path / "run", data=data)
    with client_of(run, database) as client:
        told(
            client.post("/items", json={"item": "brand new", "tags": list(data.catalogue.tags[3])})
        )
        batch = [
            {"session": "s", "item": "brand new", "behavior": "buy"},
            {"session": "s", "query": "Red  Shoes", "behavior": "view"},
            {"session": "left anonymous", "item": "brand new", "behavior": "buy"},
        ]
        told(client.post("/events", json=batch))
        told(client.put("/sessions/s/user", json={"user": "zoe"}))
        receipt = refresh(run, Store(database))
    assert (receipt.added.items, receipt.added.users) == (1, 1)
    catalogue = load(run).dataset.catalogue
    assert catalogue.tags[catalogue.items.index["brand new"]]
    assert {"query:red", "query:shoes"} <= set(catalogue.tokens.ids)
    events = load(run).dataset.history("zoe").events
    assert len(events) == 3  # an event for each word
    assert len(load(run).dataset.events) == len(data.events) + 3


@pytest.mark.parametrize("time", ["order", "none"])
def test_without_a_clock_new_events_come_last(data, database, tmp_path, time):
    events = data.events
    times = np.arange(len(events)) if time == "order" else np.zeros(len(events), np.int64)
    bare = replace(data, time=time, events=replace(events, time=times))
    model = Model(bare, TransitionFitter(bare)(load_settings(bare)))
    model.save(tmp_path / "run")
    user = bare.users.ids[3]
    items = [row.item for row in model.recommend(user, k=2).items]
    with client_of(tmp_path / "run", database) as client:
        for item in items:
            told(client.post("/events", json={"user": user, "item": item, "behavior": "buy"}))
        live = told(client.get(f"/users/{user}/recommendations", params={"k": 20}))
        scores = {row["item"]: row["score"] for row in live["items"]}
        refresh(tmp_path / "run", Store(database))
    found = load(tmp_path / "run")
    ids = found.dataset.catalogue.items.ids
    history = [ids[row] for row in found.dataset.history(user).events.item]
    before = [ids[row] for row in bare.history(user).events.item]
    if time == "order":
        assert history == before + items
    else:  # events of one time have no order
        assert sorted(history) == sorted(before + items)
    settings = model.recommender.settings
    assert_same(found, Model(found.dataset, TransitionFitter(found.dataset)(settings)))
    # the same history, read by the model as it was before
    same = replace(model, dataset=found.dataset).recommend(user, k=20)
    assert scores == pytest.approx({row.item: row.score for row in same.items})


def test_the_command_takes_the_store_into_the_run(data, database, tmp_path):
    run = run_of(tmp_path / "run", data=data)
    with client_of(run, database) as client:
        event = {"user": "zoe", "item": data.catalogue.items.ids[0], "behavior": "buy"}
        told(client.post("/events", json=event))
    done = CliRunner().invoke(app, ["update", str(run), "--database", database, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["added"]["events"] == 1
    done = CliRunner().invoke(app, ["update", str(run), "--database", database])
    assert "0 new events, 0 new items, 0 users forgotten" in done.stdout
    assert "zoe" in load(run).dataset.users
    whole, _ = forget(load(run), ["zoe"])
    assert len(whole.dataset.events) == len(data.events)


def test_a_run_of_one_store_takes_all_events_of_another(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    first, second = (f"sqlite:///{tmp_path}/{name}.db" for name in "ab")
    with client_of(tmp_path / "run", first) as client:
        items = client.service.variant_of("").model.dataset.catalogue.items.ids
        for item in items[:5]:
            told(client.post("/events", json={"user": "new", "item": item, "behavior": "buy"}))
    taken = Store(first)
    refresh(tmp_path / "run", taken)
    taken.close()
    with client_of(tmp_path / "run", second) as client:
        event = {"user": "other", "item": items[7], "behavior": "buy"}
        told(client.post("/events", json=event))
        assert client.service.context("other").history.lengths.tolist() == [1]
        assert client.service.context("new").history.lengths.tolist() == [5]
    taken = Store(second)
    assert refresh(tmp_path / "run", taken).added.events == 1
    taken.close()
    with client_of(tmp_path / "run", second) as client:
        assert client.service.context("other").history.lengths.tolist() == [1]
