"""The addresses of the service, over real runs and a real store."""

import json
import logging
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed; it is in the extra serve")

import itertools

from penchant import load
from penchant.serve.api import api_keys
from penchant.serve.api.api_keys import ApiKeys
from penchant.serve.service.pagination import Page, encode_token
from penchant.serve.store.store import Store
from serving import client_of, expected, quoted, run_of, told


@pytest.fixture(scope="module")
def fused(tmp_path_factory, data):
    pytest.importorskip("torch", reason="torch is not installed; it is the extra deep")
    return run_of(tmp_path_factory.mktemp("runs") / "fused", "fusion", data)


def listed(client, user, **asked):
    found = told(client.get(f"/users/{quoted(user)}/recommendations", params=asked))
    return [row["item"] for row in found["items"]], found


@pytest.mark.parametrize("family", ["run", "fused"])
def test_the_next_list_follows_an_event(request, database, data, family):
    path = request.getfixturevalue(family)
    model, user = load(path), data.users.ids[7]
    with client_of(path, database) as client:
        first, _ = listed(client, user, k=100)
        at = int(model.dataset.history(user).events.time.max()) + 1
        event = {"user": user, "item": first[4], "behavior": "buy", "timestamp": at}
        assert told(client.post("/events", json=event))["accepted"] == 1
        then, found = listed(client, user, k=100)
        assert first[4] not in then
        scores = expected(model, user, [(first[4], "buy")])
        items = model.dataset.catalogue.items
        for row in found["items"]:
            if row["source"] != "popular":
                assert row["score"] == pytest.approx(scores[items.index[row["item"]]], abs=1e-9)
        ranks = [scores[items.index[item]] for item in then]
        assert all(a >= b - 1e-9 for a, b in itertools.pairwise(ranks))


def test_a_view_and_a_purchase_are_asked_for_apart(fused, database, data):
    with client_of(fused, database) as client:
        apart = [
            listed(client, user, behavior="view")[0] != listed(client, user)[0]
            for user in data.users.ids[:10]
        ]
    assert any(apart)


def test_an_event_that_comes_twice_counts_once(client, data):
    event = {"event_id": "e", "user": "new", "item": data.catalogue.items.ids[0], "behavior": "buy"}
    assert told(client.post("/events", json=event))["accepted"] == 1
    assert told(client.post("/events", json=[event, event]))["duplicates"] == 2


def test_what_is_refused_is_counted_with_its_reason(client, data):
    good = {"user": "u", "item": data.catalogue.items.ids[0], "behavior": "buy"}
    ahead = time.time() + 7 * 86400
    batch = [good, good | {"behavior": "veiw"}, good | {"timestamp": ahead}, good | {"item": "?"}]
    found = told(client.post("/events", json=batch))
    assert found["accepted"] == 2
    assert [one["index"] for one in found["refused"]] == [1, 2]
    assert "expected one of" in found["refused"][0]["reason"]
    assert found["unknown_items"] == 1
    problem = told(client.post("/events", json=good | {"behavior": "veiw"}), 422)
    assert "veiw" in problem["detail"]
    assert problem["remedy"]


def test_a_stranger_gets_the_popular_items_and_then_a_list_of_their_own(client, data):
    _, found = listed(client, "nobody-yet")
    assert found["source"] == "popular"
    batch = [
        {"user": "nobody-yet", "item": item, "behavior": "buy"}
        for item in data.catalogue.items.ids[:3]
    ]
    told(client.post("/events", json=batch))
    assert listed(client, "nobody-yet")[1]["source"] == "transition"


def test_a_history_that_comes_along_is_answered_and_not_kept(client, run, data):
    items = list(data.catalogue.items.ids[:3])
    body = {"history": [items[0], {"item": items[1], "behavior": "buy"}, items[2], "what"], "k": 5}
    found = told(client.post("/recommendations", json=body))
    offline = load(run).recommend(history=items, k=5)
    assert [row["item"] for row in found["items"]] == [row.item for row in offline.items]
    assert found["unknown"] == ["what"]
    assert client.service.store.counts()["events"] == 0


def test_a_session_becomes_a_users(client, data):
    items = data.catalogue.items.ids
    batch = [{"session": "s 1", "item": item, "behavior": "buy"} for item in items[:3]]
    told(client.post("/events", json=batch))
    anonymous = told(client.post("/recommendations", json={"session": "s 1"}))
    assert anonymous["source"] == "transition"
    assert listed(client, "zoe")[1]["source"] == "popular"
    assert told(client.put("/sessions/s%201/user", json={"user": "zoe"})) == {
        "user": "zoe",
        "events": 3,
    }
    mine, found = listed(client, "zoe")
    assert mine == [row["item"] for row in anonymous["items"]]
    assert found["source"] == "transition"
    assert told(client.post("/recommendations", json={"session": "s 1"}))["source"] == "popular"


def test_pages_never_overlap_whatever_happens_between_them(client, data):
    user, seen, page = data.users.ids[5], [], None
    for number in range(6):
        items, found = listed(client, user, k=7, **({"page": page} if page else {}))
        seen += items
        page = found["next"]
        told(client.post("/events", json={"user": user, "item": items[0], "behavior": "view"}))
        told(client.post("/events", json={"user": "x", "item": items[1], "behavior": "buy"}))
        assert len(items) == 7, number
    assert len(set(seen)) == len(seen) == 42


def test_pages_end_where_the_catalogue_does(client, data):
    user, page, seen = data.users.ids[5], None, []
    while True:
        items, found = listed(client, user, k=60, **({"page": page} if page else {}))
        seen += items
        page = found["next"]
        if page is None:
            break
    past = set(load_history(client, user))
    assert set(seen) == set(data.catalogue.items.ids) - past


def load_history(client, user):
    data = next(iter(client.service.variants.values())).model.dataset
    return [data.catalogue.items.ids[row] for row in data.history(user).events.item]


@pytest.mark.parametrize(
    "text", ["x", "%%%", "eJyLjgUAARUAuQ", encode_token(Page("r", ("a",)))[:-4], ""]
)
def test_a_page_token_that_is_none_is_told(client, data, text):
    found = client.get(f"/users/{data.users.ids[0]}/recommendations", params={"page": text})
    assert "page token" in told(found, 422)["detail"]


def test_a_new_item_is_in_the_next_list(client, data):
    user = data.users.ids[2]
    best = listed(client, user, k=1)[0][0]
    row = data.catalogue.items.index[best]
    item = {"item": "brand new", "title": "Brand new", "tags": list(data.catalogue.tags[row])}
    assert told(client.post("/items", json=item)) == {"items": 1}
    items, found = listed(client, user, where='item == "brand new"')
    assert items == ["brand new"]
    assert found["items"][0]["title"] == "Brand new"
    assert found["items"][0]["source"] == "transition"
    assert told(client.get("/items/brand%20new/similar", params={"k": 3}))["items"]
    event = {"user": user, "item": "brand new", "behavior": "buy"}
    assert told(client.post("/events", json=event))["unknown_items"] == 0


def test_items_that_cannot_be_read_leave_all_as_it_was(client):
    before = client.service.store.revision
    found = told(client.post("/items", json={"item": "a", "image": "/etc/passwd"}), 422)
    assert "image" in found["detail"]
    assert client.service.store.revision == before


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"": 1}, "expected a name of letters"),
        ({"row": 1}, "expected a name of letters"),
        ({"x;y": 1}, "expected a name of letters"),
        ({"Title": "t"}, "expected it as 'title'"),
        ({"price": [1, "a"]}, "body"),
        ({"kind": True, "Kind": False}, "expected it as 'kind'"),
    ],
)
def test_a_column_that_no_catalogue_takes_is_told(client, cells, message):
    found = told(client.post("/items", json={"item": "a", **cells}), 422)
    assert message in json.dumps(found)
    assert client.service.store.revision == 0


def test_a_column_holds_cells_of_one_kind(client):
    told(client.post("/items", json=[{"item": "a", "price": 3}, {"item": "b", "price": 4.5}]))
    found = told(client.post("/items", json={"item": "c", "price": "dear"}), 422)
    assert "one kind of cells, received numbers and text" in found["detail"]
    mixed = [{"item": "d", "fit": True}, {"item": "e", "fit": "yes"}]
    assert "text and true or false" in told(client.post("/items", json=mixed), 422)["detail"]


@pytest.mark.parametrize(
    "state",
    [
        {"hidden": True},
        {"stock": 0},
        {"available_until": "2020-01-01"},
        {"available_from": "2999-01-01T00:00:00Z"},
    ],
)
def test_what_may_not_be_listed_is_gone_from_the_next_list(client, data, state):
    user = data.users.ids[4]
    first, _ = listed(client, user)
    assert client.patch(f"/items/{quoted(first[0])}", json=state).status_code == 204
    assert listed(client, user, k=50)[0][:9] == first[1:]
    assert first[0] not in [
        row["item"]
        for item in first[1:4]
        for row in told(client.get(f"/items/{quoted(item)}/similar", params={"k": 100}))["items"]
    ]
    back = {"hidden": False, "stock": 5, "available_until": None, "available_from": None}
    assert client.patch(f"/items/{quoted(first[0])}", json=back).status_code == 204
    assert listed(client, user)[0] == first


def test_a_deleted_item_is_gone_until_it_is_posted_again(client, data):
    user = data.users.ids[4]
    first, _ = listed(client, user)
    assert client.delete(f"/items/{quoted(first[0])}").status_code == 204
    assert first[0] not in listed(client, user, k=100)[0]
    told(client.post("/items", json={"item": first[0]}))
    assert listed(client, user)[0] == first


def test_what_one_worker_is_told_the_other_follows(run, database, data):
    user = data.users.ids[4]
    with client_of(run, database) as one, client_of(run, database) as two:
        first, _ = listed(two, user)
        assert one.delete(f"/items/{quoted(first[0])}").status_code == 204
        told(one.post("/items", json={"item": "fresh", "tags": list(data.catalogue.tags[0])}))
        told(one.post("/events", json={"user": user, "item": first[1], "behavior": "buy"}))
        then, _ = listed(two, user, k=100)
        assert first[0] not in then
        assert first[1] not in then
        assert listed(two, user, where='item == "fresh"')[0] == ["fresh"]


def test_a_muted_interest_leaves_the_list_and_comes_back(client, data):
    user = next(
        user
        for user in data.users.ids
        if len(told(client.get(f"/users/{user}/interests"))["interests"]) > 1
    )
    found = told(client.get(f"/users/{user}/interests"))["interests"]
    first, _ = listed(client, user, k=20)
    address = f"/users/{user}/interests/{found[0]['id']}"
    said = told(client.patch(address, json={"factor": 0}))
    assert said["interests"][0]["factor"] == 0
    muted, _ = listed(client, user, k=20)
    assert muted != first
    boosted = told(client.patch(address, json={"factor": 9}))
    assert boosted["interests"][0]["factor"] == 9
    assert listed(client, user, k=20)[0] != muted
    told(client.patch(address, json={"factor": 1}))
    assert listed(client, user, k=20)[0] == first
    told(client.patch(f"/users/{user}/interests/none", json={"factor": 0}), 404)


def test_without_consent_a_list_is_the_popular_items_and_nothing_is_kept(client, data):
    user = data.users.ids[4]
    before, _ = listed(client, user)
    assert client.put(f"/users/{user}/consent", json={"personalization": False}).status_code == 204
    _, found = listed(client, user)
    assert found["source"] == "popular"
    assert found["consent"] is False
    event = {"user": user, "item": before[0], "behavior": "buy"}
    assert "consent" in told(client.post("/events", json=event), 422)["detail"]
    client.put(f"/users/{user}/consent", json={"personalization": True})
    assert listed(client, user)[0] == before


def test_requests_accept_the_names_of_0_1_0(client, data):
    user = data.users.ids[4]
    old = {"personalisation": False}
    assert client.put(f"/users/{user}/consent", json=old).status_code == 204
    assert listed(client, user)[1]["consent"] is False
    problem = told(client.post("/admin/reload", json={"arm": "none"}), 409)
    assert "'none'" in problem["detail"]


def test_reload_answers_with_the_variant(client):
    served = listed(client, "u")[1]["artifact"]
    for body in ({}, {"variant": "main"}, {"arm": "main"}):
        answer = told(client.post("/admin/reload", json=body))
        assert answer == {"variant": "main", "artifact": served}


def test_who_is_forgotten_is_a_stranger_to_every_worker(run, database, data):
    user = data.users.ids[4]
    with client_of(run, database) as one, client_of(run, database) as two:
        before, _ = listed(two, user)
        told(one.post("/events", json={"user": user, "item": before[0], "behavior": "buy"}))
        receipt = told(one.delete(f"/users/{user}"))
        assert receipt["erased"]["events"] == 1
        assert receipt["artifacts"] == ["main"]
        for client in (one, two):
            _, found = listed(client, user)
            assert found["source"] == "popular"
            assert not told(client.get(f"/users/{user}/interests"))["interests"]


def test_reasons_speak_of_the_event_that_just_came(client, data):
    user, items = "just here", data.catalogue.items.ids
    told(client.post("/events", json={"user": user, "item": items[0], "behavior": "buy"}))
    _, found = listed(client, "just here", explain=True)
    assert found["items"][0]["reasons"][0]["about"] == items[0]
    address = f"/users/just%20here/explanations/{quoted(found['items'][0]['item'])}"
    whole = told(client.get(address))
    assert whole["score"] == pytest.approx(sum(r["contribution"] for r in whole["reasons"]))
    told(client.get("/users/just%20here/explanations/none"), 404)


@pytest.mark.parametrize(
    "name", ["a/b", "100%", "a%2Fb", "?x=1", "ü 中", "..", "<script>", "a b+c"]
)
def test_any_identifier_has_an_address(client, data, name):
    item = data.catalogue.items.ids[0]
    told(client.post("/events", json={"user": name, "item": item, "behavior": "buy"}))
    address = quoted(name) if name != ".." else "%2E%2E"
    found = told(client.get(f"/users/{address}/recommendations"))
    assert found["user"] == name
    assert found["source"] == "transition"
    told(client.post("/items", json={"item": name}))
    assert client.delete(f"/items/{address}").status_code == 204


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b'{"user": "\xff"}', 400),
        (b"[" * 100_000, 400),
        (b'{"user":"u","item":"i","behavior":"buy","value":NaN}', 422),
        (b'{"user":"u\\u0000","item":"i","behavior":"buy"}', 422),
        (b'{"user":"\\ud800","item":"i","behavior":"buy"}', 422),
        (b'{"user":"u","item":"i","behavior":"buy","what":1}', 422),
        (b'{"user":"u","item":"i","query":"q","behavior":"buy"}', 422),
        (b'{"user":"u","item":"i","behavior":"buy","timestamp":"yesterday"}', 422),
        (b'{"user":"u","item":"i","behavior":"buy","timestamp":1e300}', 422),
        (b'{"user":"u","item":"i","behavior":"buy","timestamp":' + b"9" * 5000 + b"}", 400),
        (b"[]", 422),
        (b"x" * (2 << 20), 413),
    ],
)
def test_a_hostile_body_is_refused_with_a_problem(client, body, status):
    found = client.post("/events", content=body, headers={"content-type": "application/json"})
    content = told(found, status)
    assert found.headers["content-type"] == "application/problem+json"
    assert content["status"] == status
    assert content["remedy"]
    assert content["title"]
    assert "Traceback" not in found.text
    assert client.service.store.counts()["events"] == 0


def test_a_body_that_says_nothing_of_its_length_is_limited_too(client):
    def parts():
        for _ in range(40):
            yield b" " * 65536

    told(client.post("/events", content=parts(), headers={"content-type": "application/json"}), 413)


def test_another_kind_of_body_is_refused(client):
    told(client.post("/events", data={"user": "u"}), 415)


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("get", "/nothing", 404),
        ("post", "/healthz", 405),
        ("get", "/users/u/recommendations?k=0", 422),
        ("get", "/users/u/recommendations?k=x", 422),
        ("get", "/users/u/recommendations?behavior=fly", 422),
        ("get", "/users/u/recommendations?domain=mars", 422),
        ("get", "/users/u/recommendations?where=nonsense", 422),
        ("get", "/users/u/recommendations?where=nothing+%3C+3", 422),
        ("get", "/users/%ff/recommendations", 422),
        ("get", "/items/none/similar", 404),
        ("delete", "/items/none", 404),
    ],
)
def test_each_problem_says_what_to_do(client, method, address, status):
    found = getattr(client, method)(address)
    content = told(found, status)
    assert found.headers["content-type"] == "application/problem+json"
    assert content["detail"]
    assert content["remedy"]


def test_keys_open_what_they_are_for(run, database, data, monkeypatch):
    monkeypatch.setattr(api_keys, "_CACHE_SECONDS", 0.0)
    keys = ApiKeys(Store(database))
    made = {scope: keys.add(scope, {scope}) for scope in ("read", "write", "admin")}
    user, item = data.users.ids[0], data.catalogue.items.ids[0]
    requests = {
        "read": lambda client, **how: client.get(f"/users/{user}/recommendations", **how),
        "write": lambda client, **how: client.post(
            "/events", json={"user": user, "item": item, "behavior": "buy"}, **how
        ),
        "admin": lambda client, **how: client.get("/metrics", **how),
    }
    with client_of(run, database, open=False) as client:
        assert client.get("/healthz").status_code == 200
        for name, ask in requests.items():
            assert told(ask(client), 401)["remedy"]
            told(ask(client, headers={"x-api-key": "pk_wrong"}), 401)
            for scope, key in made.items():
                found = ask(client, headers={"authorization": f"Bearer {key}"})
                assert found.status_code == (200 if scope in (name, "admin") else 403)
        with client_of(run, database, open=False) as other:
            keys.revoke(next(key.id for key in keys.list_all() if key.name == "read"))
            told(requests["read"](other, headers={"x-api-key": made["read"]}), 401)
    with Store(database).reader.connect() as connection:
        stored = str(connection.exec_driver_sql("select * from keys").all())
    assert not any(key in stored for key in made.values())


def test_more_requests_than_a_key_may_make_wait(run, database, data):
    with client_of(run, database, rate=2.0) as client:
        found = [client.get(f"/users/{data.users.ids[0]}/recommendations") for _ in range(6)]
    codes = [one.status_code for one in found]
    assert codes[:4] == [200] * 4
    assert 429 in codes[4:]
    assert int(found[codes.index(429)].headers["retry-after"]) >= 1


def test_an_open_service_answers_under_its_own_name_alone(run, database):
    with client_of(run, database, hosts=("localhost",)) as client:
        assert client.get("/healthz", headers={"host": "localhost:8000"}).status_code == 200
        told(client.get("/healthz", headers={"host": "evil.example"}), 421)


def test_logs_hold_nothing_of_what_users_do(client, data, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    item = data.catalogue.items.ids[0]
    told(client.post("/events", json={"user": "secret-user", "item": item, "behavior": "buy"}))
    listed(client, "secret-user", where=f'item != "{item}"')
    told(client.get("/users/secret-user/recommendations?k=no"), 422)

    def broken(*given):
        raise RuntimeError("secret-user did it")

    monkeypatch.setattr(client.service.store, "snapshot", broken)
    found = client.get("/users/secret-user/recommendations")
    assert "secret" not in json.dumps(told(found, 500)["detail"])
    ours = [r for r in caplog.records if r.name.startswith(("penchant", "uvicorn", "fastapi"))]
    text = "\n".join(record.getMessage() + str(record.exc_text or "") for record in ours)
    assert "RuntimeError at" in text
    assert "secret-user" not in text
    assert item not in text.replace(item + ".", "")


def test_a_new_artifact_takes_over_and_a_broken_one_does_not(run, database, data, tmp_path):
    place = tmp_path / "run"
    shutil.copytree(run, place)
    with client_of(place, database) as client, client_of(place, database) as other:
        before = told(client.get("/users/u/recommendations"))["artifact"]
        arrays = place / "arrays.safetensors"
        whole = arrays.read_bytes()
        arrays.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        problem = told(client.post("/admin/reload", json={}), 409)
        assert "damaged" in problem["detail"]
        assert told(client.get("/users/u/recommendations"))["artifact"] == before
        arrays.write_bytes(whole)
        model = load(place)
        replace(model, report=model.report.noting("another")).save(place)
        after = told(client.post("/admin/reload", json={}))["artifact"]
        assert after != before
        assert told(client.get("/users/u/recommendations"))["artifact"] == after
        for _ in range(100):  # the other worker reads it beside its requests
            found = told(other.get("/users/u/recommendations"))["artifact"]
            if found == after:
                break
            time.sleep(0.1)
        assert found == after


def test_an_artifact_that_is_worse_or_of_other_data_is_refused(run, database, tmp_path):
    with client_of(run, database) as client:
        model = load(run)
        metrics = model.report.evaluation.metrics
        worse = {**metrics, "ndcg@10": metrics["ndcg@10"]._replace(value=0.001)}
        fallen = replace(model.report, evaluation=replace(model.report.evaluation, metrics=worse))
        replace(model, report=fallen).save(tmp_path / "worse")
        problem = told(client.post("/admin/reload", json={"path": str(tmp_path / "worse")}), 409)
        assert "ndcg@10" in problem["detail"]
        assert "0.0010" in problem["detail"]
        few = model.dataset.events.take(np.arange(len(model.dataset.events)) % 3 == 0)
        replace(model, dataset=model.dataset.with_events(few)).save(tmp_path / "few")
        problem = told(client.post("/admin/reload", json={"path": str(tmp_path / "few")}), 409)
        assert "events" in problem["detail"]
        forced = {"path": str(tmp_path / "few"), "force": True}
        told(client.post("/admin/reload", json=forced))
        told(client.post("/admin/reload", json={"variant": "none"}), 409)


def test_two_artifacts_share_users_and_each_keeps_theirs(run, database, data, tmp_path):
    model = load(run)
    replace(model, report=model.report.noting("another")).save(tmp_path / "b")
    runs = {"main": str(run), "other": str(tmp_path / "b")}
    with client_of(run, database, runs=runs, share=0.3) as client:
        users = data.users.ids[:300]
        variants = [listed(client, user, k=1)[1]["variant"] for user in users]
        assert [listed(client, user, k=1)[1]["variant"] for user in users[:20]] == variants[:20]
        assert 0.2 < variants.count("other") / len(variants) < 0.4


def test_what_is_shown_is_logged_with_its_propensity(run, database, data):
    rules = {"explore": 2, "explore_among": 10, "explore_at": (3, 6), "seed": 1}
    with client_of(run, database, rules=rules) as client:
        _, found = listed(client, data.users.ids[0], k=8)
        client.service.log.flush()
        with client.service.store.reader.connect() as connection:
            rows = connection.exec_driver_sql(
                "select position, item, propensity, candidates, request, arm from impressions "
                "order by position"
            ).all()
    assert [row[1] for row in rows] == [row["item"] for row in found["items"]]
    assert {row[4] for row in rows} == {found["request"]}
    drawn = {row[0]: row for row in rows if json.loads(row[3] or "null")}
    assert sorted(drawn) == [3, 6] == found["explored"]
    for row in drawn.values():
        among = json.loads(row[3])
        assert row[1] in among
        assert row[2] == pytest.approx(1 / len(among))
    assert all(row[2] == 1 for row in rows if row[0] not in drawn)


def test_the_description_has_examples_and_problems(client):
    found = told(client.get("/openapi.json"))
    assert len(found["paths"]) > 12
    for path, methods in found["paths"].items():
        for method, one in methods.items():
            assert one["summary"], (path, method)
            if path not in ("/healthz", "/readyz"):
                assert "application/problem+json" in one["responses"]["422"]["content"]
    assert found["components"]["schemas"]["EventIn"]["examples"]
    assert "HTTPValidationError" not in json.dumps(found)


def test_metrics_count_requests_by_route_and_name_no_user(client, data):
    listed(client, "someone-special")
    text = client.get("/metrics").text
    assert 'penchant_requests_total{method="GET",route="/users/{user}/recommendations"' in text
    assert "someone-special" not in text
