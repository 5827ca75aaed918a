"""Probabilities: what was planted is found, lists keep their order, a run says what it knows."""

import json

import numpy as np
import pytest

from penchant.config import Recipe
from penchant.data import synthetic
from penchant.data.io.from_columns import from_columns
from penchant.data.splitting.split import split
from penchant.errors import DataError
from penchant.evaluation.metrics import brier_skill, ece, reliability, skill_interval
from penchant.evaluation.probabilities import top_lists
from penchant.models.calibration import LISTED, fit_calibration, regression
from penchant.recommendation import load
from penchant.training.fit import fit

QUICK = Recipe.load(overrides=["search.budget=2"])


@pytest.fixture(scope="module")
def world():
    return synthetic.world(600, 120, seed=8).dataset()


@pytest.fixture(scope="module")
def model(world):
    return fit(world, QUICK, model="transition")


def planted(cases, seed):
    """Lists of logits whose softmax, times .6, is how often each item is what happens."""
    rng = np.random.default_rng(seed)
    scores = -np.sort(-rng.standard_normal((cases, 30)) * rng.uniform(0.5, 3, (cases, 1)), axis=1)
    share = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    outcome = rng.random((cases, 30)) < 0.6 * share
    return scores, rng.integers(1, 50, cases), outcome, 0.6 * share


def test_planted_probabilities_are_found():
    calibration = fit_calibration(*planted(4000, 0)[:3])
    scores, lengths, outcome, truth = planted(4000, 1)
    r = calibration.probabilities(scores, lengths)
    assert np.abs(r - truth).mean() < 0.005
    assert ece(r.ravel(), outcome.ravel()) < 0.01
    assert brier_skill(r.ravel(), outcome.ravel(), outcome.mean()) > 0.1


def test_probabilities_fall_as_scores_do():
    scores, lengths, outcome, _ = planted(300, 2)
    wrong = outcome[:, ::-1]  # what happens is what is scored least: no weight can follow it
    for truth in (outcome, wrong):
        r = fit_calibration(scores, lengths, truth).probabilities(scores, lengths)
        assert (np.diff(r, axis=1) <= 1e-12).all()


def test_a_feature_that_hardly_varies_decides_nothing_alone():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((2000, 1))
    y = (rng.random(2000) < 1 / (1 + np.exp(-x[:, 0]))).astype(float)
    least = np.full(1, -np.inf)
    found, _ = regression(x, y, least)
    assert found[0] == pytest.approx(1, abs=0.2)
    trace, _ = regression(3 + 1e-6 * x, y, least)  # what the fitted users say of x = 4 is nothing
    assert abs(trace[0]) < 1


def shop(protocol=None):
    """Four hundred users look at what they like, and buy some of that and nothing else."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(400):
        for visit in range(rng.integers(3, 8)):
            seen = (user % 5) * 20 + rng.permutation(20)[:4]
            rows += [(f"u{user}", f"p{item}", "view", 9 * visit + n) for n, item in enumerate(seen)]
            rows.append((f"u{user}", f"p{seen[-1]}", "buy", 9 * visit + 5))
    user, item, behavior, time = zip(*rows, strict=True)
    when = [1_700_000_000 + t for t in time]
    return from_columns(user, item, behavior, when, target="buy", protocol=protocol)


def test_a_shop_is_asked_for_what_its_lists_can_hold():
    model = fit(shop(), QUICK, model="transition")
    assert model.dataset.protocol == "leave-one-new-out"
    assert any("met before, which lists leave out" in note for note in model.report.notes)
    assert model.report.evaluation.metrics["ndcg@10"].value > 0.2
    assert {"buy", "view"} <= set(model.calibrations)
    again = fit(
        shop(), Recipe.load(overrides=["search.budget=2", "repeats=true"]), model="transition"
    )
    assert again.report.evaluation.protocol == "leave-one-out"
    assert any("'leave-one-out' in place of" in note for note in again.report.notes)
    assert again.report.evaluation.metrics["ndcg@10"].value > 0.2


def test_a_run_none_of_whose_answers_are_on_a_list_is_saved_without_probabilities(tmp_path):
    model = fit(shop("leave-one-out"), QUICK, model="transition")
    assert "buy" not in model.calibrations
    assert any("no probabilities: in none of" in note for note in model.report.notes)
    assert any("'leave-one-new-out' asks for new ones" in note for note in model.report.notes)
    model.save(tmp_path / "run")
    again = load(tmp_path / "run")
    assert again.recommend("u1", k=1).items[0].probability is None


def test_padding_has_no_probability_and_long_lists_end():
    scores, lengths, outcome, _ = planted(200, 3)
    calibration = fit_calibration(scores, lengths, outcome)
    scores[0, 4:] = -np.inf
    r = calibration.probabilities(scores, lengths)
    assert np.isfinite(r[0, :4]).all()
    assert np.isnan(r[0, 4:]).all()
    long = -np.sort(-np.random.default_rng(0).standard_normal((2, 150)))
    assert np.isnan(calibration.probabilities(long, lengths[:2])[:, LISTED:]).all()
    with pytest.raises(DataError, match="received none"):
        fit_calibration(np.full((2, 3), -np.inf), lengths[:2], np.zeros((2, 3), bool))


def test_lists_know_what_happened(world, model):
    parts = split(world)
    found = top_lists(model.recommender, world.catalogue, parts.test)
    truth = parts.test.truth[:, None]  # leave-one-out: one for each
    assert np.array_equal(found.outcome, (found.items == truth) & (found.items >= 0))
    assert found.outcome.any(axis=1).mean() > 0.8  # 100 of 120
    seen = set(zip(parts.test.histories.owner, parts.test.histories.events.item, strict=True))
    listed = {(b, i) for b, row in enumerate(found.items.tolist()) for i in row}
    assert not seen & listed


def test_a_run_tells_probabilities_and_how_good_they_are(world, model, tmp_path):
    said = model.report.probabilities[0]
    assert said.behavior == world.target
    assert said.skill_over_base_rate.low > 0
    assert said.ece < 0.02
    assert said.pairs == sum(row.pairs for row in said.reliability)
    json.dumps(model.report.to_dict(), allow_nan=False)
    again = load(model.save(tmp_path / "run"))
    for user in world.users.ids[:5]:
        listed = model.recommend(user, k=10)
        assert again.recommend(user, k=10) == listed
        r = [row.probability for row in listed.items]
        assert all(0 < p < 1 for p in r)
        assert r == sorted(r, reverse=True)
    assert all(row.probability is None for row in model.recommend("nobody").items)


def test_a_list_of_one_domain_keeps_its_probabilities(world, model):
    user = world.users.ids[0]
    whole = {row.item: row.probability for row in model.recommend(user, k=100).items}
    domain = world.catalogue.domains[0]
    part = model.recommend(user, k=5, domain=domain).items
    assert [row.probability for row in part] == [whole[row.item] for row in part]


def test_reliability_counts_every_example_once():
    rng = np.random.default_rng(0)
    p = rng.choice([0.1, 0.2, 0.7], 500)
    y = rng.random(500) < p
    said, happened, count = reliability(p, y, 10)
    assert count.sum() == 500
    assert np.isclose((said * count).sum(), p.sum())
    assert np.isclose((happened * count).sum(), y.sum())
    assert [len(part) for part in reliability(np.zeros(0), np.zeros(0))] == [0, 0, 0]


def test_skill_of_the_reference_is_zero_and_clusters_widen():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.05, 0.95, 400)
    y = (rng.random(400) < p).astype(float)
    none = skill_interval(np.full(400, 0.5), y, np.full(400, 0.5), np.arange(400), 0)
    assert none == (0.0, 0.0, 0.0)
    alone = skill_interval(p, y, np.full(400, 0.5), np.arange(400), 0)
    assert alone.value == pytest.approx(brier_skill(p, y, 0.5))
    assert alone.low < alone.value < alone.high
    same = np.repeat([p, p], 4, axis=0).ravel(), np.repeat([y, y], 4, axis=0).ravel()
    users = np.tile(np.arange(400), 8)
    tied = skill_interval(*same, np.full(3200, 0.5), users, 0)
    assert (tied.high - tied.low) == pytest.approx(alone.high - alone.low, rel=0.2)
