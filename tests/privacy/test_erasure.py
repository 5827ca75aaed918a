"""Users are forgotten: what is exact, what is fitted again, what is left, and the receipt."""

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from typer.testing import CliRunner

from penchant import Recipe, fit, load, load_dataset, update
from penchant import forget as public_forget
from penchant.cli import app
from penchant.data import synthetic
from penchant.data.io.erase_users import erase_rows, erase_users
from penchant.data.io.from_columns import from_columns
from penchant.data.io.save import save as save_dataset
from penchant.data.splitting.split import split
from penchant.data.tombstones import Tombstones, digests, read_tombstones
from penchant.errors import ConfigError, DataError
from penchant.models.fusion.features import FusionContext
from penchant.models.fusion.weights import fit_weights
from penchant.privacy.erasure.receipts import deadline, read_receipt, receipt, signed, verdict
from penchant.privacy.erasure.refit import refit_calibration
from penchant.privacy.erasure.unlearn import forget, notice
from penchant.storage.artifact import load_arrays, read_manifest
from penchant.storage.database import write_parquet
from penchant.storage.signing_key import SigningKey, load_key
from penchant.training.tuning import shared
from same_models import assert_same

KEY, OTHER = SigningKey(bytes(range(32))), SigningKey(bytes(32))
RECIPE = Recipe.load(overrides=["target=buy", "search.budget=1", "transition.candidates=60"])
DEEP = (
    "sequence.epochs=2",
    "sequence.embedding_size=16",
    "sequence.layers=1",
    "sequence.max_length=20",
)


def peopled(users=700, items=130, seed=4):
    """A world with tags, behaviors and domains, whose users have attributes, friends and tokens."""
    data = synthetic.world(users, items, seed).dataset()
    rng = np.random.default_rng(seed)
    plan = np.array(rng.choice(["free", "paid", None], users), object)
    plan[7] = "nobody else's"
    # more than 32 numbers are told by quarters of an octave, 32 as they are
    spent = np.array([float(n % 32) for n in range(users)], object)
    spent[7] = 1000.0
    pairs = rng.integers(0, users, (users, 2))
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    return replace(data, attributes={"plan": plan, "spent": spent}, relations=pairs)


@pytest.fixture(scope="module")
def world():
    return peopled()


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory):
    """The world as a DATA directory, with searches that only one user made."""
    place = tmp_path_factory.mktemp("worlds") / "data"
    save_dataset(world, place)
    events = place / "events.parquet"
    mine = world.users.ids[7]
    duckdb.sql(
        f"copy (select *, null::varchar as query from '{events}' union all by name select '{mine}' "
        "as user, 'mine' as query, 'view' as behavior, "
        f"(select min(domain) from '{events}') as domain, 1500000000000 as timestamp) "
        f"to '{events}.new' (format parquet)"
    )
    (place / "events.parquet.new").replace(events)
    return place


@pytest.fixture(scope="module")
def transition(folder):
    return fit(load_dataset(folder), RECIPE, model="transition")


@pytest.fixture(scope="module")
def fusion(world):
    pytest.importorskip("torch", reason="torch is not installed; it is the extra deep")
    recipe = Recipe.load(
        overrides=["target=buy", "search.budget=1", "transition.candidates=60", *DEEP]
    )
    return fit(world, recipe, model="fusion")


@pytest.fixture
def gone(world):
    return [world.users.ids[row] for row in (7, 20, 300)]


def copied(folder, place):
    place.mkdir()
    for file in folder.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    return place


def penchant(*arguments, code=0):
    done = CliRunner().invoke(app, [str(part) for part in arguments])
    assert done.exit_code == code, f"{done.output} {done.exception!r}"
    return done.stdout


def test_what_is_forgotten_equals_a_fit_on_the_remaining_data(transition, folder, gone, tmp_path):
    data = copied(folder, tmp_path / "data")
    left, done = forget(transition, gone, KEY)
    erased = erase_users(data, gone, KEY)
    assert erased["events"] == done.events
    assert erased["users"] == 3
    assert erased["relations"] > 0
    fresh = fit(load_dataset(data), RECIPE, model="transition")
    found = load(left.save(tmp_path / "run"))
    assert "nobody else's" not in str(found.dataset.attributes)
    assert "query:mine" in transition.dataset.catalogue.tokens
    assert found.dataset.catalogue.tokens.ids == fresh.dataset.catalogue.tokens.ids == ()
    known = found.dataset.catalogue.attributes.ids
    assert known == fresh.dataset.catalogue.attributes.ids
    # the words of a column changed for all with the one user whose number was the 33rd
    assert any(name.startswith("spent~") for name in transition.dataset.catalogue.attributes.ids)
    assert any(name.startswith("spent=") for name in known)
    for one in (left, found):
        assert_same(one, fresh)
        assert np.array_equal(one.popularity, fresh.popularity)
        assert one.others.keys() == fresh.others.keys()
        for name in fresh.others:
            assert_same(one.with_target(name), fresh.with_target(name))
        assert one.calibrations.keys() == fresh.calibrations.keys() != set()
        for name, of in fresh.calibrations.items():
            assert np.array_equal(one.calibrations[name].weights, of.weights)
            assert one.calibrations[name].bias == of.bias
        assert one.report.probabilities == fresh.report.probabilities
    before = transition.calibrations["buy"]
    assert not np.array_equal(before.weights, fresh.calibrations["buy"].weights)
    assert done.refitted == ("calibration",)
    assert done.left == ("chosen settings", "cleaning thresholds", "evaluation")


def test_the_weights_of_a_fusion_are_fitted_again_without_them(fusion, gone, tmp_path):
    model = load(fusion.save(tmp_path / "before"))
    left, done = forget(model, gone, KEY)
    found = load(left.save(tmp_path / "run"))
    data, recipe = found.dataset, found.recipe
    parts = split(data, seed=recipe.seed)
    train = data.with_events(parts.train)
    transition = found.transition.refit(train, recipe.seed)
    cases = shared(train, parts.validation, 1, recipe.seed)
    assert not {data.users.ids[user] for user in cases.histories.users} & set(gone)
    context = FusionContext.of(train)
    weights, spread = fit_weights(transition, found.holdout_model, context, cases, recipe.repeats)
    for one in (left, found):
        assert np.array_equal(one.recommender.weights, weights)
        assert np.array_equal(one.recommender.spread, spread)
    assert not np.array_equal(weights, fusion.recommender.weights)
    assert done.refitted == ("weights of the fusion", "calibration")
    assert done.left == ("chosen settings", "cleaning thresholds", "evaluation", "deep expert")
    assert found.report.forgotten.pending == done.left


def test_fitting_again_without_anybody_gone_changes_nothing(fusion, transition, tmp_path):
    """The twin that is kept is the one that the fit had: all comes out as it was."""
    for model in (load(fusion.save(tmp_path / "run")), transition):
        same, redone = refit_calibration(model)
        assert "calibration" in redone
        assert same.calibrations.keys() == model.calibrations.keys()
        for name, of in model.calibrations.items():
            assert np.array_equal(same.calibrations[name].weights, of.weights)
        for name in (None, *model.others):
            weights = [
                getattr(one.with_target(name).recommender, "weights", None) for one in (same, model)
            ]
            assert weights[0] is None or np.array_equal(*weights)


def test_strict_leaves_no_weight_of_the_deep_expert(fusion, gone, tmp_path):
    left, done = forget(fusion, gone, KEY, strict=True)
    run = left.save(tmp_path / "run")
    names = list(load_arrays(run / "arrays.safetensors"))
    assert not [name for name in names if "sequence" in name or "twin" in name]
    found = load(run)
    assert (found.family, found.holdout_model) == ("transition", None)
    assert set(found.others) == set(fusion.others)
    assert found.calibrations
    assert done.left == ("chosen settings", "cleaning thresholds", "evaluation")
    assert "the transition expert recommends alone" in notice(found.report)
    user = found.dataset.users.ids[0]
    assert found.recommend(user, k=5) == left.recommend(user, k=5)


def test_the_flag_counts_on_and_goes_with_the_next_fit(transition, gone, tmp_path):
    assert notice(transition.report) is None
    once, _ = forget(transition, gone[:1], KEY, days=10)
    twice, second = forget(once, gone[1:], KEY)
    flag = twice.report.forgotten
    assert (flag.count, flag.deadline) == (3, deadline(10))
    assert (
        f"3 users were erased since the last fit; not yet fitted without them: {second.left[0]}"
        in notice(twice.report)
    )
    run = twice.save(tmp_path / "run")
    assert read_manifest(run)["info"]["forgotten"] == flag.to_dict()
    fresh = fit(twice.dataset, RECIPE, model="transition")
    assert notice(fresh.report) is None
    assert len(fresh.dataset.tombstones) == 3  # they are for good


def test_tombstones_name_nobody_and_know_their_key(transition, gone, tmp_path):
    run = forget(transition, gone, KEY)[0].save(tmp_path / "run")
    text = (run / "data" / "tombstones.json").read_text()
    assert not [user for user in gone if user in text]
    stones = read_tombstones(run / "data")
    assert (stones.key, len(stones)) == (KEY.id, 3)
    assert stones.among([gone[1], "somebody"], KEY) == [gone[1]]
    with pytest.raises(ConfigError, match=f"expected the key {KEY.id}"):
        stones.among(gone, OTHER)
    with pytest.raises(ConfigError, match=f"expected the key {KEY.id}"):
        forget(load(run), [load(run).dataset.users.ids[0]], OTHER)
    with pytest.raises(ConfigError, match="tombstones of one key"):
        stones.union(Tombstones().with_users(["x"], OTHER))
    (tmp_path / "tombstones.json").write_text("{}")
    with pytest.raises(DataError, match="is damaged"):
        read_tombstones(tmp_path)
    with pytest.raises(DataError, match="expected tombstones at"):
        read_tombstones(tmp_path / "nowhere.json")


def test_whom_the_public_function_forgets_no_update_brings_back(transition, gone):
    model, erasure = public_forget(transition, [*gone, "a stranger"], KEY)
    assert verdict(erasure.receipt, KEY) == "valid"
    erased = erasure.receipt["erased"]["model"]
    assert erased == {"users": 3, "events": erasure.events}
    assert erasure.refitted == ("calibration",)
    assert len(model.dataset.tombstones) == 4
    assert notice(model.report).startswith("3 users were erased")
    item = transition.dataset.catalogue.items.ids[0]
    new = from_columns(
        user=[gone[0], "somebody new"],
        item=[item, item],
        behavior=["buy", "buy"],
        domain=[transition.dataset.catalogue.domains[0]] * 2,
        timestamp=[1_900_000_000_000] * 2,
    )
    later, added = update(model, new, key=KEY)
    assert (added.users, added.events) == (1, 1)
    assert gone[0] not in later.dataset.users
    assert "somebody new" in later.dataset.users
    with pytest.raises(ConfigError, match=f"expected the key {KEY.id}"):
        update(model, new, key=OTHER)


def test_a_receipt_of_0_1_0_is_valid():
    old = read_receipt(Path(__file__).parents[1] / "fixtures" / "privacy-0.1.0" / "receipt.json")
    key = SigningKey(bytes(range(32)))
    assert verdict(old, key) == "valid"
    assert verdict(old | {"deadline": "2027-01-01"}, key) == "altered"
    assert old["subjects"] == list(digests(["ann", "bo"], key))


def test_a_receipt_is_valid_until_a_letter_changes(tmp_path):
    told = {"exact": ["sums"], "left": [], "deadline": "2026-12-26"}
    made = receipt(["ann"], KEY, {"run": {"events": 3}}, ["run"], [], told)
    assert "ann" not in json.dumps(made)
    back = json.loads(json.dumps(dict(reversed(made.items())), indent=3))
    assert verdict(back, KEY) == "valid"
    assert verdict(made | {"deadline": "2027-12-26"}, KEY) == "altered"
    assert verdict({k: v for k, v in made.items() if k != "exact"}, KEY) == "altered"
    assert verdict(made | {"signature": "é"}, KEY) == "altered"
    assert verdict(made, OTHER) == "another key"
    assert verdict(made | {"key": OTHER.id}, OTHER) == "altered"
    assert signed({"a": 1}, KEY) != signed({"a": 1}, OTHER)
    (tmp_path / "a").write_text("[]")
    with pytest.raises(DataError, match="received no signature"):
        read_receipt(tmp_path / "a")


def test_a_key_is_made_once_for_its_owner_alone(tmp_path):
    said = []
    file = tmp_path / "of" / "mine" / "key"
    made = load_key(file, said.append)
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_key(file, said.append) == made != load_key(tmp_path / "other")
    assert len(said) == 1
    assert str(file) in said[0]
    assert made.secret.hex() not in repr(made)
    (tmp_path / "bad").write_text("short")
    with pytest.raises(ConfigError, match="expected 64 hexadecimal digits"):
        load_key(tmp_path / "bad")


SHOP = "user,item,behavior,timestamp\n" + "".join(
    f"{user},{item},buy,2024-01-0{day}\n"
    for user, items in {"ann": "abc", "bo": "ab", "cy": "bcd", "dan": "ad"}.items()
    for day, item in enumerate(items, 1)
)


@pytest.fixture
def shop(tmp_path):
    """Files, DATA, a run and a key of a small shop."""
    (tmp_path / "events.csv").write_text(SHOP)
    (tmp_path / "users.csv").write_text("user,plan\nann,x\nbo,y\ncy,y\n")
    (tmp_path / "friends.csv").write_text("user,friend\nbo,ann\ncy,bo\n")
    (tmp_path / "seen.csv").write_text("user,item,clicked\nann,a,1\nbo,c,0\n")
    files = ("--users", tmp_path / "users.csv", "--relations", tmp_path / "friends.csv")
    files += ("--impressions", tmp_path / "seen.csv")
    penchant("ingest", tmp_path / "events.csv", *files, "--out", tmp_path / "data")
    penchant("fit", tmp_path / "data", "--out", tmp_path / "run", "--model", "transition")
    return tmp_path


def rows(file, user):
    """How many rows of a Parquet file hold a name, in any column."""
    table = duckdb.sql(f"select * from '{file}'").fetchall()
    return sum(user in map(str, row) for row in table)


def test_the_command_erases_from_run_data_and_lists(shop):
    run, data, key = shop / "run", shop / "data", shop / "key"
    lists = shop / "lists.parquet"
    penchant("recommend", run, "--all", "--out", lists)
    before = {file.name: rows(file, "ann") for file in data.glob("*.parquet")}
    assert before == {
        "events.parquet": 3,
        "users.parquet": 1,
        "relations.parquet": 1,
        "impressions.parquet": 1,
    }
    found = json.loads(
        penchant(
            *("forget", run, "--user", "ann", "--data", data, "--key", key, "--also", lists),
            *("--receipt", shop / "receipt.json", "--deadline", "5", "--json"),
        )
    )
    made = read_receipt(shop / "receipt.json")
    assert found["receipt"] == made
    assert made["erased"]["data"] == {"events": 3, "users": 1, "relations": 1, "impressions": 1}
    assert made["erased"]["run"] == {"users": 1, "events": 3}
    assert made["erased"][str(lists)]["rows"] > 0
    assert made["artifacts"] == [str(run), str(data), str(lists)]
    assert made["still_held"] == []
    assert made["deadline"] == deadline(5)
    for file in (*data.glob("*.parquet"), lists, *(run / "data").glob("*.parquet")):
        assert rows(file, "ann") == 0
        assert rows(file, "bo") > 0 or file.stem == "items"
    told = penchant("recommend", run, "--user", "bo")
    assert "1 user was erased since the last fit" in told
    assert penchant("receipt", shop / "receipt.json", "--key", key).strip().endswith("valid")
    (shop / "forged.json").write_text(json.dumps(made | {"artifacts": []}))
    told = penchant("receipt", shop / "forged.json", "--key", key, code=1)
    assert told.strip().endswith("altered")
    # fitted anew on the same data, all is done
    penchant("fit", data, "--out", run, "--model", "transition", "--force")
    assert "forgotten" not in penchant("recommend", run, "--user", "bo")


def test_who_is_forgotten_is_not_taken_in_again(shop):
    run, data = shop / "run", shop / "data"
    key = ("--key", shop / "key")
    penchant("forget", run, "--user", "ann", "--data", data, *key)
    again = json.loads(
        penchant("ingest", shop / "events.csv", "--out", data, "--force", "--json", *key)
    )
    dropped = [one for one in again["findings"] if one["rule"] == "forgotten user"]
    assert [(one["action"], one["count"], one["examples"]) for one in dropped] == [
        ("dropped", 3, [])
    ]
    assert rows(data / "events.parquet", "ann") == 0
    assert len(load_dataset(data).tombstones) == 1
    elsewhere = shop / "elsewhere"
    told = penchant(
        *("ingest", shop / "events.csv", "--out", elsewhere, "--tombstones", data, *key),
    )
    assert "3 dropped (forgotten user)" in told
    assert len(read_tombstones(elsewhere)) == 1
    new = shop / "new.csv"
    new.write_text("user,item,behavior,timestamp\nann,d,buy,2024-03-01\nbo,d,buy,2024-03-01\n")
    found = json.loads(penchant("update", run, "--events", new, "--json", *key))
    assert (found["events"], found["users"]) == (1, 0)
    assert "ann" not in load(run).dataset.users
    # without the key nobody can tell who was forgotten, and nothing is taken in
    done = CliRunner().invoke(app, ["update", str(run), "--events", str(new)])
    assert isinstance(done.exception, ConfigError)
    assert "with which users were forgotten" in str(done.exception)


def test_whom_the_data_alone_knows_is_erased_there(shop):
    run, data = shop / "run", shop / "data"
    key = ("--key", shop / "key")
    events = shop / "more.csv"
    events.write_text(SHOP + "eve,a,buy,2024-01-09\n")
    penchant("ingest", events, "--out", data, "--force")
    found = json.loads(penchant("forget", run, "--user", "eve", "--data", data, "--json", *key))
    assert found["receipt"]["erased"] == {"run": {"users": 0, "events": 0}, "data": {"events": 1}}
    assert found["receipt"]["artifacts"] == [str(data)]
    assert notice(load(run).report) is None
    done = CliRunner().invoke(app, ["forget", str(run), "--user", "x", "--data", str(data)])
    assert "unknown user 'x'" in str(done.exception)
    out = shop / "out"
    found = json.loads(penchant("forget", run, "--user", "bo", "--out", out, "--json", *key))
    assert found["receipt"]["still_held"] == [str(run)]


def test_all_that_is_held_of_one_is_told(shop):
    found = json.loads(
        penchant("export-user", shop / "run", "--user", "ann", "--data", shop / "data")
    )
    mine = found["runs"][str(shop / "run")]
    assert [event["item"] for event in mine["events"]] == ["a", "b", "c"]
    assert mine["events"][0] | {"timestamp": 0} == {
        "item": "a",
        "behavior": "buy",
        "domain": "default",
        "timestamp": 0,
        "value": None,
    }
    assert mine["attributes"] == {"plan": "x"}
    assert (mine["friends"], mine["friend_of"]) == ([], ["bo"])
    assert {name: len(of) for name, of in found["data"].items()} == {
        "events": 3,
        "users": 1,
        "relations": 1,
        "impressions": 1,
    }
    penchant("export-user", shop / "run", "--user", "ann", "--out", shop / "ann.json")
    assert json.loads((shop / "ann.json").read_text())["runs"] == found["runs"]
    done = CliRunner().invoke(app, ["export-user", str(shop / "run"), "--user", "zoe"])
    assert "nothing is held about them" in str(done.exception)


def test_what_cannot_be_erased_is_an_error(tmp_path):
    with pytest.raises(DataError, match="expected a DATA directory"):
        erase_users(tmp_path, ["x"], KEY)
    write_parquet(tmp_path / "a.parquet", {"who": ["x"]})
    with pytest.raises(DataError, match="expected a column 'user'"):
        erase_rows(tmp_path / "a.parquet", ["x"])
    (tmp_path / "b.parquet").write_text("no")
    with pytest.raises(DataError, match="cannot be read"):
        erase_rows(tmp_path / "b.parquet", ["x"])


def test_an_update_forgets_the_attributes_and_tokens_that_nobody_has_any_more(tmp_path):
    events = {"user": ["u", "u", "v"], "item": ["a", "b", "b"], "timestamp": [1, 2, 3]}
    old = from_columns(**events, users={"user": ["u", "v"], "plan": ["x", "y"]}, time="order")
    more = from_columns(
        ["u"], ["a"], timestamp=[4], users={"user": ["u"], "plan": ["y"]}, time="order"
    )
    model, _ = update(fit(old, model="transition"), more)
    assert model.dataset.catalogue.attributes.ids == ("plan=y",)
    found = load(model.save(tmp_path / "run"))
    assert_same(found, fit(found.dataset, model="transition"))
