"""Lists by rules: what is kept out, what is taken instead, and with which probability."""

from collections import Counter
from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest

from penchant.config import Recipe, TransitionSettings
from penchant.data.io.from_columns import from_columns
from penchant.errors import ConfigError, DataError
from penchant.models.transition.recommender import TransitionFitter
from penchant.recommendation import Model
from penchant.recommendation.rerank import Reranker, Rules

N = 60
BRANDS = ("ash", "birch", "cedar", None)


def shop():
    """60 items in 2 domains and 4 kinds; 90 users who take mostly one kind; ann viewed i05."""
    rng = np.random.default_rng(0)
    ids = [f"i{n:02}" for n in range(N)]
    items = {
        "item": ids,
        "domain": ["food" if n < 40 else "books" for n in range(N)],
        "title": [f"Thing {n}" for n in range(N)],
        "tags": [[f"kind{n % 4}", f"own{n}"] for n in range(N)],
        "brand": [BRANDS[n % 7 % 4] for n in range(N)],
        "price": [None if n % 10 == 9 else float(n) for n in range(N)],
        "stock": [n % 3 for n in range(N)],
        "variant_of": ["i00" if n in (4, 8) else "i08" if n == 12 else None for n in range(N)],
        "available_from": [datetime(2026, 1, 1) if n % 5 == 0 else None for n in range(N)],
        "available_until": [datetime(2026, 6, 1) if n % 5 == 1 else None for n in range(N)],
    }
    items["title"][13], items["title"][17] = "A Tea-Pot", " a tea pot!"
    user, item, behavior, at = [], [], [], []
    for u in range(90):
        for place in range(8):
            kind = u % 4 if rng.random() < 0.8 else int(rng.integers(4))
            user.append(f"u{u:02}")
            item.append(ids[kind + 4 * int(rng.integers(15))])
            behavior.append("buy" if place % 2 else "view")
            at.append(1_700_000_000 + 100 * u + place)
    user += ["ann"] * 4
    item += ["i01", "i05", "i02", "i06"]
    behavior += ["buy", "view", "buy", "view"]
    at += [1_700_100_000 + n for n in range(4)]
    return from_columns(user, item, behavior, at, items=items, target="buy")


@pytest.fixture(scope="module")
def model():
    data = shop()
    return Model(data, TransitionFitter(data)(TransitionSettings(ridge=5.0)))


def names(found):
    return [row.item for row in found.items]


def cells(model, found, column):
    catalogue = model.dataset.catalogue
    return [catalogue.columns[column][row] for row in catalogue.items.rows(names(found))]


def adds_up(model, found):
    return sum(found.removed.values()) + found.left == len(model.dataset.catalogue)


class Kinds:
    """The kind of an item, as a user's interest."""

    def __init__(self, weights):
        self.weights = np.array(weights, float)

    def shares(self, items):
        return np.eye(4)[items % 4][:, : len(self.weights)]


@pytest.mark.parametrize("user", ["ann", "u03", "nobody"])
@pytest.mark.parametrize("method", ["none", "mmr", "dpp"])
def test_without_rules_the_list_is_that_of_the_model(model, user, method):
    for k in (1, 10, N + 5):
        found = model.recommend(user, k=k, rules=Rules(method=method))
        plain = model.recommend(user, k=k)
        assert (found.items, found.source, found.short) == (plain.items, plain.source, plain.short)
        assert found.propensities == (1.0,) * len(found.items)
        assert adds_up(model, found)
    listed = model.recommend(history=["i01", "gone"], rules=Rules())
    assert listed.unknown == ("gone",)
    assert listed.items == model.recommend(history=["i01", "gone"]).items


def test_filters_keep_out_what_they_say_and_count_it(model):
    catalogue = model.dataset.catalogue
    rules = Rules(
        domain="food",
        tags_any=("kind0", "kind1"),
        tags_none=("own4",),
        deny=("i08", "no such item"),
        where=("price <= 30", "stock > 0", 'brand in ["ash", "birch"]'),
    )
    found = model.recommend("ann", k=N, rules=rules)
    expected = {
        f"i{n:02}"
        for n in range(40)
        if n % 4 < 2 and n not in (4, 8) and n % 10 != 9 and n <= 30
        if n % 3 > 0 and BRANDS[n % 7 % 4] in ("ash", "birch")
    }
    assert set(names(found)) == expected - {"i01", "i05"}
    assert found.removed["domain"] == 20
    assert found.removed["tags_any"] == 20
    assert found.removed["tags_none"] == 1
    assert found.removed["deny"] == 1
    assert found.removed["seen"] == len(expected & {"i01", "i05"})
    assert found.left == len(found.items)
    assert adds_up(model, found)
    plain = [row.item for row in model.recommend("ann", k=N).items if row.item in expected]
    assert names(found) == plain
    only = model.recommend("ann", k=N, rules=Rules(allow=("i03", "i07", "i01")))
    assert set(names(only)) == {"i03", "i07"}
    assert model.recommend("ann", domain="books", rules=rules).removed["domain"] == 40
    assert len(catalogue) == N


def test_an_item_without_a_value_fails_any_condition(model):
    for text in ("price <= 1e9", "price != 3", "price >= 0"):
        found = model.recommend("nobody", k=N, rules=Rules(where=(text,)))
        assert None not in cells(model, found, "price")
        assert len(found.items) >= N - 7
    named = model.recommend("nobody", k=N, rules=Rules(where=("brand != ash",)))
    assert set(cells(model, named, "brand")) == {"birch", "cedar"}
    by_tag = model.recommend("nobody", k=N, rules=Rules(where=("tags == kind2",)))
    assert {int(name[1:]) % 4 for name in names(by_tag)} == {2}
    with pytest.raises(ConfigError, match="unknown column of the items 'cost': expected one of"):
        model.recommend("ann", rules=Rules(where=("cost < 3",)))


@pytest.mark.parametrize(
    ("time", "gone"),
    [("2025-12-31T23:59", {0}), ("2026-05-31", set()), ("2026-06-01", {1}), ("now", None)],
)
def test_items_are_listed_while_they_are_available(model, time, gone):
    found = model.recommend("nobody", k=N, rules=Rules(available_at=time))
    if gone is not None:
        assert {int(name[1:]) % 5 for name in names(found)} == set(range(5)) - gone
        assert found.removed["available_at"] == 12 * len(gone)
    assert adds_up(model, found)


def test_what_was_seen_stays_out_by_behavior(model):
    def left(rules):
        return {"i01", "i02", "i05", "i06"} & set(names(model.recommend("ann", k=N, rules=rules)))

    assert left(Rules()) == set()
    assert left(Rules(repeat={"buy": True})) == {"i01", "i02"}
    assert left(Rules(repeat={"buy": True, "view": True})) == {"i01", "i02", "i05", "i06"}
    again = Model(model.dataset, model.recommender, Recipe(repeats=True))
    found = again.recommend("ann", k=N, rules=Rules(repeat={"view": False}))
    assert {"i01", "i02"} <= set(names(found))
    assert found.removed["seen"] == 2
    both = [("i01", "view"), ("i01", "buy")]
    seen = model.recommend(history=both, k=N, rules=Rules(repeat={"buy": True}))
    assert "i01" not in names(seen)
    with pytest.raises(ConfigError, match="unknown behavior 'bye': expected one of buy, view"):
        Reranker(model, Rules(repeat={"bye": True}))


def test_variants_and_near_duplicates_collapse_to_the_best(model):
    plain = names(model.recommend("u00", k=N))
    seen = {model.dataset.catalogue.items.ids[i] for i in model.dataset.history("u00").events.item}
    found = model.recommend("u00", k=N, rules=Rules(collapse="variant_of", near="title"))
    group = [name for name in plain if name in ("i00", "i04", "i08", "i12")]
    pots = [name for name in plain if name in ("i13", "i17")]
    gone = set(group[1:]) | set(pots[1:])
    assert names(found) == [name for name in plain if name not in gone]
    assert found.removed["collapse"] == len(group) - 1
    assert found.removed["title"] == len(pots) - 1
    assert found.removed["seen"] == len(seen)
    assert adds_up(model, found)


def test_contents_that_hardly_differ_collapse(model):
    rows = model.content["tags"].toarray()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosine = rows @ rows.T
    near = float(np.quantile(cosine[np.triu_indices(N, 1)], 0.9))
    found = model.recommend("u00", k=N, rules=Rules(near=near))
    kept = model.dataset.catalogue.items.rows(names(found))
    assert (cosine[np.ix_(kept, kept)] - np.eye(len(kept)) < near).all()
    assert found.removed["near"] > 10
    # every one that is missing is near a better one that stayed
    listed = model.dataset.catalogue.items.rows(names(model.recommend("u00", k=N)))
    for place, row in enumerate(listed):
        better = [r for r in listed[:place] if r in kept]
        assert row in kept or (cosine[row, better] >= near - 1e-9).any() or row in (13, 17)


@pytest.mark.parametrize("method", ["mmr", "dpp"])
def test_the_dial_buys_distance_with_relevance(model, method):
    alike = np.eye(4)[np.arange(N) % 4]
    kinds = []
    scores = []
    for dial in (0.0, 0.1, 0.5, 1.0):
        rules = Rules(method=method, diversity=dial)
        found = model.recommend("u00", k=4, rules=rules, similarity=alike)
        kinds.append(len({int(name[1:]) % 4 for name in names(found)}))
        scores.append(sum(row.score for row in found.items))
    assert kinds[0] < 4
    assert kinds[-1] == 4
    assert all(a <= b for a, b in pairwise(kinds))
    assert all(a >= b - 1e-12 for a, b in pairwise(scores))
    by_function = model.recommend(
        "u00",
        k=4,
        rules=Rules(method=method, diversity=0.5),
        similarity=lambda items: alike[items] @ alike[items].T,
    )
    by_vectors = model.recommend(
        "u00", k=4, rules=Rules(method=method, diversity=0.5), similarity=alike
    )
    assert by_function == by_vectors
    known = model.recommend("u00", k=10, rules=Rules(method=method, diversity=0.9))
    assert known.items != model.recommend("u00", k=10).items
    with pytest.raises(DataError, match="vectors of 60 items"):
        model.recommend(
            "u00", rules=Rules(method=method, diversity=0.5), similarity=np.ones((3, 2))
        )


def test_each_interest_has_its_places(model):
    kinds = Kinds([0.4, 0.3, 0.2, 0.1])
    found = model.recommend("u00", k=10, rules=Rules(quota=1.0), interests=kinds)
    assert Counter(int(name[1:]) % 4 for name in names(found)) == {0: 4, 1: 3, 2: 2, 3: 1}
    plain = model.recommend("u00", k=10, rules=Rules(), interests=kinds)
    assert plain.items == model.recommend("u00", k=10).items
    assert len(model.recommend("u00", k=10, rules=Rules(quota=0.5)).items) == 10
    bad = Kinds([1.0, -1.0])
    with pytest.raises(DataError, match="at least 0"):
        model.recommend("u00", rules=Rules(quota=0.5), interests=bad)


def test_scores_sources_and_probabilities_are_the_models(model):
    plain = {row.item: row for row in model.recommend("u07", k=N).items}
    rules = Rules(method="dpp", diversity=0.5, explore=2, cap={"brand": 2})
    for row in model.recommend("u07", rules=rules).items:
        assert row == plain[row.item]
