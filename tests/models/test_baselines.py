"""The baselines: each conforms, and each equals its formula."""

import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_info

from penchant.data import synthetic
from penchant.data.dataset import Behavior
from penchant.data.io.from_columns import from_columns
from penchant.errors import ConfigError, MissingExtraError
from penchant.models.baselines.als import AlsSettings, fold_in
from penchant.models.baselines.bpr import BprSettings
from penchant.models.baselines.ease import EaseSettings, closed_form
from penchant.models.baselines.factor_scores import inner, rounded
from penchant.models.baselines.interactions import of_users
from penchant.models.baselines.item_knn import similarities
from penchant.models.baselines.popularity import RecentSettings
from penchant.models.registry import BASELINES
from penchant.testing.recommenders import RecommenderSuite, board, of, same, unnamed, world


class TestPopularity(RecommenderSuite):
    family = BASELINES["popularity"]
    personal = False


class TestRecent(RecommenderSuite):
    family = BASELINES["recent"]
    personal = False


class TestItemKnn(RecommenderSuite):
    family = BASELINES["item-knn"]


class TestEase(RecommenderSuite):
    family = BASELINES["ease"]
    settings = EaseSettings(ridge=1.0)


class TestAls(RecommenderSuite):
    family = BASELINES["als"]
    settings = AlsSettings(factors=8)


class TestBpr(RecommenderSuite):
    family = BASELINES["bpr"]
    settings = BprSettings(factors=8, learning_rate=0.1, iterations=400)
    by_user = True


DAY = 86_400
NOW = 1_700_000_000


def test_popularity_counts_the_target_or_else_all_positive_events():
    columns = ["u", "u", "v", "v", "v"], ["a", "b", "a", "c", "c"]
    data = from_columns(
        *columns,
        ["buy", "view", "view", "hide", "view"],
        behaviors=[Behavior("view", 0.5), Behavior("wish", 1.0)],
        target="buy",
    )
    fit = BASELINES["popularity"].fitter
    settings = BASELINES["popularity"].settings()
    assert fit(data, 0)(settings).popularity.tolist() == [1.0, -np.inf, -np.inf]
    wished = replace(data, target="wish")
    assert fit(wished, 0)(settings).popularity.tolist() == [1.0 + 0.5, 0.5, 0.5]


def test_recent_halves_with_each_half_life_before_the_last_event():
    ages = [0, 10, 20, 30]
    data = from_columns(
        ["u", "v", "w", "x"], ["a", "b", "b", "c"], timestamp=[NOW - age * DAY for age in ages]
    )
    model = BASELINES["recent"].fitter(data, 0)(RecentSettings(half_life=10.0))
    assert model.popularity.tolist() == [1.0, 1 / 2 + 1 / 4, 1 / 8]


@pytest.mark.parametrize("time", ["order", "none"])
def test_recent_needs_a_clock(time):
    data = replace(board(), time=time)
    with pytest.raises(ConfigError, match=f"expected .* a clock, received .* '{time}'; use pop"):
        BASELINES["recent"].fitter(data, 0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cells", [1, 1 << 22])
def test_similarities_equal_the_dense_ones(weighted, cells, monkeypatch):
    monkeypatch.setattr("penchant.models.baselines.item_knn._CELLS", cells)
    X = of_users(world(), weighted=weighted)
    D = X.toarray()
    length = np.linalg.norm(D, axis=0)
    S = D.T @ D / (np.outer(length, length) + 2.0)
    np.fill_diagonal(S, 0)
    for i, column in enumerate(S.T):
        kept = np.lexsort((np.arange(len(S)), -column.round(9)))[:7]
        S[np.setdiff1d(np.arange(len(S)), kept), i] = 0
    np.testing.assert_allclose(similarities(X, 7, 2.0).toarray(), S, atol=1e-6)


def test_a_score_is_the_summed_similarity_to_the_distinct_items():
    data = board()
    model = BASELINES["item-knn"].fitter(data, 0)(BASELINES["item-knn"].settings())
    thrice = data.with_events((data.events + data.events + data.events).sorted())
    x = of_users(data, weighted=False).toarray()
    np.testing.assert_allclose(model.score(of(thrice)), x @ model.S.toarray(), rtol=1e-6)


def test_ease_equals_the_formula_with_an_inverse():
    X = of_users(world(), weighted=False).astype(np.float32)
    G = (X.T @ X).tocsr()
    P = np.linalg.inv(G.toarray().astype(float) + 3.0 * np.eye(X.shape[1]))
    expected = np.eye(X.shape[1]) - P / np.diag(P)
    np.testing.assert_allclose(closed_form(G, 3.0), expected, atol=1e-6)


def test_ease_of_more_items_than_a_block_equals_it_too():
    X = sparse.random_array((900, 700), density=0.02, rng=0, dtype=np.float32)
    G = (X.T @ X).tocsr()
    P = np.linalg.inv(G.toarray().astype(float) + 5.0 * np.eye(700))
    np.testing.assert_allclose(closed_form(G, 5.0), np.eye(700) - P / np.diag(P), atol=1e-6)


def test_ease_states_its_memory(monkeypatch):
    monkeypatch.setattr("penchant.models.baselines.ease.MOST_ITEMS", 19)
    with pytest.raises(ConfigError, match=r"expected at most 19 items .* received 20; use trans"):
        BASELINES["ease"].fitter(board(), 0)
    singular = sparse.csr_array(np.full((2, 2), 1e12, np.float32))
    with pytest.raises(ConfigError, match=r"received 1.0; raise it"):
        closed_form(singular, 1.0)


@pytest.mark.parametrize("factors", [4, 64])  # histories longer and shorter than the factors
@pytest.mark.parametrize("alpha", [0.5, 20.0])
def test_als_folds_in_as_implicit_does(factors, alpha):
    from implicit.cpu.als import AlternatingLeastSquares

    data = world()
    settings = AlsSettings(factors=factors, alpha=alpha, regularization=0.3, iterations=3)
    model = BASELINES["als"].fitter(data, 0)(settings)
    theirs = AlternatingLeastSquares(**settings.model_dump())
    theirs.item_factors = model.items
    X = sparse.csr_matrix(of_users(data, weighted=True).astype(np.float32))
    expected = theirs.recalculate_user(np.arange(len(data.users)), X)
    np.testing.assert_allclose(
        fold_in(model.factors, model.gram, model.inverse, X.astype(float) * alpha),
        expected,
        atol=2e-4,
    )


def test_bpr_scores_a_stranger_by_the_mean_of_the_history():
    data = board()
    model = BASELINES["bpr"].fitter(data, 0)(BprSettings(factors=4, iterations=50))
    histories = of(data).take(np.array([0, 1]))
    strangers = model.score(unnamed(histories))
    for row in range(2):
        items = model.items[histories.take(np.array([row])).events.item].astype(float)
        user = np.append(items.mean(axis=0)[:-1], 1.0)
        np.testing.assert_allclose(strangers[row], model.items.astype(float) @ user, atol=1e-5)
    known = model.users[:2].astype(float) @ model.items.astype(float).T
    np.testing.assert_allclose(model.score(histories), known, atol=1e-5)


def test_bpr_that_diverges_says_what_to_lower():
    fit = BASELINES["bpr"].fitter(synthetic.world(300, 200, seed=1).dataset(), 0)
    with pytest.raises(ConfigError, match=r"received 1.0, .* lower it"):
        fit(BprSettings(learning_rate=1.0))


def test_exact_products_have_the_same_bits_for_every_shape():
    rng = np.random.default_rng(0)
    users, items = rng.standard_normal((70, 256)), rounded(rng.standard_normal((301, 256)))
    known = np.ones(len(items), bool)
    whole = inner(users, items, known)
    np.testing.assert_allclose(whole, users @ items.T, atol=1e-4)
    for size in (1, 2, 3, 17):
        parts = np.split(users, range(size, 70, size))
        same(np.concatenate([inner(part, items, known) for part in parts]), whole)
    shuffled = rng.permutation(256)
    same(inner(users[:, shuffled], items[:, shuffled], known), whole)


@pytest.mark.parametrize("name", ["als", "bpr"])
def test_a_missing_extra_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, f"implicit.cpu.{name}", None)
    with pytest.raises(MissingExtraError, match=r"expected implicit.*\.\[baselines\]"):
        BASELINES[name].fitter(board(), 0)


@pytest.mark.parametrize("name", ["als", "bpr"])
def test_implicit_is_content_with_the_threads_of_blas_and_they_are_given_back(name, monkeypatch):
    monkeypatch.setattr("implicit.utils._checked_blas_config", False)
    before = [library["num_threads"] for library in threadpool_info()]
    settings = BASELINES[name].settings(iterations=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BASELINES[name].fitter(board(), 0)(settings)
    assert [library["num_threads"] for library in threadpool_info()] == before


@pytest.mark.parametrize("name", BASELINES)
def test_an_item_without_events_has_no_score(name):
    data = board()
    warm = data.with_events(data.events.take(data.events.item != 3))
    family = BASELINES[name]
    scores = family.fitter(warm, 0)(family.settings()).score(of(data))
    assert (np.isneginf(scores) == (np.arange(20) == 3)).all()


@pytest.mark.parametrize("name", BASELINES)
def test_negative_events_of_a_history_are_left_out(name):
    data = world()
    family = BASELINES[name]
    model = family.fitter(data, 0)(family.settings())
    negative = data.catalogue.behavior("dislike")
    histories = unnamed(of(data))
    liked = histories.keep(histories.events.behavior != negative)
    assert len(liked.events) < len(histories.events)
    same(model.score(liked), model.score(histories))
