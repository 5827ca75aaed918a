"""A fitted model: lists, fallbacks, identifiers byte for byte, and saved runs."""

import json
import subprocess
import sys
import unicodedata

import numpy as np
import pytest

import penchant
from penchant.config import Recipe, TransitionSettings
from penchant.data import synthetic
from penchant.data.ingest import ingest
from penchant.data.io.from_columns import from_columns
from penchant.data.io.load import load as load_dataset
from penchant.data.splitting.split import split
from penchant.errors import ArtifactError, ConfigError, DataError
from penchant.models.transition.recommender import TRANSITION, TransitionFitter
from penchant.recommendation import Model, load
from penchant.recommendation.explain import explain, with_reasons
from penchant.storage import artifact
from penchant.training.fit import fit
from penchant.training.tuning import search

FAST = Recipe.load(overrides=["search.budget=2"])
STRANGE = [
    "007",
    "7",
    "商品/1",
    unicodedata.normalize("NFC", "é"),
    unicodedata.normalize("NFD", "é"),
    " x",
    "🎷",
    str(2**63 - 1),
    "a,b",
    '"quoted"',
]


@pytest.fixture(scope="module")
def world():
    return synthetic.world(150, 120, seed=3)


@pytest.fixture(scope="module")
def model(world):
    return fit(world.dataset(), FAST, model="transition")


def plain(data, **settings):
    return Model(data, TransitionFitter(data)(TransitionSettings(**settings)))


def test_a_known_user_gets_k_unseen_items(model):
    user = model.dataset.users.ids[4]
    found = model.recommend(user, k=12)
    seen = {model.dataset.catalogue.items.ids[i] for i in model.dataset.history(user).events.item}
    assert found.source == "transition"
    assert len({row.item for row in found.items}) == 12
    assert not seen & {row.item for row in found.items}
    scores = [row.score for row in found.items]
    assert scores == sorted(scores, reverse=True)
    assert model.recommend(user, k=12) == found


def test_an_unknown_user_gets_the_popular_items_and_is_told(model):
    found = model.recommend("nobody at all", k=5)
    assert found.source == "popular"
    assert len(found.items) == 5
    best = np.argsort(-model.popularity, kind="stable")[:5]
    assert [row.item for row in found.items] == [model.dataset.catalogue.items.ids[i] for i in best]
    assert found.items[0].score == model.popularity.max() / model.popularity.sum()
    assert found.to_dict()["items"][0]["source"] == "popular"


@pytest.mark.parametrize("history", [[], ["no such item"]])
def test_an_empty_history_gets_the_popular_items(model, history):
    found = model.recommend(history=history, k=3)
    assert (found.source, len(found.items), found.unknown) == ("popular", 3, tuple(history))


def test_a_history_serves_a_user_never_seen(model):
    user = model.dataset.users.ids[4]
    events = model.dataset.history(user).events
    names = model.dataset.catalogue
    history = [
        (names.items.ids[i], names.behaviors[b].name)
        for i, b in zip(events.item, events.behavior, strict=True)
    ]
    assert model.recommend(history=history).items == model.recommend(user).items


def test_a_catalogue_of_nine_gives_the_other_eight_and_says_that_the_list_is_short():
    items = [f"item {n}" for n in range(9)]
    for seen in (items[0], items[4], items[8]):
        data = from_columns(
            ["u", *["v"] * 9], [seen, *items], timestamp=[1, *range(1, 10)], time="order"
        )
        found = plain(data).recommend("u", k=20)
        assert sorted(row.item for row in found.items) == [i for i in items if i != seen]
        assert found.short
        assert not plain(data).recommend("u", k=8).short


def test_everything_seen_leaves_an_empty_list():
    data = from_columns(["u", "u"], ["a", "b"], timestamp=[1, 2])
    found = plain(data).recommend("u")
    assert (found.items, found.short) == ((), True)
    again = plain(data).recommend("u", repeats=True)
    assert (sorted(row.item for row in again.items), again.short) == (["a", "b"], True)


def test_unknown_names_are_errors_that_list_the_known(model):
    with pytest.raises(ConfigError, match="unknown behavior 'veiw': expected one of buy, cart"):
        model.recommend("u", behavior="veiw")
    with pytest.raises(ConfigError, match="unknown domain 'film': expected one of books, movies"):
        model.recommend("u", domain="film")
    with pytest.raises(ConfigError, match=r"this run recommends for 'buy', .*, received 'dislike'"):
        model.recommend("u", behavior="dislike")
    with pytest.raises(ConfigError, match="unknown behavior"):
        model.recommend(history=[("m0001", "bye")])
    with pytest.raises(ConfigError, match="unknown item"):
        model.similar("nothing")
    with pytest.raises(ConfigError, match="k of at least 1, received 0"):
        model.recommend("u", k=0)
    with pytest.raises(ConfigError, match="a user or a history"):
        model.recommend("u", history=["m0001"])
    with pytest.raises(DataError, match="a list of items"):
        model.recommend(history="m0001")
    with pytest.raises(ConfigError, match=r"unknown model 'sasrec': expected one of .*transition"):
        fit(model.dataset, model="sasrec")
    with pytest.raises(ConfigError, match="unknown behavior 'veiw'"):
        fit(model.dataset, Recipe(target="veiw"))


def test_a_domain_restricts_the_list(model):
    found = model.recommend(model.dataset.users.ids[0], domain="music", k=8)
    rows = model.dataset.catalogue.items.rows(row.item for row in found.items)
    assert (model.dataset.catalogue.domain[rows] == 2).all()
    assert len(rows) == 8


def test_all_users_at_once_get_what_each_gets_alone(model):
    ids = model.dataset.catalogue.items.ids
    for block in model.recommend_all(6):
        for user, items, scores in zip(block.users[:20], block.items, block.scores, strict=False):
            alone = model.recommend(model.dataset.users.ids[user], k=6)
            assert [ids[i] for i in items] == [row.item for row in alone.items]
            assert scores.tolist() == [row.score for row in alone.items]


def test_similar_items_share_an_interest(world, model):
    hits = []
    for item in range(0, 120, 7):
        name = model.dataset.catalogue.items.ids[item]
        found = model.similar(name, k=5)
        assert name not in {row.item for row in found}
        rows = world.catalogue.items.rows(row.item for row in found)
        hits += (world.item_interest[rows] == world.item_interest[item]).tolist()
    assert np.mean(hits) > 0.5  # by chance 1 in 12


@pytest.mark.parametrize("user", [0, 7, 33])
def test_contributions_add_up_to_the_score(model, user):
    name = model.dataset.users.ids[user]
    for row in model.recommend(name, k=5).items:
        found = explain(model, row.item, user=name)
        assert found.score == row.score
        assert abs(found.residue) < 1e-12
        assert sum(reason.contribution for reason in found.reasons) == pytest.approx(row.score)
        assert sum(abs(reason.share) for reason in found.reasons) == pytest.approx(1)


def test_an_explanation_is_what_the_score_does_without_the_event(model):
    """The part of an event is exactly what the score loses where that event has no weight."""
    name = model.dataset.users.ids[7]
    item = model.recommend(name, k=1).items[0].item
    found = explain(model, item, user=name)
    history = model.dataset.history(name)
    row = model.dataset.catalogue.items.index[item]
    length = len(history.events)
    expert = model.recommender
    column = expert.B.toarray()[:, row]
    predictors = expert.predictors.rows(history.events)
    weights = expert.weights(history)
    for reason in found.reasons[:4]:
        event = length - reason.age
        assert reason.contribution == pytest.approx(weights[event] * column[predictors[event]])


def test_reasons_come_with_the_list(model):
    name = model.dataset.users.ids[7]
    listed = with_reasons(model, model.recommend(name, k=3), model.dataset.history(name))
    assert all(1 <= len(row.reasons) <= 3 for row in listed.items)
    json.dumps(listed.to_dict())


def strange_data():
    users = [f"{name} u" for name in STRANGE]
    who = [user for user in users for _ in STRANGE[:6]]
    what = [STRANGE[(u + n) % len(STRANGE)] for u in range(len(users)) for n in range(6)]
    return who, what


def test_identifiers_round_trip_byte_for_byte(tmp_path):
    who, what = strange_data()
    events = tmp_path / "events.jsonl"
    rows = [
        {"user": u, "item": i, "timestamp": 1_700_000_000 + n}
        for n, (u, i) in enumerate(zip(who, what, strict=True))
    ]
    events.write_text(
        "\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8"
    )
    ingest(events, tmp_path / "data")
    model = fit(load_dataset(tmp_path / "data"), FAST, model="transition")
    model.save(tmp_path / "run")
    again = load(tmp_path / "run")
    assert set(again.dataset.catalogue.items.ids) == set(STRANGE)
    assert set(again.dataset.users.ids) == set(who)
    listed = json.loads(
        json.dumps(again.recommend(who[0], k=20, repeats=True).to_dict(), ensure_ascii=False)
    )
    assert {row["item"] for row in listed["items"]} == set(STRANGE)
    for item in STRANGE:
        assert again.recommend(history=[item]).unknown == ()


SCRIPT = """
import sys
import numpy as np
from penchant.recommendation import load
model = load(sys.argv[1])
users = np.arange(len(model.dataset.users))
np.save(sys.argv[2], model.recommender.score(model.dataset.events.histories(users)))
"""


def test_a_run_loads_in_a_new_process_with_identical_scores(model, tmp_path):
    model.save(tmp_path / "run")
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "run"), str(tmp_path / "scores.npy")],
        check=True,
        cwd=tmp_path,
    )
    users = np.arange(len(model.dataset.users))
    expected = model.recommender.score(model.dataset.events.histories(users))
    assert np.array_equal(np.load(tmp_path / "scores.npy"), expected)
    again = load(tmp_path / "run")
    assert again.report.to_dict() == model.report.to_dict()
    assert again.recipe == model.recipe
    assert again.settings == model.settings
    assert again.recommender.statistics == model.recommender.statistics


def test_one_flipped_byte_anywhere_is_refused(model, tmp_path):
    run = model.save(tmp_path / "run")
    files = [file for file in run.rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {"manifest.json", "arrays.safetensors"}
    rng = np.random.default_rng(0)
    for file in files:
        whole = file.read_bytes()
        for place in {0, len(whole) - 1, *rng.integers(0, len(whole), 6).tolist()}:
            broken = bytearray(whole)
            broken[place] ^= 1 << int(rng.integers(8))
            file.write_bytes(broken)
            with pytest.raises(ArtifactError, match=r"damaged|expected format"):
                load(run)
        file.write_bytes(whole[:-1])
        with pytest.raises(ArtifactError):
            load(run)
        file.write_bytes(whole)
    load(run)


def test_files_missing_or_foreign_are_refused(model, tmp_path):
    run = model.save(tmp_path / "run")
    (run / "more.txt").write_text("?")
    with pytest.raises(ArtifactError, match=r"foreign to the run: more\.txt"):
        load(run)
    (run / "more.txt").unlink()
    (run / "arrays.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"missing .*: arrays.safetensors"):
        load(run)
    with pytest.raises(ArtifactError, match="expected a saved run"):
        load(tmp_path / "nowhere")


def test_saving_replaces_a_run_and_nothing_else(model, tmp_path):
    model.save(tmp_path / "run")
    model.save(tmp_path / "run")
    assert [file.name for file in tmp_path.iterdir()] == ["run"]
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter1.tex").write_text("precious")
    with pytest.raises(ArtifactError, match="is not a saved run"):
        model.save(other)
    assert (other / "chapter1.tex").read_text() == "precious"


def test_a_write_that_fails_leaves_the_old_run(model, tmp_path):
    run = model.save(tmp_path / "run")

    def broken():
        with artifact.write_artifact(run, {}) as folder:
            (folder / "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    load(run)
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_two_fits_of_one_seed_save_the_same_bytes(world, tmp_path):
    digests = []
    for name in ("a", "b"):
        run = fit(world.dataset(), FAST, model="transition").save(tmp_path / name)
        digests.append(artifact.read_manifest(run)["files"]["arrays.safetensors"])
    assert digests[0] == digests[1]


def test_fit_reports_its_twin_and_what_it_tried(model):
    evaluation = model.report.evaluation
    assert evaluation.protocol == "leave-one-out"
    entry = evaluation.metrics["ndcg@10"]
    assert entry.low < entry.value < entry.high
    assert len(model.report.trials) == 2


def test_too_few_events_are_fitted_and_the_note_says_so():
    data = from_columns(["u", "u"], ["a", "b"], timestamp=[1, 2])
    found = fit(data, model="transition")
    assert found.report.evaluation is None
    assert any("not evaluated" in note for note in found.report.notes)


def test_the_search_climbs_and_keeps_to_its_budget(world):
    data = world.dataset()
    parts = split(data)
    bounds = Recipe.load(overrides=["search.budget=7", "search.users=40"]).search
    found = search(
        TRANSITION,
        TransitionSettings(decay=0.95, ridge=1000),
        data.with_events(parts.train),
        parts.validation,
        bounds,
    )
    assert 1 < len(found.trials) <= 7
    assert max(t.ndcg for t in found.trials) > found.trials[0].ndcg
    best = max(found.trials, key=lambda trial: trial.ndcg)
    for name, value in best.changes.items():
        assert found.settings.model_dump()[name] == value


def test_the_public_names_are_these_and_cost_nothing_until_asked():
    assert set(dir(penchant)) == set(penchant.__all__)
    for name in penchant.__all__:
        assert getattr(penchant, name) is not None
    assert callable(penchant.fit)
    with pytest.raises(AttributeError):
        penchant.nothing  # noqa: B018
