"""Explanations: exact sums, what carried them, integrated gradients, lists without an event."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from penchant import fit
from penchant.cli import app
from penchant.config import Recipe, TransitionSettings
from penchant.data import synthetic
from penchant.data.dataset import Histories
from penchant.models.transition.recommender import TransitionFitter
from penchant.recommendation import Model, load
from penchant.recommendation.explain import explain, fidelity, with_reasons
from penchant.recommendation.explain.contributions import Past, Reason, Share, sentence
from penchant.recommendation.ranking import rank
from penchant.recommendation.request import ListRequest
from penchant.recommendation.rerank import Rules

QUICK = Recipe.load(
    None,
    [
        "search.budget=1",
        "sequence.epochs=3",
        "sequence.embedding_size=16",
        "sequence.layers=1",
        "content.text=none",
    ],
)


@pytest.fixture(scope="module")
def world():
    return synthetic.world(400, 240, seed=3).dataset()


@pytest.fixture(scope="module")
def fused(world):
    pytest.importorskip("torch", reason="the fusion needs the extra deep")
    return fit(world, QUICK)


@pytest.fixture(scope="module")
def closed(world):
    return Model(world, TransitionFitter(world)(TransitionSettings()))


@pytest.fixture(params=["fused", "closed"])
def model(request):
    return request.getfixturevalue(request.param)


def test_events_and_interests_both_add_to_the_score(model, world):
    for name in world.users.ids[:20]:
        item = model.recommend(name, k=1).items[0].item
        found = explain(model, item, user=name)
        events = sum(one.contribution for one in found.reasons)
        assert found.score == pytest.approx(events, abs=1e-5)
        assert found.score == pytest.approx(sum(one.contribution for one in found.interests))
        row = world.catalogue.items.rows([item])
        assert found.score == model.transition.score(world.history(name))[0, row[0]]
        assert abs(found.residue) < 1e-12
        known = {one.id for one in model.interests(name).clusters} | {None}
        assert {one.id for one in found.interests} <= known
        assert {one.interest for one in found.reasons} <= known


def test_parts_of_a_fusion_are_its_logit_among_the_best(fused, world):
    name = world.users.ids[4]
    listed = fused.recommend(name, k=100).items
    scores = np.array([row.score for row in listed])
    for place in (0, 1, 50):
        found = explain(fused, listed[place].item, user=name)
        assert [one.label for one in found.parts] == list(fused.recommender.context.features)
        total = sum(one.contribution for one in found.parts)
        assert total == pytest.approx(scores[place] - scores.mean(), abs=1e-4)


def test_integrated_gradients_are_complete(fused, world):
    for name in world.users.ids[:10]:
        item = fused.recommend(name, k=1).items[0].item
        deep = explain(fused, item, user=name).deep
        row = int(world.catalogue.items.rows([item])[0])
        assert deep.logit == pytest.approx(
            fused.recommender.sequence.score(world.history(name))[0, row], abs=1e-4
        )
        added = sum(one.contribution for one in deep.reasons)
        assert deep.logit == pytest.approx(deep.baseline + added + deep.residue, abs=1e-5)
        assert abs(deep.residue) < 0.05 * max(1.0, abs(deep.logit - deep.baseline))


def test_masking_an_event_keeps_all_ages(model, world):
    name = world.users.ids[6]
    given = world.history(name)
    past = Past.of(model, given, name)
    item = int(world.catalogue.items.rows([model.recommend(name, k=1).items[0].item])[0])
    own, _ = past.parts(item)
    place = int(np.argmax(own))
    scores = past.model.recommender.without_event(past.given, place)
    assert scores.shape == (1, len(world.catalogue))
    fall = model.recommender.score(given)[0, item] - scores[0, item]
    assert fall > 0
    if model.family == "transition":
        assert fall == pytest.approx(own[place])
        least = int(np.argmin(np.abs(own)))
        kept = past.model.recommender.without_event(past.given, least)[0, item] + own[least]
        assert kept == pytest.approx(model.recommender.score(given)[0, item])


def test_the_list_without_the_cited_event_is_that_of_a_history_without_it(model, world):
    for name in world.users.ids[:12]:
        item = model.recommend(name, k=3).items[2].item
        found = explain(model, item, user=name).without
        if found is None:
            continue
        assert found.rank == 3
        given = world.history(name)
        about = world.catalogue.items.rows([found.about])
        left = given.keep(given.events.item != about[0])
        bare = Histories(np.array([-1]), left.indptr, left.events)
        whole = ListRequest(k=len(world.catalogue), repeats=True)
        ranked = rank(model, bare, whole).items[0]
        seen = given.events.item
        kept = [row for row in ranked.tolist() if row not in seen]
        assert kept.index(int(world.catalogue.items.rows([item])[0])) + 1 == found.removed
        assert found.deleted > 0


def test_what_carries_a_reason(world):
    settings = TransitionSettings(content_weights={"tags": 1e6, "columns": 0.0})
    model = Model(world, TransitionFitter(world)(settings))
    name = world.users.ids[0]
    item = model.recommend(name, k=1).items[0].item
    assert explain(model, item, user=name).carried == "tags"
    settings = TransitionSettings(content_weights={"tags": 0.0, "columns": 0.0})
    model = Model(world, TransitionFitter(world)(settings))
    item = model.recommend(name, k=1).items[0].item
    assert explain(model, item, user=name).carried == "together"


def test_nothing_that_is_muted_is_cited(closed, world):
    for name in world.users.ids[:10]:
        found = closed.interests(name).clusters
        if len(found) < 2:
            continue
        changed = closed.with_interest_factor(name, found[0].id, 0.0)
        events = world.history(name).events
        muted = {world.catalogue.items.ids[events.item[row]] for row in found[0].rows}
        for row in changed.recommend(name, k=3).items:
            told = explain(changed, row.item, user=name)
            assert not muted & {one.about for one in told.reasons}
            assert told.score == pytest.approx(row.score)


def test_a_boost_is_told(closed, world):
    name = world.users.ids[2]
    one = closed.interests(name).clusters[0]
    changed = closed.with_interest_factor(name, one.id, 3.0)
    row = changed.recommend(name, k=1).items[0]
    told = explain(changed, row.item, user=name)
    assert told.factor > 1
    assert told.score * told.factor == pytest.approx(row.score)


def test_lists_tell_three_reasons_and_a_sentence(model, world):
    name = world.users.ids[9]
    found = with_reasons(model, model.recommend(name, k=5), world.history(name))
    for row in found.items:
        whole = explain(model, row.item, user=name)
        assert [one["about"] for one in row.reasons] == [one.about for one in whole.reasons[:3]]
        assert row.because.startswith("because ")
    ruled = with_reasons(
        model, model.recommend(name, rules=Rules(explore=1), k=5), world.history(name)
    )
    assert len(ruled.propensities) == 5
    assert all(row.because for row in ruled.items)


def test_sentences_are_plain():
    def told(*of, interest=None):
        reasons = [Reason(t, t, b, 1, part, part, "together", "x") for t, b, part in of]
        return sentence(tuple(reasons), (Share(interest, "noir films", 0.9, 0.9),))

    assert told(("A", "buy", 0.6), ("B", "like", 0.4), interest="x") == (
        "because you bought A and liked B; mostly your interest in noir films"
    )
    assert told(("A", "cart", 0.6)) == "because you put A into your cart"
    assert told(("A", "adopt", 0.6)) == "because of your adopt event on A"
    assert told(("A", "friend", 0.6), ("B", "view", 0.4)) == (
        "because a friend chose A and you looked at B"
    )
    assert told(("A", "buy", -1.0)).startswith("not because of your past")


def test_what_is_cited_matters_more_than_what_is_not(model):
    found = fidelity(model, users=80)
    assert found.users > 50
    assert found.cited.low > found.uncited.high >= 0
    assert not found.ratio.low <= 3
    assert fidelity(model, users=80).to_dict() == found.to_dict()


def test_without_users_of_ten_events_there_is_no_fidelity():
    data, _, _ = synthetic.genres(200, 120, 6)
    model = Model(data, TransitionFitter(data)(TransitionSettings()))
    assert fidelity(model).users == 0


def test_the_command_tells_all_of_it(fused, world, tmp_path):
    run = str(fused.save(tmp_path / "run"))
    name = world.users.ids[1]
    item = fused.recommend(name, k=1).items[0].item
    runner = CliRunner()
    result = runner.invoke(app, ["explain", run, "--user", name, "--item", item, "--json"])
    found = json.loads(result.stdout)
    assert found == json.loads(json.dumps(explain(load(run), item, user=name).to_dict()))
    text = runner.invoke(app, ["explain", run, "--user", name, "--item", item]).stdout
    for part in ("because you ", "by interest", "of the sequence model", "from rank 1 to"):
        assert part in text
