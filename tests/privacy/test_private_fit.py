"""Clipped sums, releases and runs: the sensitivity by brute force, the edges, and what refuses."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import penchant
from penchant.cli import app
from penchant.config import PrivacySettings, Recipe, TransitionSettings
from penchant.data.io.from_columns import from_columns
from penchant.data.io.save import save
from penchant.data.merge import without_users
from penchant.data.synthetic.world import checkerboard
from penchant.data.vocabulary import Vocabulary
from penchant.errors import BudgetError, ConfigError
from penchant.models.private import ReleaseSettings
from penchant.models.transition.statistics import statistics
from penchant.privacy import Ledger, fit_private
from penchant.privacy.differential.contributions import (
    Contributions,
    clip_users,
    counts,
    projected_sums,
    whole_sums,
)
from penchant.privacy.differential.release import (
    Budget,
    public_space,
    release,
    ridge,
    solve_ridge,
    units,
)

D = 1 << 12
TRANSITION = TransitionSettings(window=5, reverse=0.3)
TEN = PrivacySettings(events=10)
METHODS = ("mixture", "projected", "popularity", "full")


def seeded(seed=0):
    return np.random.default_rng(seed).bytes


def world(seed=0, users=12, items=8):
    """Users of 0 to 15 events on tagged items, with repeats, a dislike and a lone event."""
    rng = np.random.default_rng(seed)
    lengths = np.append(rng.integers(0, 16, users - 1), 1)
    who = np.repeat([f"u{u:02}" for u in range(users)], lengths)
    what = [f"i{i}" for i in rng.integers(0, items, len(who))]
    how = rng.choice(["view", "buy", "hide"], len(who), p=[0.6, 0.3, 0.1])
    data = from_columns(list(who), what, list(how), timestamp=list(range(len(who))), target="view")
    names = data.catalogue.items.ids
    tags = tuple((("even", "odd")[int(n[1]) % 2], f"of {int(n[1]) // 3}") for n in names)
    return replace(data, catalogue=replace(data.catalogue, tags=tags))


def recipe(**privacy):
    return Recipe(privacy=PrivacySettings(**privacy), transition=TRANSITION)


def summed(data, kind, settings=TEN):
    """The clipped sums as one vector, its upper triangle of G alone."""
    acts = Contributions.of(data, TRANSITION, settings)
    if kind == "popularity":
        return counts(acts, len(data.catalogue), settings, D)
    if kind == "full":
        G, C = whole_sums(acts, len(data.catalogue), TRANSITION, settings, D)
    else:
        F = public_space(data.catalogue, 3)
        G, C = projected_sums(acts, F, TRANSITION, settings, D)
    assert not np.tril(G, -1).any()
    return np.concatenate([G.ravel(), C.ravel()])


@pytest.mark.parametrize("kind", ["popularity", "full", "projected"])
@pytest.mark.parametrize("clip", [0.5, 3.0, 1e4])
def test_neighbors_differ_by_at_most_the_sensitivity(kind, clip):
    data = world()
    settings = PrivacySettings(events=10, clip=clip)
    whole = summed(data, kind, settings)
    norms = []
    for user in range(len(data.users)):
        fewer = summed(without_users(data, np.array([user])), kind, settings)
        norms.append(math.sqrt(((whole - fewer) ** 2).sum()))
    assert max(norms) <= D
    if clip == 0.5:  # who acts is clipped, and little is lost to rounding
        assert max(norms) > 0.99 * D


@pytest.mark.parametrize("kind", ["full", "projected"])
def test_a_user_adds_the_same_integers_whoever_else_is_there(kind):
    data = world()
    parts = []
    for user in range(len(data.users)):
        others = np.setdiff1d(np.arange(len(data.users)), [user])
        parts.append(summed(without_users(data, others), kind))
    assert np.array_equal(np.sum(parts, axis=0), summed(data, kind))


def test_sums_that_nothing_clips_are_those_of_the_expert():
    data = world()
    positive = data.events.behavior != data.catalogue.behavior("hide")
    data = data.with_events(data.events.take(positive))
    settings = PrivacySettings(clip=1e5, events=1000, balance=1.0)
    acts = Contributions.of(data, TRANSITION, settings)
    units = 10**9
    G, C = whole_sums(acts, len(data.catalogue), TRANSITION, settings, units)
    exact = statistics(data.events, data.catalogue, TRANSITION, data.time, data.target)
    N = len(data.catalogue)
    gram = np.triu(exact.gram(TRANSITION.reverse).toarray()[:N, :N])
    cross = exact.cross(TRANSITION.reverse).toarray()[:N]
    assert G * 1e5 / units == pytest.approx(gram, abs=0.02)  # the expert's weights are on a grid
    assert C * 1e5 / units == pytest.approx(cross, abs=0.02)


def test_projected_sums_are_the_whole_ones_between_contents():
    data = world()
    settings = PrivacySettings(clip=1e4, balance=1.0)
    acts = Contributions.of(data, TRANSITION, settings)
    F, scale = public_space(data.catalogue, 3), 1e4 / 10**9
    G, C = whole_sums(acts, len(data.catalogue), TRANSITION, settings, 10**9)
    small, cross = projected_sums(acts, F, TRANSITION, settings, 10**9)
    G = G + np.triu(G, 1).T
    assert small * scale == pytest.approx(np.triu(F.T @ G @ F) * scale, rel=0.01, abs=0.3)
    assert cross * scale == pytest.approx(F.T @ C @ F * scale, rel=0.01, abs=0.3)


def test_clipping_rounds_toward_zero():
    found = clip_users(np.array([1.0, -1.0, 0.0]), np.zeros(3, int), 1.0, 3)
    assert found.tolist() == [2, -2, 0]
    assert clip_users(np.zeros(0), np.zeros(0, int), 1.0, 3).tolist() == []


def test_settings_whose_sums_are_not_exact_are_refused():
    data = world()
    wide = TransitionSettings(window=64, decay=1.0, behavior_weights={"view": 64.0})
    settings = PrivacySettings(events=100_000)
    with pytest.raises(ConfigError, match="exact"):
        projected_sums(
            Contributions.of(data, wide, settings),
            public_space(data.catalogue, 3),
            wide,
            settings,
            D,
        )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("who", [[], ["ann"], ["ann", "ann"]])
def test_nobody_and_one_user_have_a_release(method, who):
    data = (
        from_columns(who, ["a", "b"][: len(who)], timestamp=list(range(len(who))))
        if who
        else (world().with_events(world().events.take(slice(0, 0))))
    )
    data = replace(
        data,
        catalogue=replace(data.catalogue, tags=tuple(("t",) for _ in data.catalogue.items.ids)),
    )
    made = release(
        data,
        ReleaseSettings(privacy=PrivacySettings(method=method)),
        Budget(Ledger(1.0, 1e-6), seeded()),
    )
    scores = made.score(data.events.histories(np.arange(len(data.users))))
    assert scores.shape == (len(data.users), len(data.catalogue))
    assert np.isfinite(scores).all()


def test_every_cell_has_noise_also_where_nobody_was():
    data = world().with_events(world().events.take(slice(0, 0)))
    made = release(
        data,
        ReleaseSettings(privacy=PrivacySettings(method="full")),
        Budget(Ledger(1.0, 1e-6), seeded()),
    )
    assert made.left is not None
    assert (made.left != 0).all()


def test_without_noise_the_release_finds_what_is_next():
    made = release(
        checkerboard(),
        ReleaseSettings(privacy=PrivacySettings(method="full", ridge=0.001)),
        Budget(None),
    )
    histories = checkerboard().events.histories(np.array([2]))
    scores = made.score(histories)[0]
    scores[histories.events.item] = -np.inf
    assert checkerboard().catalogue.items.ids[int(scores.argmax())] == "i0002"


@pytest.mark.parametrize("method", METHODS)
def test_a_release_spends_all_and_the_ledger_refuses_the_next(method):
    ledger = Ledger(4.0, 1e-6)
    settings = ReleaseSettings(privacy=PrivacySettings(method=method))
    release(checkerboard(), settings, Budget(ledger, seeded()))
    assert math.fsum(ledger.spent.values()) == pytest.approx(ledger.rho)
    again = ReleaseSettings(privacy=PrivacySettings(method="popularity"))
    ledger.spent = {f"before: {name}": rho for name, rho in ledger.spent.items()}
    with pytest.raises(BudgetError, match="'popularity' would spend"):
        release(checkerboard(), again, Budget(ledger, seeded()))


def test_the_ridge_lifts_a_noised_matrix_until_it_can_be_solved():
    G = -np.eye(3)
    found = solve_ridge(G, np.ones((3, 1)), 0.7)
    assert found == pytest.approx(np.full((3, 1), 1 / 0.4))  # -1 + 1.4
    assert ridge(np.eye(2), 0.0, 0.0, 0.5) == 0.5


def test_units_follow_the_budget_alone():
    assert units(math.inf) == units(1.0) == 1 << 13
    assert units(1e-6) == 23
    with pytest.raises(ConfigError, match="larger epsilon"):
        units(1e-11)


def test_of_a_small_budget_nothing_goes_to_what_could_say_nothing():
    ledger = Ledger(0.001, 1e-6)
    settings = ReleaseSettings(privacy=PrivacySettings(), transition=TRANSITION)
    made = release(world(), settings, Budget(ledger, seeded()))
    assert set(ledger.spent) == {"popularity", "sums"}
    assert np.isfinite(made.score(world().events.histories(np.arange(12)))).all()


def test_data_without_an_order_or_contents_is_refused_where_they_are_read():
    sets = from_columns(["u", "u", "v"], ["a", "b", "a"])
    assert sets.time == "none"
    with pytest.raises(ConfigError, match=r"give its events a time"):
        fit_private(sets, 1.0, 1e-6)
    bare = from_columns(["u", "u", "v"], ["a", "b", "a"], timestamp=[1, 2, 3])
    with pytest.raises(ConfigError, match=r"privacy.method=popularity"):
        fit_private(bare, 1.0, 1e-6)
    model = fit_private(sets, 1.0, 1e-6, recipe(method="popularity"), source=seeded())
    assert len(model.recommend("v", k=1).items) == 1


def test_a_run_recommends_saves_and_loads(tmp_path):
    data = checkerboard(users=40)
    model = fit_private(data, 2.0, 1e-5, recipe(), source=seeded())
    model.save(tmp_path / "run")
    back = penchant.load(tmp_path / "run")
    assert back.family == "private"
    for user in ("u0002", "u0007"):
        assert back.recommend(user, k=5) == model.recommend(user, k=5)
    histories = data.events.histories(np.arange(len(data.users)))
    scores = back.recommender.score(histories)
    one = np.vstack([back.recommender.score(histories.take(np.array([u]))) for u in range(40)])
    assert np.array_equal(scores, one)
    found = json.loads((tmp_path / "run" / "manifest.json").read_text())["info"]
    assert found["privacy"]["epsilon"] == 2.0
    assert set(found["privacy"]["spent"]) == {"popularity", "sums", "smallest eigenvalue"}
    assert found["evaluation"]["cases"] == 40
    assert back.calibrations == {}
    assert back.others == {}


@pytest.mark.parametrize("method", ["mixture", "full"])
def test_strangers_and_ties_see_no_count_that_was_not_released(method):
    model = fit_private(checkerboard(), 1.0, 1e-6, recipe(method=method), source=seeded())
    released = model.recommender.released_popularity
    assert np.array_equal(model.popularity, released)
    assert not np.array_equal(model.popularity, model.dataset.counts())
    listed = [row.item for row in model.recommend("nobody", k=20).items]
    order = np.argsort(-released, kind="stable")
    assert listed == [model.dataset.catalogue.items.ids[i] for i in order]


def test_a_public_run_holds_no_user(tmp_path):
    data = checkerboard(users=30)
    model = fit_private(data, 2.0, 1e-6, recipe(public=True), source=seeded())
    model.save(tmp_path / "run")
    back = penchant.load(tmp_path / "run")
    assert (len(back.dataset.users), len(back.dataset.events)) == (0, 0)
    assert back.report.evaluation is None
    assert back.report.baselines is None
    assert len(back.recommend(history=["i0003"], k=3).items) == 3
    for file in (tmp_path / "run").rglob("*"):
        assert not file.is_file() or b"u0004" not in file.read_bytes()


def test_what_events_brought_into_the_catalogue_leaves_with_them():
    data = checkerboard()
    data = replace(data, catalogue=replace(data.catalogue, tokens=Vocabulary(("query:secret",))))
    model = fit_private(data, 2.0, 1e-6, recipe(public=True), source=seeded())
    assert len(model.dataset.catalogue.tokens) == 0
    assert any("none about tokens" in note for note in model.report.notes)


def test_too_few_events_are_not_measured_and_the_run_says_so():
    data = from_columns(["u", "v"], ["a", "b"], timestamp=[1, 2])
    model = fit_private(data, 1.0, 1e-6, recipe(method="popularity"), source=seeded())
    assert model.report.evaluation is None
    assert any(note.startswith("not evaluated") for note in model.report.notes)


def test_what_needs_the_expert_says_that_there_is_none():
    model = fit_private(checkerboard(), 2.0, 1e-6, recipe(public=True), source=seeded())
    with pytest.raises(ConfigError, match="'private'"):
        model.interests(history=["i0001"])
    found = penchant.explain(model, "i0003", history=["i0001"])  # by what its own score loses
    assert found.interests == ()
    assert [reason.about for reason in found.reasons] == ["i0001"]


def test_an_update_or_a_deletion_would_spend():
    model = fit_private(checkerboard(), 2.0, 1e-6, recipe(), source=seeded())
    with pytest.raises(ConfigError, match="is a release that spends"):
        penchant.forget(model, ["u0002"])
    with pytest.raises(ConfigError, match="is a release that spends"):
        penchant.update(model, checkerboard())
    with pytest.raises(ConfigError, match="--epsilon and --delta"):
        penchant.fit(checkerboard(), model="private")


def test_no_seed_repeats_a_release():
    both = [fit_private(checkerboard(), 1.0, 1e-6, recipe(public=True)) for _ in range(2)]
    first, second = (model.recommender.arrays()["counts"] for model in both)
    assert not np.array_equal(first, second)


def test_the_command_prints_epsilon_beside_ndcg(tmp_path):
    save(checkerboard(users=40), tmp_path / "data")
    asked = ["fit", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "--epsilon", "2"]
    ran = CliRunner().invoke(app, [*asked, "--delta", "1e-6"])
    assert ran.exit_code == 0, ran.output
    text = " ".join(ran.output.split())
    assert "epsilon 2, delta 1e-06 for a user with all their events" in text
    assert "NDCG@10 0." in text
    assert "none is searched on events" in text
    shown = CliRunner().invoke(app, ["evaluate", str(tmp_path / "run")])
    assert "epsilon 2, delta 1e-06" in " ".join(shown.output.split())


@pytest.mark.parametrize("budget", [("0", "1e-6"), ("-1", "1e-6"), ("nan", "1e-6"), ("1", "0")])
def test_the_command_refuses_what_is_no_budget(tmp_path, budget):
    save(checkerboard(), tmp_path / "data")
    asked = ["fit", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    ran = CliRunner().invoke(app, [*asked, "--epsilon", budget[0], "--delta", budget[1]])
    assert isinstance(ran.exception, ConfigError) or ran.exit_code != 0
    assert not (tmp_path / "run").exists()


def test_the_command_refuses_another_model(tmp_path):
    save(checkerboard(), tmp_path / "data")
    asked = ["fit", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "--epsilon", "1"]
    ran = CliRunner().invoke(app, [*asked, "--model", "fusion"])
    assert ran.exit_code != 0
    assert not (tmp_path / "run").exists()
