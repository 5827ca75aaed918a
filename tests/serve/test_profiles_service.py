"""Profiles and words through the service: models that obey, lie, fail and hang; consent."""

import json
import threading
import time

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed; it is in the extra serve")

from test_explanation_text import obedient as words
from test_user_profile import obedient

from llm_server import FakeModel
from penchant.errors import LanguageModelError
from penchant.llm.client.time_limit import TimeLimited
from penchant.recommendation.interests import Profile
from penchant.serve.service import profiles
from penchant.serve.store.records import now
from serving import client_of, told

OWN = "Green tea, and pots to make it in. <script>alert(1)</script>"


@pytest.fixture(scope="module")
def user(data):
    return data.users.ids[7]


def failing(prompt):
    raise LanguageModelError("the service is away")


def known(client, user):
    return client.service.context(user).profile


def test_a_profile_is_made_kept_written_and_taken_back(client, user):
    address = f"/users/{user}/profile"
    made = told(client.get(address))
    assert made["text"].startswith("Mostly")
    assert (made["user"], made["edited"], made["model"]) == (user, False, None)
    assert profiles.stored_profile(client.service.store, user).text == made["text"]
    assert known(client, user) is None
    client.service.llm = fake = FakeModel(obedient)
    assert told(client.get(address))["model"] == fake.name
    told(client.get(address))
    assert len(fake.prompts) == 1
    assert told(client.put(address, json={"text": OWN}))["edited"]
    assert told(client.get(address))["text"] == OWN
    assert known(client, user) == OWN
    assert told(client.delete(address))["model"] == fake.name
    assert known(client, user) is None
    assert len(fake.prompts) == 2


@pytest.mark.parametrize("text", ["", " ", "x" * 1001, "a\x00b", 3, None])
def test_what_cannot_be_kept_is_a_problem(client, user, text):
    client.put(f"/users/{user}/profile", json={"text": "before"})
    found = client.put(f"/users/{user}/profile", json={"text": text})
    assert found.status_code == 422
    assert known(client, user) == "before"


def test_nobody_has_no_profile_and_leaves_no_row(client):
    found = told(client.get("/users/stranger/profile"))
    assert found["text"] == "No interests are known yet."
    assert profiles.stored_profile(client.service.store, "stranger") is None
    assert told(client.put("/users/stranger/profile", json={"text": "Tea"}))["edited"]
    assert known(client, "stranger") == "Tea"


def test_an_event_makes_another_text(client, user, data):
    address = f"/users/{user}/profile"
    first = told(client.get(address))["text"]
    for item in data.catalogue.items.ids[:12]:
        told(client.post("/events", json={"user": user, "item": item, "behavior": "buy"}))
    assert told(client.get(address))["text"] != first


def test_without_consent_nothing_is_made_read_or_written(client, user):
    address = f"/users/{user}/profile"
    told(client.get(address))
    client.put(f"/users/{user}/consent", json={"personalization": False})
    assert profiles.stored_profile(client.service.store, user).text == ""
    found = told(client.get(address))
    assert (found["text"], found["edited"]) == ("", False)
    assert "consent" in found["note"]
    assert "consent" in client.put(address, json={"text": OWN}).text
    assert profiles.stored_profile(client.service.store, user).text == ""
    client.put(f"/users/{user}/consent", json={"personalization": True})
    told(client.put(address, json={"text": OWN}))
    client.put(f"/users/{user}/consent", json={"personalization": False})
    assert known(client, user) is None
    assert told(client.get(address))["text"] == ""
    client.put(f"/users/{user}/consent", json={"personalization": True})
    assert known(client, user) == OWN


def test_profiles_are_exported_and_forgotten(client, user):
    address = f"/users/{user}/profile"
    told(client.put(address, json={"text": OWN}))
    assert told(client.get(f"/users/{user}/export"))["store"]["profiles"][0]["text"] == OWN
    receipt = told(client.delete(f"/users/{user}"))
    assert receipt["erased"]["profiles"] == 1
    assert known(client, user) is None
    assert profiles.stored_profile(client.service.store, user) is None


def test_a_text_that_was_being_made_is_not_kept_for_who_is_gone_or_has_written(client, user):
    store, late = client.service.store, Profile("made late", made="0f")
    began = now()
    profiles.save_profile(client.service, user, OWN)
    profiles.store_generated(store, user, late, began)
    assert profiles.stored_profile(store, user).text == OWN
    told(client.delete(f"/users/{user}"))
    profiles.store_generated(store, user, late, began)
    assert profiles.stored_profile(store, user) is None
    store.set_consent(user, False)
    time.sleep(0.002)
    profiles.store_generated(store, user, late, now())
    assert profiles.stored_profile(store, user) is None


def test_a_text_of_the_run_holds_until_the_store_has_another(run, database, user):
    with client_of(run, database) as client:
        variant = client.service.variants["main"]
        variant.model.profiles[user] = Profile.written(OWN)  # as a run that was saved with it
        try:
            assert known(client, user) == OWN
            assert told(client.get(f"/users/{user}/profile"))["text"] == OWN
            assert not told(client.delete(f"/users/{user}/profile"))["edited"]
            assert known(client, user) is None
        finally:
            del variant.model.profiles[user]


@pytest.mark.parametrize("answer", [None, words, failing, "lying"])
def test_worded_answers_are_checked_or_plain(client, user, data, answer):
    seen = set(data.history(user).events.item.tolist())
    row = next(row for row in range(len(data.catalogue)) if row not in seen)
    item, other = data.catalogue.items.ids[row], data.catalogue.items.ids[row + 1]

    def lies(prompt):
        found = json.loads(json.dumps(words(prompt)))
        for one in found.get("groups", [found]):
            one["sentence" if "sentence" in one else "text"] += f" And {other}, 12345 times."
        return found

    fake = None if answer is None else FakeModel(lies if answer == "lying" else answer)
    client.service.llm = fake
    interests = told(client.get(f"/users/{user}/interests?worded=true"))
    why = told(client.get(f"/users/{user}/explanations/{item}?worded=true"))
    named, said = interests["worded"], why["worded"]
    assert [one["id"] for one in named["interests"]] == [
        one["id"] for one in interests["interests"]
    ]
    if answer is words:
        assert {one["model"] for one in named["interests"]} == {said["model"]} == {fake.name}
        assert named["note"] is said["note"] is None
    else:
        assert {one["model"] for one in named["interests"]} == {said["model"]} == {None}
        assert said["text"] == why["sentence"]
        assert "without" in named["note"]
        assert "without" in said["note"]
    assert "worded" not in told(client.get(f"/users/{user}/interests"))
    assert "worded" not in told(client.get(f"/users/{user}/explanations/{item}"))


def test_no_request_hangs_on_a_model(client, user):
    hanging = threading.Event()
    client.service.llm = TimeLimited(FakeModel(lambda _: hanging.wait(30) and {}), 0.2)
    try:
        began = time.monotonic()
        for _ in range(5):
            found = told(client.get(f"/users/{user}/interests?worded=true"))
            assert "without it" in found["worded"]["note"]
        assert told(client.get(f"/users/{user}/profile"))["text"].startswith("Mostly")
        assert time.monotonic() - began < 5
    finally:
        hanging.set()


def test_the_settings_name_a_model(run, database, tmp_path, monkeypatch):
    monkeypatch.delenv("PENCHANT_LLM_URL", raising=False)
    file = tmp_path / "llm.toml"
    file.write_text('url = "http://127.0.0.1:9/v1"\nmodel = "m"\n', encoding="utf-8")
    with client_of(run, database, llm=str(file), patience=2.0) as client:
        assert isinstance(client.service.llm, TimeLimited)
        assert client.service.llm.seconds == 2.0
        user = client.service.variants["main"].model.dataset.users.ids[0]
        found = told(client.get(f"/users/{user}/profile"))
        assert found["text"].startswith("Mostly")
        assert "users" in found["note"]  # the switch that sends what is about users


# the console


def test_the_console_shows_keeps_and_resets_a_text(client, user):
    client.service.llm = fake = FakeModel(obedient)
    page, address = f"/console/users/{user}", f"/console/users/{user}/profile"
    first = client.get(page).text
    assert "Generated from these interests" in first
    assert not fake.prompts  # a page waits for no model
    assert 'name="text"' in first
    kept = client.post(address, data={"text": OWN, "action": "save"}, follow_redirects=False)
    assert (kept.status_code, kept.headers["location"].split("?")[0]) == (303, page)
    shown = client.get(page).text
    assert "Written by the user" in shown
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)" in shown
    htmx = client.post(address, data={"action": "reset"}, headers={"hx-request": "true"})
    assert 'id="panels"' in htmx.text
    assert fake.name in htmx.text
    assert known(client, user) is None
    assert client.post(address, data={"text": "x" * 1001}).status_code == 422
    assert client.post(address, data={"text": "a", "action": "other"}).status_code == 422
    foreign = client.post(address, data={"text": "a"}, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    assert known(client, user) is None
    client.put(f"/users/{user}/consent", json={"personalization": False})
    without = client.get(page).text
    assert 'name="text"' not in without


def test_the_console_needs_a_key_that_writes(run, database, user):
    from penchant.serve.api.api_keys import ApiKeys

    with client_of(run, database, open=False) as client:
        key = ApiKeys(client.service.store).add("reader", {"read"})
        client.cookies.set("penchant_key", key)
        page = client.get(f"/console/users/{user}").text
        assert "Generated from these interests" in page
        assert 'name="text"' not in page
        address = f"/console/users/{user}/profile"
        assert client.post(address, data={"text": "a"}).status_code == 403
        headers = {"X-API-Key": key}
        put = client.put(f"/users/{user}/profile", json={"text": "a"}, headers=headers)
        assert put.status_code == 403
