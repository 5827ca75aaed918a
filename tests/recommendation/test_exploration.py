"""Caps and exploration in lists by rules."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from test_rerank import BRANDS, N, adds_up, cells, model, names

from penchant.errors import ConfigError
from penchant.recommendation.explain import with_reasons
from penchant.recommendation.request import ListRequest
from penchant.recommendation.rerank import Reranker, Rules

__all__ = ["model"]  # the fixture


@pytest.mark.parametrize("method", ["none", "mmr", "dpp"])
@pytest.mark.parametrize("explore", [0, 3])
def test_no_list_breaks_a_cap(model, method, explore):
    rules = Rules(
        cap={"brand": 2, "stock": 3},
        method=method,
        diversity=0 if method == "none" else 0.4,
        explore=explore,
        explore_among=9,
        tags_none=("kind3",),
        pool=15,
    )
    for request in range(60 if explore else 1):
        found = model.recommend("u00", k=9, rules=rules, request_id=str(request))
        brands = Counter(cells(model, found, "brand"))
        assert all(count <= 2 for brand, count in brands.items() if brand)
        assert max(Counter(cells(model, found, "stock")).values()) <= 3
        assert not any(int(name[1:]) % 4 == 3 for name in names(found))
        assert len(set(names(found))) == len(found.items) >= 8
        assert adds_up(model, found)
        assert explore - 1 <= len(found.explored) <= explore  # two caps may leave no third


def test_a_cap_counts_what_would_have_been_listed(model):
    found = model.recommend("u00", k=8, rules=Rules(cap={"brand": 1}))
    plain = model.recommend("u00", k=N).items
    expected, brands = [], set()
    skipped = 0
    for row in plain:
        brand = BRANDS[int(row.item[1:]) % 7 % 4]
        if len(expected) == 8:
            break
        if brand in brands:
            skipped += 1
            continue
        expected.append(row)
        brands |= {brand} - {None}
    assert list(found.items) == expected
    assert found.removed["cap brand"] == skipped
    far = model.recommend("u00", k=8, rules=Rules(cap={"brand": 1}, pool=3))
    assert far.items == found.items


def test_a_request_has_one_list_and_its_propensities(model):
    rules = Rules(explore=2, explore_at=(2, 5), explore_among=8)
    ranker, history = Reranker(model, rules), model.dataset.history("u00")
    once = ListRequest(k=6, user="u00", request_id="r1")
    first = ranker(history, once)
    assert ranker(history, once) == first
    assert first == model.recommend("u00", k=6, rules=rules, request_id="r1")
    assert first.explored == (2, 5)
    assert first.propensities == (1.0, 0.25, 1.0, 1.0, 0.25, 1.0)
    plain = names(model.recommend("u00", k=N))
    assert [name for n, name in enumerate(names(first)) if n not in (1, 4)] == plain[:4]
    drawn = {names(ranker(history, replace(once, request_id=str(n))))[1] for n in range(200)}
    assert drawn == set(plain[4:12:2])
    other = {tuple(names(model.recommend("u00", k=6, rules=rules, request_id=r))) for r in "abcdef"}
    assert len(other) > 1
    document = json.loads(json.dumps(first.to_dict()))
    assert [row["propensity"] for row in document["items"]] == list(first.propensities)
    assert document["removed"] == {"seen": first.removed["seen"]}
    reasoned = with_reasons(model, first, model.dataset.history("u00"))
    assert reasoned.propensities == first.propensities
    assert reasoned.items[0].reasons
    with pytest.raises(ConfigError, match="places to explore among the 4"):
        model.recommend("u00", k=4, rules=rules)


def test_where_little_is_left_there_is_less_to_draw(model):
    few = tuple(f"i{n}" for n in range(40, 47))
    for explore, k in ((3, 4), (3, 7), (3, 9)):
        rules = Rules(allow=few, explore=explore)
        found = model.recommend("nobody", k=k, rules=rules)
        assert set(names(found)) <= set(few)
        assert len(found.items) == min(k, 7)
        assert found.short == (k > 7)
        # the last of seven are all that each slot can hold
        assert len(found.explored) == {4: 3, 7: 3, 9: 0}[k]
        assert (min(found.propensities) < 1) == (k == 4)
