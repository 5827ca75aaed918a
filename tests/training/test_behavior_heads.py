"""Several behaviors: who browses one thing and buys another is served both."""

import numpy as np
import pytest

from penchant.config import Recipe
from penchant.data import synthetic
from penchant.data.splitting.split import split
from penchant.errors import ConfigError
from penchant.models.transition.recommender import TRANSITION
from penchant.recommendation import load
from penchant.recommendation.explain import explain
from penchant.training.behavior_heads import held_out
from penchant.training.fit import fit
from penchant.training.update import without_users

DEEP = (
    "search.budget=2",
    "sequence.embedding_size=32",
    "sequence.layers=1",
    "sequence.max_length=20",
    "sequence.epochs=16",
    "sequence.negatives=0",
)


@pytest.fixture(scope="module")
def world():
    return synthetic.world(600, 240, seed=2, browse_buy=True)


def fitted(world, family, *overrides):
    if family != "transition":
        pytest.importorskip("torch", reason="torch is not installed; it is the extra deep")
    recipe = Recipe.load(overrides=list(overrides))
    return fit(world.dataset(), recipe, model=family)


@pytest.fixture(scope="module")
def transition(world):
    return fitted(world, "transition")


def inside(model, world, behavior, weights):
    """Share of the lists for a behavior that lies in the interests of ``weights``."""
    of_item = world.item_interest[world.catalogue.items.rows(model.dataset.catalogue.items.ids)]
    rows = world.users.rows(model.dataset.users.ids)
    hits = [
        (weights[rows[user]][of_item[items]] > 0).mean()
        for block in model.recommend_all(5, behavior=behavior)
        for user, items in zip(block.users, block.items, strict=True)
    ]
    return float(np.mean(hits))


@pytest.mark.parametrize(
    "family", ["transition", pytest.param("sequence", marks=pytest.mark.slow), "fusion"]
)
def test_browsing_and_buying_are_both_served(world, transition, family):
    model = transition if family == "transition" else fitted(world, family, *DEEP)
    assert set(model.others) == {"cart", "like", "share", "view"}
    bought, browsed = world.buying, world.weights
    assert inside(model, world, "buy", bought) > inside(model, world, "view", bought) + 0.1
    assert inside(model, world, "view", browsed) > inside(model, world, "buy", browsed) + 0.1


def test_every_head_is_saved_and_moves_on(world, transition, tmp_path):
    model = transition
    user = world.users.ids[3]
    lists = {name: model.recommend(user, behavior=name) for name in (None, *model.others)}
    assert len({tuple(row.item for row in found.items) for found in lists.values()}) > 1
    again = load(model.save(tmp_path / "run"))
    assert {name: again.recommend(user, behavior=name) for name in lists} == lists
    less, _ = without_users(model, [world.users.ids[0]])
    for name, other in model.others.items():
        aimed = less.with_target(name)
        histories = aimed.dataset.events.histories(np.arange(20))
        fresh = TRANSITION.fitter(aimed.dataset, 0)(other.settings)
        assert np.array_equal(aimed.recommender.score(histories), fresh.score(histories))


def test_another_behavior_explains_itself(world, transition):
    model = transition
    user = world.users.ids[3]
    item = model.recommend(user, behavior="view").items[0]
    found = explain(model.with_target("view"), item.item, user=user)
    assert found.score == pytest.approx(item.score)
    assert abs(found.residue) < 1e-9


def test_a_negative_behavior_is_not_served(world, transition):
    model = transition
    with pytest.raises(ConfigError, match=r"recommends for 'buy', 'cart', .*'dislike'"):
        model.recommend(world.users.ids[0], behavior="dislike")
    with pytest.raises(ConfigError, match="unknown behavior 'veiw'"):
        model.recommend(world.users.ids[0], behavior="veiw")


def test_the_network_is_one_for_all_behaviors(world, tmp_path):
    model = fitted(world, "fusion", "search.budget=1", *DEEP)
    again = load(model.save(tmp_path / "run"))
    less, receipt = without_users(again, [world.users.ids[0]])
    assert "deep expert" in receipt.left
    for one in (model, again, less):
        networks = {id(other.sequence.network) for other in one.others.values()}
        assert networks == {id(one.recommender.sequence.network)}
    user = world.users.ids[3]
    for name in model.others:
        assert again.recommend(user, behavior=name) == model.recommend(user, behavior=name)
        assert less.recommend(user, behavior=name).items


def test_behaviors_that_count_alike_share_one_solution(world, tmp_path):
    model = fitted(world, "transition", "search.budget=1")
    again = load(model.save(tmp_path / "run"))
    less, _ = without_users(again, [world.users.ids[0]])
    for one in (model, again, less):
        assert all(other is one.recommender for other in one.others.values())


@pytest.mark.parametrize("ahead", [1, 3])
def test_what_follows_a_validation_history_is_not_in_training(world, ahead):
    data = world.dataset()
    parts = split(data)
    e = data.events.sorted()
    trained = set(parts.train.row.tolist())
    row = data.catalogue.behavior("view")
    cases = held_out(data, parts, "view", ahead)
    assert len(cases.histories) > 100
    assert np.diff(cases.indptr).max() == ahead
    for case in range(0, len(cases.histories), 7):
        user = cases.histories.users[case]
        history = cases.histories.take(slice(case, case + 1)).events
        mine = e.take(e.user == user)
        later = mine.take(slice(len(history), None))
        assert mine.row[: len(history)].tolist() == history.row.tolist()
        assert not trained & set(later.row.tolist())
        views = later.item[(later.behavior == row) & (later.item >= 0)]
        truth = cases.truth[cases.indptr[case] : cases.indptr[case + 1]]
        assert truth.tolist() == views[:ahead].tolist()


def test_protocols_that_tell_later_events_hold_none_out(world):
    data = world.dataset()
    parts = split(data, "random-per-domain")
    assert not len(held_out(data, parts, "view", 1).histories)


def test_each_behavior_has_probabilities_of_its_own(world, transition, tmp_path):
    model = transition
    found = {row.behavior: row for row in model.report.probabilities}
    assert set(model.calibrations) == set(found)
    assert {"buy", "view"} <= set(found)
    for row in found.values():
        assert row.skill_over_base_rate.value > 0
        assert row.ece < 0.02
    likelier = found["buy"].above["view"]
    assert likelier.pairs > 1000
    assert 0 < likelier.share < 1
    user = world.users.ids[3]
    again = load(model.save(tmp_path / "run"))
    for name in found:
        listed = model.recommend(user, behavior=name).items
        assert all(0 < row.probability < 1 for row in listed)
        assert again.recommend(user, behavior=name).items == listed
    unknown = set(model.others) - set(found)
    assert all(f"no probabilities for {name!r}" in str(model.report.notes) for name in unknown)
