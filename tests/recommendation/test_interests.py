"""Interests: found in planted worlds, lasting, and followed by lists."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from penchant import load
from penchant.cli import app
from penchant.config import InterestSettings, Recipe, TransitionSettings
from penchant.data import synthetic
from penchant.errors import ConfigError
from penchant.models.transition.recommender import TransitionFitter
from penchant.recommendation import Model, save_controls
from penchant.recommendation.interests import Control, ItemSpace, interests_of, match_controls
from penchant.recommendation.interests.clusters import groups
from penchant.recommendation.interests.item_space import directions, otsu_threshold
from penchant.recommendation.rerank import Rules
from penchant.training.update import without_events, without_users

TAGS = "own", "shared", "none"


def made(data, **settings):
    return Model(data, TransitionFitter(data)(TransitionSettings(**settings)))


@pytest.fixture(scope="module", params=TAGS)
def world(request):
    """Four genres, and their model; (data, genre of each item, likes of each user, model)."""
    data, genre, likes = synthetic.genres(400, tags=request.param)
    return data, genre, likes, made(data)


@pytest.fixture(scope="module")
def model():
    return made(synthetic.genres(300)[0])


def kinds(found, genre):
    """The genres of the items of each interest."""
    return [set(genre[one.members].tolist()) for one in found.clusters]


def test_both_genres_of_each_user_are_found(world):
    data, genre, likes, model = world
    right = 0
    for user, name in enumerate(data.users.ids):
        found = kinds(model.interests(name), genre)
        right += sorted(map(sorted, found)) == sorted([one] for one in likes[user].tolist())
    assert right >= 0.95 * len(data.users)


def test_muting_an_interest_clears_the_list_of_it(world):
    data, genre, likes, model = world
    liked = []
    for user, name in enumerate(data.users.ids[:60]):
        for one in model.interests(name).clusters:
            (muted,) = set(genre[one.members].tolist())
            changed = model.with_interest_factor(name, one.id, 0.0)
            found = data.catalogue.items.rows(r.item for r in changed.recommend(name).items)
            assert len(found) == 10
            assert muted not in genre[found]
            liked.append(np.isin(genre[found], likes[user]).mean())
    assert np.mean(liked) > 0.9


def test_a_boost_brings_more_of_it_and_a_reset_takes_it_back(world):
    data, genre, _, model = world
    grown = 0
    for name in data.users.ids[:40]:
        one = model.interests(name).clusters[-1]
        (kind,) = set(genre[one.members].tolist())

        def count(of, name=name, kind=kind):
            rows = data.catalogue.items.rows(r.item for r in of.recommend(name).items)
            return int((genre[rows] == kind).sum())

        more, before = count(model.with_interest_factor(name, one.id, 5.0)), count(model)
        assert more >= before
        grown += more > before
        back = model.with_interest_factor(name, one.id, 5.0).with_interest_factor(name, one.id, 1.0)
        assert not back.controls
        assert back.recommend(name) == model.recommend(name)
    assert grown > 20


def test_a_quota_holds_both_in_the_list(world):
    data, genre, likes, model = world
    both = 0
    for user, name in enumerate(data.users.ids[:100]):
        listed = model.recommend(name, k=10, rules=Rules(quota=0.9)).items
        found = genre[data.catalogue.items.rows(row.item for row in listed)]
        both += set(found.tolist()) == set(likes[user].tolist())
    assert both >= 95


def test_interests_last_when_an_event_comes(world):
    data, _, _, model = world
    for name in data.users.ids[:60]:
        whole = data.history(name)
        ids = [
            {one.id for one in interests_of(model.space, data, of, InterestSettings()).clusters}
            for of in (whole, whole.keep(np.arange(len(whole.events)) < len(whole.events) - 1))
        ]
        assert ids[0] == ids[1]


def test_a_grown_interest_keeps_what_was_said_of_it(model):
    name = model.dataset.users.ids[0]
    found = model.interests(name)
    first = found.clusters[0]
    said = Control("before", 0.0, first.items[: len(first.items) // 2 + 1])
    again = match_controls(found, [said])
    assert (again.clusters[0].id, again.clusters[0].factor) == ("before", 0.0)
    assert again.clusters[1] == found.clusters[1]
    assert match_controls(found, [replace(said, items=("elsewhere",))]) == found


def test_one_taste_is_one_interest():
    data, genre, _ = synthetic.genres(400)
    model = made(data)
    for kind in range(4):
        ids = [data.catalogue.items.ids[row] for row in np.flatnonzero(genre == kind)[:12]]
        assert len(model.interests(history=ids)) == 1


def test_weights_shares_and_evidence_add_up(world):
    data, genre, likes, model = world
    found = model.interests(data.users.ids[5])
    assert sum(one.weight for one in found.clusters) + found.unassigned == pytest.approx(1)
    assert found.weights.sum() == pytest.approx(1)
    rows = np.concatenate([one.rows for one in found.clusters])
    assert len(set(rows.tolist())) == len(rows)
    for one in found.clusters:
        assert sum(one.behaviors.values()) == pytest.approx(1)
        assert one.events == len(one.rows)
        assert one.last is None  # time is an order
    shares = found.shares(np.arange(len(data.catalogue)))
    total = shares.sum(axis=1)
    assert (np.isclose(total, 1) | (total == 0)).all()
    assert np.allclose(total[np.isin(genre, likes[5])], 1)
    assert shares[found.clusters[0].members].argmax(axis=1).max() == 0


def test_labels_are_telling_tags_or_titles():
    for tags, wanted in (("own", "genre "), ("shared", "genres "), ("none", "Item ")):
        data, _, _ = synthetic.genres(200, tags=tags)
        for one in made(data).interests(data.users.ids[0]).clusters:
            assert one.label.startswith(wanted)


def test_browsing_and_buying_are_both_found_and_served():
    world = synthetic.world(1500, 600, seed=2, browse_buy=True)
    data = world.dataset()
    recipe = Recipe.load(None, ["transition.decay=0.95", "search.budget=1"])
    models = {}
    for kind in ("buy", "view"):  # what each is told most by is its own events
        weights = {b.name: float(b.name == kind) or 0.05 for b in data.catalogue.behaviors}
        settings = recipe.transition.model_copy(update={"behavior_weights": weights})
        models[kind] = Model(
            data.with_target(kind), TransitionFitter(data.with_target(kind))(settings)
        )
    both, inside = [], {name: [] for name in models}
    one_each = ((world.weights > 0).sum(1) == 1) & ((world.buying > 0).sum(1) <= 2)
    for user in np.flatnonzero(one_each)[:60]:
        name = data.users.ids[user]
        events = data.history(name).events
        right = ~world.noise[data.events.user == user]
        planted = {}
        for kind in models:
            mine = right & (events.behavior == data.catalogue.behavior(kind))
            planted[kind] = set(world.item_interest[events.item[mine]].tolist())
        if not all(planted.values()):
            continue
        found = models["buy"].interests(name).clusters
        main = {int(np.bincount(world.item_interest[one.members]).argmax()) for one in found}
        both.append(all(main & kinds for kinds in planted.values()))
        for kind, model in models.items():
            rows = data.catalogue.items.rows(r.item for r in model.recommend(name).items)
            inside[kind].append(np.isin(world.item_interest[rows], list(planted[kind])).mean())
    assert len(both) > 30
    assert np.mean(both) >= 0.9
    assert np.mean(inside["buy"]) > 0.6
    assert np.mean(inside["view"]) > 0.6


def test_controls_are_saved_and_forgotten_with_their_user(model, tmp_path):
    name, other = model.dataset.users.ids[:2]
    run = model.save(tmp_path / "run")
    first = model.interests(name).clusters[0].id
    changed = model.with_interest_factor(name, first, 0.0).with_interest_factor(
        other, model.interests(other).clusters[0].id, 2.0
    )
    save_controls(changed.controls, run)
    again = load(run)
    assert again.controls == changed.controls
    assert again.recommend(name) == changed.recommend(name)
    assert again.interests(name).by_id(first).factor == 0
    gone, _ = without_users(again, [name])
    assert list(gone.controls) == [other]


def test_lists_of_all_users_follow_the_controls(model):
    name = model.dataset.users.ids[7]
    changed = model.with_interest_factor(name, model.interests(name).clusters[0].id, 0.0)
    before = np.concatenate([block.items for block in model.recommend_all()])
    after = np.concatenate([block.items for block in changed.recommend_all()])
    ids = model.dataset.catalogue.items.ids
    assert [ids[row] for row in after[7]] == [r.item for r in changed.recommend(name).items]
    assert not np.array_equal(before[7], after[7])
    assert np.array_equal(np.delete(before, 7, 0), np.delete(after, 7, 0))


def test_muting_all_interests_leaves_what_is_popular_beside_them(model):
    name = model.dataset.users.ids[3]
    changed = model
    for one in model.interests(name).clusters:
        changed = changed.with_interest_factor(name, one.id, 0.0)
    found = changed.recommend(name)
    assert found.source == "popular"
    genre = set((model.dataset.history(name).events.item % 4).tolist())
    assert not genre & {int(row.item[1:]) % 4 for row in found.items}


def test_erasing_an_interest_is_a_fit_without_its_events(model):
    data, name = model.dataset, model.dataset.users.ids[4]
    rows = model.interests(name).clusters[0].rows
    renewed, receipt = without_events(model, name, rows)
    kept = np.ones(len(data.events), bool)
    kept[np.searchsorted(data.events.user, 4) + rows] = False
    wanted = TransitionFitter(data.with_events(data.events.take(kept)))(model.settings)
    assert receipt.events == len(rows)
    assert np.array_equal(renewed.recommender.B.toarray(), wanted.B.toarray())
    assert len(renewed.interests(name)) == 1
    with pytest.raises(ConfigError, match="unknown user"):
        without_events(model, "nobody", rows)


def test_the_threshold_is_the_best_cut_of_two():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 0.1, 300), rng.normal(1, 0.1, 60)])
    assert 0.2 < otsu_threshold(values) < 0.8
    cuts = np.sort(values)[:-1]
    between = [
        (values <= c).mean()
        * (values > c).mean()
        * (values[values <= c].mean() - values[values > c].mean()) ** 2
        for c in cuts
    ]
    assert otsu_threshold(values) == cuts[int(np.argmax(between))]
    assert otsu_threshold(np.ones(5)) == otsu_threshold(np.zeros(0)) == 0


def test_directions_are_those_of_a_dense_decomposition():
    matrix = np.random.default_rng(1).standard_normal((60, 40)) @ np.diag(0.8 ** np.arange(40))
    U, s = directions(matrix, 5, 0)
    wanted, values, _ = np.linalg.svd(matrix)
    assert np.allclose(s, values[:5], rtol=1e-3)
    assert np.allclose(np.abs((U * wanted[:, :5]).sum(axis=0)), 1, atol=1e-3)
    assert directions(np.ones((3, 2)), 8, 0)[0].shape == (3, 2)


def test_groups_do_not_depend_on_the_order():
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((40, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = rng.permutation(40)
    first, second = groups(vectors, 0.3), groups(vectors[order], 0.3)
    same = first[order][:, None] == first[order][None]
    assert np.array_equal(same, second[:, None] == second[None])
    assert groups(vectors, -1.0).max() == 0
    assert groups(vectors[:1], 0.3).tolist() == [0]


def test_items_that_nobody_met_lie_by_their_content():
    data, genre, _ = synthetic.genres(200)
    kept = data.events.item >= 8
    few = data.with_events(data.events.take(kept))
    expert = TransitionFitter(few)(TransitionSettings())
    space = ItemSpace.of(few.catalogue, expert.statistics, few.event_counts, InterestSettings())
    near = space.vectors[:8] @ space.vectors[8:].T
    assert (genre[8:][near.argmax(axis=1)] == genre[:8]).all()


def test_what_is_not_known_is_an_error(model):
    name = model.dataset.users.ids[0]
    with pytest.raises(ConfigError, match="unknown user 'nobody'"):
        model.interests("nobody")
    with pytest.raises(ConfigError, match="unknown interest 'xx'"):
        model.with_interest_factor(name, "xx", 0.0)
    with pytest.raises(ConfigError, match="factor from 0"):
        model.with_interest_factor(name, model.interests(name).clusters[0].id, -1.0)
    with pytest.raises(ConfigError, match="one of the two"):
        model.interests()
    assert len(model.interests(history=[])) == 0


def test_the_command_shows_mutes_boosts_resets_and_deletes(model, tmp_path):
    run = str(Model(model.dataset, model.recommender, Recipe()).save(tmp_path / "run"))
    name = model.dataset.users.ids[0]
    runner = CliRunner()

    def told(*more):
        result = runner.invoke(app, ["interests", run, "--user", name, "--json", *more])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    first, second = (one["id"] for one in told()["interests"])
    found = told("--mute", first, "--boost", f"{second}=2.5")
    assert [one["factor"] for one in found["interests"]] == [0, 2.5]
    shown = runner.invoke(app, ["interests", run, "--user", name]).stdout
    assert "muted" in shown
    assert "x2.5" in shown
    assert [one["factor"] for one in told("--reset", first)["interests"]] == [1, 2.5]
    gone = told("--delete", first)
    assert [one["id"] for one in gone["interests"]] == [second]
    assert gone["erased"][0]["events"] == len(model.interests(name).by_id(first).rows)
    assert load(run).interests(name).by_id(second).factor == 2.5
