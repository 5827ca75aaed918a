"""Membership inference: an attack that works on a model that remembers, and not after."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from penchant.config import Recipe, TransitionSettings
from penchant.data import synthetic
from penchant.errors import DataError
from penchant.models.transition.recommender import TransitionFitter
from penchant.privacy.membership_inference import (
    Shadows,
    attack,
    auc,
    interval,
    losses,
    sample_groups,
    verdict,
    without_events_of,
)
from penchant.recommendation import Model
from penchant.training.update import without_users

# nearly no ridge: the sums of few users are learned by heart
SETTINGS = TransitionSettings(ridge=0.5, candidates=120, reverse=0.0, content_weights={})


def fitted(data):
    return TransitionFitter(data)(SETTINGS)


@pytest.fixture(scope="module")
def world():
    return synthetic.world(240, 130, seed=5).dataset()


@pytest.fixture(scope="module")
def groups(world):
    return sample_groups(world, 90, seed=1)


@pytest.fixture(scope="module")
def forgotten(world, groups):
    model = Model(groups.data, fitted(groups.data))
    names = [world.users.ids[row] for row in groups.members]
    return model.recommender, without_users(model, names)[0].recommender


@pytest.fixture(scope="module")
def shadows(world, groups):
    users = np.concatenate([groups.members, groups.others])
    return Shadows.of(world, users, fitted, 4, seed=2)


def test_groups_are_apart_and_others_are_not_fitted_on(world, groups):
    assert len(groups.members) == len(groups.others) == 90
    assert not np.intersect1d(groups.members, groups.others).size
    assert not np.isin(groups.others, groups.data.events.user).any()
    assert np.isin(groups.members, groups.data.events.user).all()
    with pytest.raises(DataError, match="expected 1000 users of at least 4 events of 'buy'"):
        sample_groups(world)


def test_a_loss_is_that_of_each_event_after_all_before(world, forgotten):
    model, user = forgotten[0], 11
    events = world.history(world.users.ids[user]).events
    row = world.catalogue.behavior("buy")
    found = []
    for place in range(1, len(events)):
        if events.behavior[place] != row or events.item[place] < 0:
            continue
        past = events.take(slice(0, place)).histories(np.array([user]))
        scores = np.maximum(model.score(past)[0], 0)
        found.append(-np.log(scores[events.item[place]] / scores.sum() + 1e-4))
    assert losses(model, world, np.array([user]))[0] == pytest.approx(np.mean(found[-20:]))


def test_forgetting_takes_away_what_an_attack_could_tell(world, groups, forgotten, shadows):
    before, after = forgotten
    found = attack(groups, world, before, after, shadows)
    for name in ("threshold", "shadow"):
        areas = found[name]["auc"]
        assert areas["before"]["value"] > 0.8
        assert areas["after"]["low"] < 0.5 < areas["after"]["high"]
        assert found[name]["verdict"] == "revealed members before, reveals none after"
    never = fitted(without_events_of(world, np.concatenate([groups.members, groups.others])))
    users = np.concatenate([groups.members, groups.others])
    assert np.array_equal(losses(after, world, users), losses(never, world, users))


def test_each_shadow_holds_half_and_its_pair_the_rest(shadows):
    assert shadows.inside.shape == shadows.loss.shape == (4, 180)
    assert (shadows.inside.sum(axis=1) == 90).all()
    assert (shadows.inside[0] ^ shadows.inside[1]).all()
    inner, outer = shadows.loss[shadows.inside].mean(), shadows.loss[~shadows.inside].mean()
    assert inner < outer
    means = np.where(shadows.inside, shadows.loss, np.nan)
    assert (shadows.ratio(np.nanmean(means, axis=0)) > 0).mean() > 0.9


def test_an_area_and_its_interval():
    rng = np.random.default_rng(0)
    members, others = rng.normal(1, 1, 400), rng.normal(0, 1, 300)
    found = interval(members, others)
    direct = (members[:, None] > others).mean()
    assert found["value"] == auc(members, others) == pytest.approx(direct)
    assert found["low"] < 0.7602 < found["high"]  # the normal distributions' own
    assert found["high"] - found["low"] < 0.1
    assert auc(np.ones(3), np.ones(5)) == 0.5


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (0.59, (0.5, 0.4, 0.6), "too weak to tell"),
        (0.61, (0.5, 0.4, 0.6), "revealed members before, reveals none after"),
        (0.9, (0.7, 0.6, 0.8), "still tells members after"),
        (0.9, (0.3, 0.2, 0.4), "tells the forgotten by absence"),
    ],
)
def test_what_an_attack_says(before, after, said):
    assert verdict(before, dict(zip(("value", "low", "high"), after, strict=True))) == said


def test_the_benchmark_compares_both_attacks_on_the_same_users(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    script = importlib.import_module("forgetting")
    recipe = Recipe(transition=SETTINGS)
    data = synthetic.world(160, 120, seed=6).dataset()
    found = script.compared(data, recipe, each=50, shadows=2)
    json.dumps(found, allow_nan=False)
    assert found["same_sums"]
    assert found["same_B"]
    assert (found["members"], found["others"], found["shadows"]) == (50, 50, 2)
    for name in ("threshold", "shadow"):
        area = found[name]["auc"]["before"]
        assert area["low"] < area["value"] < area["high"]
