"""Forgetting through the service: signed receipts, the next update, what is held of one."""

import html
import json

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed; it is in the extra serve")

from typer.testing import CliRunner

from penchant import load
from penchant.cli import app
from penchant.privacy.erasure.receipts import verdict
from penchant.serve.service.refresh import refresh
from penchant.serve.store.store import Store
from penchant.storage.signing_key import load_key
from serving import client_of, run_of, told


@pytest.fixture
def own(data, tmp_path):
    """A run that a test may change."""
    return run_of(tmp_path / "run", data=data)


def bought(data, user, item=0):
    return {"user": user, "item": data.catalogue.items.ids[item], "behavior": "buy"}


def test_a_deletion_is_answered_with_a_signed_receipt(data, own, database):
    user = data.users.ids[5]
    with client_of(own, database) as client:
        told(client.post("/events", json=bought(data, user)))
        receipt = told(client.delete(f"/users/{user}"))
        assert receipt["erased"]["events"] == 1
        assert receipt["artifacts"] == receipt["still_held"] == ["main"]
        assert "statistics" in receipt["exact"]
        assert "chosen settings" in receipt["left"]
        assert user not in json.dumps(receipt)
        assert verdict(receipt, load_key()) == "valid"
        assert verdict(receipt | {"erased": {}}, load_key()) == "altered"
        stranger = told(client.delete("/users/nobody"))
        assert (stranger["artifacts"], stranger["exact"], stranger["left"]) == ([], [], [])
    # the next update says with a receipt of its own that it is done
    found = refresh(own, Store(database))
    done = found.to_dict()["receipt"]
    assert verdict(done, load_key()) == "valid"
    assert done["subjects"] == receipt["subjects"]
    assert (done["artifacts"], done["still_held"]) == (["main"], [])
    assert done["erased"] == {"users": 1, "events": found.forgotten.events}
    assert "calibration" in done["redone"]
    assert not set(done["redone"]) & set(done["left"])
    run = load(own)
    assert run.report.forgotten.count == 1
    assert run.report.forgotten.deadline == done["deadline"]
    assert len(run.dataset.tombstones) == 1
    assert refresh(own, Store(database)).receipt is None


def test_who_comes_back_is_somebody_new_and_old_rows_stay_out(data, own, database):
    back, stale = data.users.ids[5], data.users.ids[6]
    with client_of(own, database) as client:
        told(client.post("/events", json=bought(data, stale)))
        told(client.delete(f"/users/{back}"))
        told(client.post("/events", json=bought(data, back, 3)))
    arguments = ["forget", str(own), "--user", stale]  # and not from the store
    assert CliRunner().invoke(app, arguments).exit_code == 0
    found = refresh(own, Store(database))
    assert found.added.events == 1
    run = load(own)
    assert len(run.dataset.history(back).events) == 1
    assert stale not in run.dataset.users


def test_the_command_erases_from_the_store_too(data, own, database, tmp_path):
    user = data.users.ids[8]
    with client_of(own, database) as client:
        told(client.post("/events", json=bought(data, user)))
        told(client.put("/sessions/s/user", json={"user": user}))
    arguments = ["forget", str(own), "--user", user, "--database", database, "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    erased = json.loads(done.stdout)["receipt"]["erased"]["store"]
    assert (erased["events"], erased["sessions"]) == (1, 1)
    assert Store(database).counts()["events"] == 0
    gone = f"sqlite:///{tmp_path / 'none.sqlite'}"
    done = CliRunner().invoke(app, ["forget", str(own), "--user", user, "--database", gone])
    assert "which does not exist" in str(done.exception)


def test_strict_updates_leave_the_transition_expert_alone(data, database, tmp_path):
    pytest.importorskip("torch", reason="torch is not installed; it is the extra deep")
    run, user = run_of(tmp_path / "run", "fusion", data), data.users.ids[5]
    with client_of(run, database) as client:
        assert "deep expert" in told(client.delete(f"/users/{user}"))["left"]
    arguments = ["update", str(run), "--database", database, "--strict"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "a signed receipt" in done.stdout
    assert load(run).family == "transition"
    assert load(run).report.forgotten.strict is True


def test_all_that_is_held_is_told_to_admins(data, own, database):
    user = data.users.ids[9]
    with client_of(own, database) as client:
        told(client.post("/events", json=[bought(data, user), bought(data, "zoe")]))
        told(client.post("/events", json={"session": "s", "item": "x", "behavior": "view"}))
        told(client.put("/sessions/s/user", json={"user": "zoe"}))
        client.put("/users/zoe/consent", json={"personalization": True})
        told(client.get("/users/zoe/recommendations", params={"k": 3}))
        mine = told(client.get(f"/users/{user}/export"))
        assert len(mine["runs"]["main"]["events"]) == len(data.history(user).events)
        assert len(mine["store"]["events"]) == 1
        assert mine["consent"] is None
        zoe = told(client.get("/users/zoe/export"))
        assert (zoe["user"], zoe["runs"], zoe["consent"]) == ("zoe", {}, True)
        assert {name: len(rows) for name, rows in zoe["store"].items()} == {
            "events": 2,
            "people": 1,
            "sessions": 1,
            "impressions": 3,
        }
        detail = told(client.get("/users/nobody/export"), 404)["detail"]
        assert "nothing is stored about this user" in detail
        told(client.delete(f"/users/{user}"))
        told(client.get(f"/users/{user}/export"), 404)
    arguments = ["export-user", str(own), "--user", "zoe", "--database", database]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["store"] == zoe["store"]


def test_telling_takes_a_key_of_the_scope_admin(own, database):
    from penchant.serve.api.api_keys import ApiKeys

    keys = ApiKeys(Store(database))
    write, admin = keys.add("w", {"read", "write"}), keys.add("a", {"admin"})
    with client_of(own, database, open=False) as client:
        asked = "/users/nobody/export"
        assert client.get(asked).status_code == 401
        assert client.get(asked, headers={"X-API-Key": write}).status_code == 403
        assert client.get(asked, headers={"X-API-Key": admin}).status_code == 404


def test_the_console_shows_the_receipt_to_be_kept(data, own, database):
    user = data.users.ids[5]
    with client_of(own, database) as client:
        form = {"user": user, "confirmation": user}
        page = client.post("/console/privacy/forget", data=form).text
    shown = html.unescape(page.split("<pre>")[1].split("</pre>")[0])
    receipt = json.loads(shown)
    assert verdict(receipt, load_key()) == "valid"
    assert f"due by {receipt['deadline']}" in page


def test_without_a_key_nothing_is_erased(data, own, database, tmp_path):
    (tmp_path / "bad").write_text("no key")
    user = data.users.ids[5]
    with client_of(own, database, key=str(tmp_path / "bad")) as client:
        told(client.post("/events", json=bought(data, user)))
        assert client.delete(f"/users/{user}").status_code >= 400
        assert client.service.store.counts()["events"] == 1
