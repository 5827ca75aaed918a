"""The fusion: weights that find the better expert, scores that restore, the default of fit."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import sparse

pytest.importorskip("torch", reason="torch is not installed; it is the extra deep")

from penchant.config import Recipe
from penchant.data import synthetic
from penchant.data.splitting.split import split
from penchant.evaluation.evaluate import evaluate
from penchant.models.fusion import weights
from penchant.models.fusion.features import FEATURES, FusionContext
from penchant.models.fusion.weights import _logit, bucket, fit_weights
from penchant.models.topk import top_k
from penchant.models.transition.recommender import TransitionFitter, TransitionSettings
from penchant.recommendation import load
from penchant.recommendation.ranking import list_items, score_histories
from penchant.report.plots import weights_plot
from penchant.training.benchmark import benchmark
from penchant.training.fit import fit, train
from penchant.training.tuning import shared

MODELS = ("transition", "sequence", "fusion")
QUICK = Recipe.load(
    overrides=[
        "search.budget=2",
        "sequence.embedding_size=16",
        "sequence.layers=1",
        "sequence.max_length=20",
        "sequence.epochs=3",
        "sequence.negatives=0",
        "sequence.learning_rate=0.005",
    ]
)


@pytest.fixture(scope="module")
def world():
    return synthetic.world(300, 120, seed=6).dataset()


@pytest.fixture(scope="module")
def model(world):
    return fit(world, QUICK)


def test_the_logit_recovers_planted_weights():
    rng = np.random.default_rng(0)
    cases, size, wanted = 4000, 12, np.array([1.5, 0.5, 0.0, -0.8])
    X = rng.standard_normal((cases * size, 4))
    owner = np.repeat(np.arange(cases), size)
    noisy = X @ wanted + rng.gumbel(size=cases * size)
    best = noisy.reshape(cases, size).argmax(axis=1) + np.arange(cases) * size
    y = np.zeros(cases * size)
    y[best] = 1
    found = _logit(X, y, owner, rng.integers(0, 6, cases))
    assert np.allclose(found, wanted, atol=0.25)
    assert np.allclose(found.mean(axis=0), wanted, atol=0.08)


class Noise:
    """A second expert that knows nothing."""

    name = "sequence"

    def __init__(self, items):
        self.items = items

    def score(self, histories):
        rng = np.random.default_rng(len(histories))
        return rng.standard_normal((len(histories), self.items))


def test_an_expert_that_knows_nothing_gets_no_weight(world):
    parts = split(world)
    train_data = world.with_events(parts.train)
    transition = TransitionFitter(train_data)(TransitionSettings())
    noise, context = Noise(len(world.catalogue)), FusionContext.of(train_data)
    weights, spread = fit_weights(transition, noise, context, parts.validation)
    assert context.features == (*FEATURES, "tags")
    assert weights.shape == (6, len(context.features))
    cases = np.bincount(bucket(parts.validation.histories.lengths), minlength=len(weights))
    effects = dict(zip(context.features, np.average(weights, 0, cases) * spread, strict=True))
    assert abs(effects["sequence"]) < 0.15
    assert effects["transition"] + effects["lead"] > 0.6


def test_more_of_an_expert_is_never_worse():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200 * 8, 4))
    owner = np.repeat(np.arange(200), 8)
    noisy = X @ np.array([1.0, 1.0, -2.0, -2.0]) + rng.gumbel(size=len(X))
    y = np.zeros(len(X))
    y[noisy.reshape(200, 8).argmax(axis=1) + np.arange(200) * 8] = 1
    found = _logit(X, y, owner, rng.integers(0, 6, 200))
    assert (found[:, 2] == 0).all()
    assert (found[:, 3] < -1).all()


def test_without_a_hit_both_experts_count_alike():
    X = np.ones((6, 4)) * [2.0, 4.0, 1.0, 1.0] * np.array([[1], [-1]] * 3)
    found = _logit(X, np.zeros(6), np.repeat([0, 1], 3), np.array([0, 5]))
    assert np.allclose(found, [0.25, 0.125, 0, 0])


def test_too_few_cases_leave_the_transition_alone():
    found = fit(synthetic.world(30, 120, seed=1).dataset(), QUICK)
    assert found.family == "transition"
    assert any(note.startswith("no fusion: ") for note in found.report.notes)


def test_buckets_grow_with_the_history():
    assert bucket(np.array([0, 4, 5, 64, 65])).tolist() == [0, 0, 1, 4, 5]


def test_fit_makes_the_fusion_by_default(world, model, tmp_path):
    assert model.family == "fusion"
    assert model.report.evaluation.metrics["ndcg@10"].value > 0
    again = load(model.save(tmp_path / "run"))
    histories = world.events.histories(np.arange(40))
    assert np.array_equal(again.recommender.score(histories), model.recommender.score(histories))
    assert again.recommend(world.users.ids[3]) == model.recommend(world.users.ids[3])


def test_the_fusion_is_not_below_its_experts(world):
    parts = split(world)
    made = {}
    train(world, parts, "fusion", QUICK, made=made)
    found = {name: evaluate(made[name].recommender, world.catalogue, parts.test) for name in MODELS}
    better = max(("transition", "sequence"), key=lambda name: found[name].mean("ndcg@10"))
    assert found["fusion"].minus(found[better], "ndcg@10").high > 0


def test_shares_of_validation_do_not_meet(world):
    parts = split(world)
    users = [set(shared(world, parts.validation, p, 0).histories.users.tolist()) for p in range(3)]
    assert sum(map(len, users)) == len(parts.validation.histories)
    assert not users[0] & users[1]
    assert len(users[0]) > len(users[1]) > len(users[2])


def test_a_benchmark_tells_the_training_curve(world):
    rows = {row["model"]: row for row in benchmark(world, MODELS, recipe=QUICK).to_dict()["rows"]}
    curve = rows["sequence"]["curve"]
    assert [line["epoch"] for line in curve] == [1, 2, 3]
    assert (
        max(line["ndcg"] for line in curve)
        == curve[rows["sequence"]["settings"]["stop"] - 1]["ndcg"]
    )
    assert curve[0]["loss"] > curve[-1]["loss"]
    assert "curve" not in rows["transition"]


def test_a_benchmark_tells_what_each_expert_gains_over_the_best_baseline(world):
    models = ("popularity", "item-knn", *MODELS)
    found = benchmark(world, models, recipe=QUICK)
    value = {row.model: row.evaluation.mean("ndcg@10") for row in found.rows}
    best = max(("popularity", "item-knn"), key=lambda name: value[name])
    pairs = found.over_baselines
    assert [(pair.model, pair.against) for pair in pairs] == [(name, best) for name in MODELS]
    for pair in pairs:
        gain = value[pair.model] - value[best]
        assert pair.ndcg.value == pytest.approx(gain)
        assert pair.ndcg.low < gain < pair.ndcg.high
    assert benchmark(world, ["transition"], recipe=QUICK).over_baselines == []


def test_what_each_part_weighs_is_told_and_drawn(model):
    found = model.report.weights
    assert found.features == (
        "sequence",
        "transition",
        "lead",
        "popularity",
        *model.dataset.catalogue.modalities,
    )
    effects = np.array(found.effects)
    assert effects.shape == (len(found.lengths), len(found.features))
    assert np.allclose(
        effects, model.recommender.weights * model.recommender.spread, rtol=0.5, atol=1
    )
    root = ElementTree.fromstring(weights_plot(found))
    bars = [rect for rect in root.iter() if rect.get("class") == "dot"]
    widths = np.array([float(bar.get("width")) for bar in bars]).reshape(effects.T.shape).T
    assert np.allclose(widths / widths.max(), np.abs(effects) / np.abs(effects).max(), atol=0.01)


def test_weights_are_fitted_within_the_domain_that_is_asked(world, monkeypatch):
    """An item of a foreign domain that an expert loves says nothing of a list of one domain."""
    domain = np.arange(len(world.catalogue)) % 2
    catalogue = replace(world.catalogue, domains=("a", "b"), domain=domain)
    data = replace(world, catalogue=catalogue)
    parts = split(data)
    train_data = data.with_events(parts.train)
    transition = TransitionFitter(train_data)(TransitionSettings())
    cases = replace(parts.validation, domain=domain[parts.validation.truth])
    loud = Loud(domain)
    context = FusionContext.of(train_data)
    seen = []

    def logit(X, y, owner, group):
        of = np.unique(owner, return_inverse=True)[1]
        squares, sums = (np.bincount(of, X[:, 0] ** n) for n in (2, 1))
        seen.append(float((squares - sums**2 / np.bincount(of)).sum()))
        return np.ones((6, X.shape[1]))

    monkeypatch.setattr(weights, "_logit", logit)
    for asked in (cases, parts.validation):
        fit_weights(transition, loud, context, asked)
    assert seen[0] == pytest.approx(0, abs=1e-6)
    assert seen[1] > 1


class Loud:
    """A second expert that tells nothing but the domain."""

    name = "sequence"

    def __init__(self, domain):
        self.domain = domain

    def score(self, histories):
        return np.tile(self.domain * 3.0, (len(histories), 1))


def test_an_expert_that_ranks_better_alone_has_all_the_weight(monkeypatch, world):
    parts = split(world)
    train_data = world.with_events(parts.train)
    transition = TransitionFitter(train_data)(TransitionSettings())
    noise, context = Noise(len(world.catalogue)), FusionContext.of(train_data)
    asked = transition, noise, context, parts.validation
    fitted, _ = fit_weights(*asked)
    assert np.count_nonzero(fitted) > len(fitted)
    monkeypatch.setattr(weights, "_logit", lambda X, y, owner, group: -fitted)
    alone, _ = fit_weights(*asked)
    assert np.array_equal(alone, np.eye(len(context.features))[[1] * len(alone)])


@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_one_history_are_those_of_all_scores(world, model, seed):
    """Also where a dense modality weighs so much that it decides, or nothing."""
    rng, one = np.random.default_rng(seed), model.recommender
    assert any(not sparse.issparse(rows) for rows in one.context.content.values())
    weights = rng.standard_normal(one.weights.shape) * 10.0 ** rng.integers(-2, 2)
    one = replace(one, weights=np.abs(weights) if seed % 2 else weights)
    every, some = np.ones(len(world.catalogue), bool), rng.random(len(world.catalogue)) < 0.4
    exact = 0
    for user in range(60):
        history = world.events.histories(np.array([user]))
        whole = one.score(history)
        found, items = one.best(history, [(None, 5), (some, 8)])
        assert (found <= whole + 1e-9).all()
        for allowed, count in ((every, 5), (some, 8)):
            ours, theirs = (
                top_k(np.where(allowed, scores, -np.inf), count) for scores in (found, whole)
            )
            assert np.array_equal(ours.items, theirs.items)
            assert set(theirs.items[0]) <= set(items.tolist())
            assert np.allclose(ours.scores, theirs.scores, atol=1e-9, rtol=0)
        exact += int(np.isclose(found, whole, atol=1e-9, rtol=0).sum())
    assert exact < 60 * len(world.catalogue)


def test_the_best_of_a_list_stand_as_in_all_scores(world, model):
    for user in range(40):
        history = world.events.histories(np.array([user]))
        hidden = history.events.item
        exact = score_histories(model, history, hidden)
        whole = list_items(model, exact._replace(best=None), 10)
        found = list_items(model, score_histories(model, history, hidden, k=10), 10)
        assert np.array_equal(found.items, whole.items)
        assert np.allclose(found.scores, whole.scores, atol=1e-9, rtol=0)
        probable = list_items(model, exact, 10).probability
        assert np.allclose(found.probability, probable, atol=1e-9, equal_nan=True)
