"""The Python surface: everything that a model is asked for by a method, and how it is shown."""

import json

import pytest

import penchant
from penchant.data import synthetic
from penchant.data.splitting.split import split
from penchant.errors import ConfigError, DataError
from penchant.recommendation.explain import explain, with_reasons


@pytest.fixture(scope="module")
def dataset():
    return synthetic.genres(60, 40, 4)[0]


@pytest.fixture(scope="module")
def model(dataset):
    return penchant.fit(dataset, model="transition")


def test_rules_are_given_as_rules_a_mapping_or_a_path(model, tmp_path):
    user = model.dataset.users.ids[0]
    first = model.recommend(user, k=1).items[0].item
    (tmp_path / "rules.toml").write_text(f'deny = ["{first}"]\n')
    (tmp_path / "rules.json").write_text(json.dumps({"deny": [first]}))
    expected = model.recommend(user, rules=penchant.Rules(deny=(first,)))
    assert expected.removed["deny"] == 1
    for rules in ({"deny": [first]}, tmp_path / "rules.toml", str(tmp_path / "rules.json")):
        assert model.recommend(user, rules=rules) == expected
    with pytest.raises(ConfigError, match="denny"):
        model.recommend(user, rules={"denny": [first]})


def test_reasons_and_explanations_are_those_of_the_functions(model):
    user = model.dataset.users.ids[0]
    history = model.dataset.history(user)
    plain = model.recommend(user, k=3)
    listed = model.recommend(user, k=3, explain=True)
    assert listed == with_reasons(model, plain, history)
    assert listed.items[0].reasons
    item = listed.items[0].item
    assert model.explain(item, user=user) == explain(model, item, user=user)
    past = [listed.items[1].item, listed.items[2].item]
    assert model.explain(item, history=past) == explain(model, item, history=past)
    with pytest.raises(ConfigError, match="one of the two"):
        model.explain(item)


def test_what_is_shown_of_a_model_a_dataset_and_a_list_is_short(model, dataset):
    assert repr(model) == "Model(transition, 60 users, 40 items)"
    assert repr(dataset) == "Dataset(240 events, 60 users, 40 items)"
    listed = model.recommend(history=[dataset.catalogue.items.ids[0]], k=2)
    names = [row.item for row in listed.items]
    assert repr(listed) == f"Recommendation(None, transition, 2 items: {', '.join(names)})"
    assert [line.split()[1] for line in str(listed).splitlines()[1:]] == names
    assert repr(model.recommend("nobody", k=1, rules={})).startswith("Reranked('nobody', popular")


def test_a_model_is_measured_on_events_that_it_has_not_seen(model, dataset):
    parts = split(dataset)
    train = penchant.fit(dataset.with_events(parts.train), model="transition")
    result = penchant.evaluate(train, dataset, metrics=["ndcg@10"])
    assert result.metrics.keys() == {"ndcg@10"}
    bare = penchant.evaluate(train.recommender, dataset, parts.test, metrics=["ndcg@10"])
    assert bare.metrics == result.metrics
    with pytest.raises(ConfigError, match="fitted on 240 events where"):
        penchant.evaluate(model, dataset)
    with pytest.raises(DataError, match="items of the dataset"):
        penchant.evaluate(model, synthetic.genres(60, 80, 4)[0], parts.test)
