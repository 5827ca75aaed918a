"""What lists did online: a service shows them to people who click by a rule that is known."""

import json
import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed; it is in the extra serve")

from typer.testing import CliRunner

import postgres
from penchant import load
from penchant.cli import app
from penchant.errors import ConfigError, DataError, counted
from penchant.recommendation.ranking import rank
from penchant.recommendation.request import ListRequest
from penchant.serve.service import reads
from penchant.serve.service.online_evaluation import (
    MIN_CLICKS,
    chosen_items,
    evaluate_online,
    history_before,
)
from penchant.serve.service.refresh import refresh
from penchant.serve.service.variant import Variant
from penchant.serve.store.impression_queries import explored_slots, viewer_counts
from penchant.serve.store.records import Impression, IncomingEvent, StoredEvent
from penchant.serve.store.store import Store
from serving import client_of, expected, run_of, told

START = 1_750_000_000_000  # ms; after all events of the world
STEP = 10_000
RULES = {"explore": 2, "explore_among": 10}
LIKED, OTHER = 0.7, 0.1  # how likely a click is


@dataclass(frozen=True)
class Shop:
    """What happened in a simulated service, and what is true of it.

    choices  what the run scores highest, of each explored place
    greedy   the probability of a click on it
    uniform  the mean probability of a click on its candidates, of each explored place
    clicks   all clicks, in explored places and elsewhere
    """

    run: object
    database: str
    choices: list
    greedy: np.ndarray
    uniform: np.ndarray
    lists: int
    places: int
    clicks: int


def probability(data, user, item):
    """Of a click: high for an item with one of the three tags that most of a user's items have."""
    catalogue = data.catalogue
    counts = Counter()
    for row in data.history(user).events.item:
        counts.update(catalogue.tags[row])
    liked = sorted(counts, key=lambda tag: (-counts[tag], tag))[:3]
    return OTHER if set(liked).isdisjoint(catalogue.tags[catalogue.items.index[item]]) else LIKED


@pytest.fixture(scope="module")
def shop(tmp_path_factory, run, data):
    """Two lists for each of 200 users; a click is a purchase that carries the list's request."""
    database = f"sqlite:///{tmp_path_factory.mktemp('stores') / 'store.sqlite'}"
    rng, model = np.random.default_rng(5), load(run)
    done, clicks, at, count = defaultdict(list), 0, START, 0
    seen = {}
    with pytest.MonkeyPatch.context() as patch, client_of(run, database, rules=RULES) as client:
        patch.setattr(reads, "now", lambda: at)
        patch.setattr(reads, "uuid4", lambda: type("Number", (), {"hex": f"{count:08x}"}))
        for _ in range(2):
            for user in data.users.ids[:200]:
                at, count = at + STEP, count + 1
                found = told(client.get(f"/users/{user}/recommendations", params={"k": 3}))
                seen[found["request"]] = user, list(done[user])
                batch = []
                for row in found["items"]:
                    if rng.random() < probability(data, user, row["item"]):
                        # a click comes as a view, and now and then again as a purchase
                        for behavior in ("view", "buy")[: 1 + (rng.random() < 0.3)]:
                            batch.append({"user": user, "item": row["item"], "behavior": behavior,
                                          "timestamp": at + 1 + len(batch),
                                          "request": found["request"]})  # fmt: skip
                        clicks += 1
                batch.append({"user": user, "item": data.catalogue.items.ids[count % 150],
                              "behavior": "dislike", "timestamp": at + 50,
                              "request": found["request"]})  # fmt: skip
                told(client.post("/events", json=batch))
                done[user] += [(event["item"], event["behavior"]) for event in batch]
        client.service.log.flush()
    store = Store(database)
    explored = explored_slots(store, ("buy",))
    places = store.counts()["impressions"]
    store.close()
    items, popular = data.catalogue.items, model.popularity
    choices, greedy, uniform = [], [], []
    for slot in explored:
        user, past = seen[slot.request]
        scores = expected(model, user, past) if past else None
        if scores is None:
            scores = model.recommender.score(data.history(user))[0]
        best = max(slot.candidates, key=lambda one: (scores[items.index[one]],
                                                     popular[items.index[one]]))  # fmt: skip
        choices.append(best)
        greedy.append(probability(data, user, best))
        uniform.append(np.mean([probability(data, user, one) for one in slot.candidates]))
    asked = choices, np.array(greedy), np.array(uniform)
    return Shop(run, database, *asked, len(seen), places, clicks)


@pytest.fixture
def copy(shop, tmp_path):
    """The shop's store, which a test may write to."""
    shutil.copy(shop.database.removeprefix("sqlite:///"), tmp_path / "store.sqlite")
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    yield store
    store.close()


@pytest.fixture
def store(tmp_path):
    made = Store(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    yield made
    made.close()


def shown(request, user, item, candidates=None, time=START, **others):
    values = {"session": None, "variant": "main", "artifact": "a", "behavior": "buy", "position": 1}
    values |= {"propensity": 1.0 if candidates is None else 1 / len(candidates)} | others
    return Impression(
        request=request, user=user, item=item, candidates=candidates, time=time, **values
    )


def click(id, user, item, request, time=START, **others):
    values = {"session": None, "kind": "item", "behavior": "buy", "domain": None, "value": None}
    return IncomingEvent(
        id=id, user=user, about=item, request=request, time=time, **(values | others)
    )


def test_the_value_of_the_run_is_covered(shop):
    store = Store(shop.database)
    found = evaluate_online(shop.run, store).to_dict()
    store.close()
    truth, other = shop.greedy.mean(), shop.uniform.mean()
    assert truth - other > 0.05  # there is something to tell apart
    assert found["slots"] == len(shop.greedy) == 2 * shop.lists
    assert found["slot_users"] == 200
    assert found["slots_left_out"] == 0
    for name in ("ips", "snips"):
        assert found[f"{name}_low"] <= truth <= found[f"{name}_high"]
        assert found[f"{name}_high"] - found[f"{name}_low"] < 0.3
    assert found["logged_low"] <= other <= found["logged_high"]
    assert found["gain_low"] <= truth - other <= found["gain_high"]
    # a fifth of the places agree with a choice among five
    assert found["slots_agreeing"] == pytest.approx(found["slots"] / 5, rel=0.25)
    assert found["ess"] == pytest.approx(found["slots_agreeing"])
    assert found["agreeing_clicked"] > MIN_CLICKS
    assert found["run_events_after_first_slot"] == 0
    assert found["notes"] == []


def test_the_choice_is_the_highest_score_of_what_was_known(shop):
    store = Store(shop.database)
    found, why = chosen_items(
        Variant.load("main", shop.run), store, explored_slots(store, ("buy",))
    )
    store.close()
    assert found == shop.choices
    assert why == {}


def test_clicks_by_variant_are_those_of_the_simulation(shop):
    store = Store(shop.database)
    found = evaluate_online(shop.run, store).to_dict()
    store.close()
    (variant,) = found["variants"]
    assert variant == variant | {
        "variant": "main",
        "artifacts": 1,
        "users": 200,
        "lists": shop.lists,
        "impressions": shop.places,
        "clicks": shop.clicks,  # a place that was clicked twice counts once, a dislike not at all
        "rate": shop.clicks / shop.places,
    }
    assert variant["rate_low"] < variant["rate"] < variant["rate_high"]
    assert found["differences"] == []


def test_positions_that_were_not_explored_never_enter_the_value(shop, copy, data):
    before_ = evaluate_online(shop.run, copy).to_dict()
    users, items = data.users.ids[:50], data.catalogue.items.ids
    rows = [
        shown(f"{user}-more", user, item, time=START + 10**8, position=place)
        for user in users
        for place, item in enumerate(items[:20], 1)
    ]
    copy.add_impressions(rows)
    copy.add([click(f"{row.request}{row.item}", "stranger", row.item, row.request) for row in rows])
    after = evaluate_online(shop.run, copy).to_dict()
    kept = set(before_) - {"variants", "notes"}
    assert {name: after[name] for name in kept} == {name: before_[name] for name in kept}
    assert after["variants"][0]["clicks"] == before_["variants"][0]["clicks"] + 1000
    assert after["notes"] == ["variant main has served 2 artifacts"]


def test_a_run_that_has_seen_outcomes_is_told(shop, copy, tmp_path):
    run = shutil.copytree(shop.run, tmp_path / "run")
    refresh(run, copy)
    found = evaluate_online(run, copy)
    made = found.value.run_events_after_first_slot
    assert made == copy.counts()["events"]
    assert any(
        f"trained on {counted(made, 'event')} after the first" in note for note in found.notes
    )


def test_what_came_at_the_time_of_a_list_or_later_is_not_known(run, data):
    variant = Variant.load("main", run)
    user, items = data.users.ids[3], data.catalogue.items.ids
    mine = data.history(user).events
    middle = int(mine.time[len(mine) // 2])
    given = history_before(variant, ("user", user), (), middle)
    assert given.events.time.tolist() == mine.time[mine.time < middle].tolist()
    kept = [StoredEvent(n, "item", items[n], "buy", None, START + n, None) for n in range(4)]
    given = history_before(variant, ("user", user), kept, START + 2)
    assert given.events.item.tolist() == [*mine.item, 0, 1]
    assert history_before(variant, ("user", user), kept, START, erased=True).lengths.tolist() == [0]
    assert history_before(variant, ("session", user), kept, START + 1).events.item.tolist() == [0]


def test_the_history_before_a_list_decides(run, data, store):
    """Two lists of one user, a purchase between them: each is filled by what was known then."""
    model, user = load(run), data.users.ids[11]
    ids = data.catalogue.items.ids
    rows = [row for row in range(len(ids)) if row not in set(data.history(user).events.item)]
    first = model.recommender.score(data.history(user))[0]
    for bought in rows:
        then = expected(model, user, [(ids[bought], "buy")])
        pair = [row for row in rows if row != bought]
        a, b = max(pair, key=lambda row: then[row] - first[row]), max(pair, key=first.__getitem__)
        if first[b] > first[a] and then[a] > then[b]:
            break
    else:
        pytest.fail("no purchase changes an order")
    pair = [ids[a], ids[b]]
    store.add_impressions(
        [shown("1", user, ids[b], pair, START), shown("2", user, ids[a], pair, START + 9)]
    )
    store.add_impressions(
        [shown("3", user, ids[a], pair, START + 5)]
    )  # the purchase is not before it
    store.add([click("e", user, ids[bought], None, START + 5)])
    found = evaluate_online(run, store).to_dict()
    assert (found["slots"], found["slots_agreeing"]) == (3, 2)


def test_sessions_count_and_what_cannot_be_known_is_left_out(run, data, store):
    items = list(data.catalogue.items.ids[:4])
    user, gone, silent = data.users.ids[:3]
    variant = Variant.load("main", run)
    best = best_of(variant, "session", "s", [], items)
    store.add_impressions(
        [
            shown("1", None, best, items, session="s"),
            shown("2", None, items[0], items),
            shown("3", user, items[0], items, behavior="dislike"),
            shown("4", user, "?", ["?", "!"]),
            shown("5", silent, items[0], items),
            shown("6", user, items[0], [items[0], "?"]),
        ]
    )
    store.add([click("e", None, best, "1", session="s")])
    store.set_consent(silent, False)
    store.forget(gone)
    store.add_impressions([shown("7", gone, items[0], items, START + 10**12)])
    found = evaluate_online(run, store)
    value = found.value.to_dict()
    assert (value["slots"], value["slots_left_out"]) == (3, 4)
    assert value["slots_clicked"] == value["agreeing_clicked"] == 1
    reasons = " ".join(found.notes)
    for word in ("neither a user nor a session", "'dislike'", "none of the candidates", "consent"):
        assert word in reasons
    assert f"1 click on what the run would choose, fewer than {MIN_CLICKS}" in reasons
    # of a forgotten user nothing that the run holds is read
    assert best_of(variant, "user", gone, [], items, erased=True) == best


def best_of(variant, kind, name, kept, items, erased=False):
    given = history_before(variant, (kind, name), kept, START, erased)
    scores = rank(variant.model, given, ListRequest(k=10**6, repeats=True)).items[0]
    return min(items, key=lambda one: scores.tolist().index(variant.model.dataset.catalogue.items.index[one]))  # noqa: E501  # fmt: skip


def test_of_a_run_without_a_clock_the_store_tells_what_it_has_seen(data, store, tmp_path):
    run = run_of(tmp_path / "run", data=replace(data, time="order"))
    user, items = data.users.ids[5], list(data.catalogue.items.ids[:3])
    store.add_impressions([shown("1", user, items[0], items)])
    found = evaluate_online(run, store)
    assert found.value.run_events_after_first_slot == 0
    assert "have no clock" in found.notes[-1]
    store.add([click("old", user, items[1], None, START - 1), click("e", user, items[0], "1")])
    refresh(run, store)
    found = evaluate_online(run, store)
    assert found.value.run_events_after_first_slot == 1
    assert "trained on 1 event after the first" in " ".join(found.notes)


def test_two_variants_are_compared(run, data, store):
    items, rng = data.catalogue.items.ids, np.random.default_rng(0)
    rates = {"main": 0.1, "other": 0.4}
    rows, clicks = [], []
    for number in range(300):
        variant = "other" if number % 3 == 0 else "main"
        for place in range(1, 4):
            rows.append(
                shown(f"r{number}", f"u{number}", items[place], position=place, variant=variant)
            )
            if rng.random() < rates[variant]:
                clicks.append(click(f"{number} {place}", f"u{number}", items[place], f"r{number}"))
    clicks.append(click("other item", "u1", items[9], "r1"))
    clicks.append(click("other list", "u1", items[1], "no such list"))
    clicks.append(click("a query", "u1", items[1], "r1", kind="query"))
    store.add_impressions(rows)
    store.add(clicks)
    found = evaluate_online(run, store).to_dict()
    assert [
        (one["variant"], one["users"], one["lists"], one["impressions"])
        for one in found["variants"]
    ] == [
        ("main", 200, 200, 600),
        ("other", 100, 100, 300),
    ]
    assert sum(one["clicks"] for one in found["variants"]) == len(clicks) - 3
    (less,) = found["differences"]
    assert (less["variant"], less["baseline"]) == ("other", "main")
    main, other = found["variants"]
    assert less["difference"] == pytest.approx(other["rate"] - main["rate"])
    assert 0 < less["difference_low"] <= 0.3 <= less["difference_high"]
    assert found["slots"] == 0
    assert found["ips"] is None
    assert "no position was explored" in found["notes"][0]


def test_items_that_came_later_can_be_chosen(run, data, store):
    item, tags = "brand-new", list(data.catalogue.tags[0])
    store.publish("item", {item: {"title": "Brand new", "tags": tags}})
    store.add_impressions([shown("1", data.users.ids[0], item, [item])])
    assert evaluate_online(run, store).value.slots_agreeing == 1


def check_reads(address):
    store = Store(address)
    store.add_impressions(
        [
            shown("1", "ann", "tea", ["tea", "cup"], position=2),
            shown("1", "ann", "pot"),
            shown("2", None, "pot", session="s"),
            shown("3", None, "pot"),
        ]
    )
    store.add([click("a", "ann", "tea", "1"), click("b", None, "pot", "2", session="s")])
    store.add([click("c", "ann", "pot", "1", behavior="dislike")])
    assert {tuple(part) for part in viewer_counts(store, ("buy",))} == {
        ("main", ("user", "ann"), 1, 2, 1),
        ("main", ("session", "s"), 1, 1, 1),
        ("main", ("request", "3"), 1, 1, 0),
    }
    assert [tuple(slot) for slot in explored_slots(store, ("buy",))] == [
        (("user", "ann"), "1", "buy", "tea", 0.5, ("tea", "cup"), START, True)
    ]
    assert not explored_slots(store, ("view",))[0].clicked
    store.close()


def test_sqlite_reads_what_was_shown(tmp_path):
    check_reads(f"sqlite:///{tmp_path / 'store.sqlite'}")


@pytest.mark.skipif(postgres.BINARIES is None, reason=postgres.WHY)
def test_postgresql_reads_what_was_shown():
    with postgres.cluster() as address:
        check_reads(address)


def test_the_command_prints_a_table_or_one_document(shop):
    asked = ["evaluate", str(shop.run), "--online", "--database", shop.database]
    done = CliRunner().invoke(app, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["slots"] == 2 * shop.lists
    assert all(not isinstance(value, dict) for value in found.values())
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    for cell in ("Clicks by variant", "the run, SNIPS", f"{found['snips']:.4f}", "minus"):
        assert cell in done.stdout


def test_the_command_says_what_is_missing(shop, run, tmp_path):
    def failed(*asked):
        return CliRunner().invoke(app, ["evaluate", str(run), *asked]).exception

    assert isinstance(failed("--database", shop.database), ConfigError)
    page = str(tmp_path / "page.html")
    assert "no page or picture" in str(failed("--online", "--report", page))
    nothing = failed("--online", "--database", f"sqlite:///{tmp_path / 'none.sqlite'}")
    assert "does not exist" in str(nothing)
    assert not (tmp_path / "none.sqlite").exists()
    Store(f"sqlite:///{tmp_path / 'empty.sqlite'}").close()
    empty = failed("--online", "--database", f"sqlite:///{tmp_path / 'empty.sqlite'}")
    assert isinstance(empty, DataError)
    assert "received one without" in str(empty)
