"""A fitted model goes through pickle, copies and joblib, and lists the same afterwards."""

import copy
import io
import pickle
from importlib.util import find_spec

import pytest

from penchant import fit
from penchant.config import Recipe
from penchant.data import synthetic
from penchant.models.registry import BASELINES
from penchant.privacy.differential.fit import fit_private

RECIPE = Recipe.model_validate(
    {
        "search": {"budget": 1},
        "sequence": {"epochs": 1, "embedding_size": 8, "layers": 1, "max_length": 8},
    }
)
NEEDS = {"als": "implicit", "bpr": "implicit", "sequence": "torch", "fusion": "torch"}


@pytest.fixture(scope="module")
def data():
    return synthetic.world(60, 120, seed=1).dataset()


@pytest.fixture(scope="module", params=[*BASELINES, "transition", "sequence", "fusion", "private"])
def model(request, data):
    family = request.param
    if family in NEEDS and find_spec(NEEDS[family]) is None:
        pytest.skip(f"{NEEDS[family]} is not installed")
    if family == "private":
        return fit_private(data, 4.0, 1e-3, RECIPE)
    return fit(data, RECIPE, model=family)


def by_joblib(model):
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize(
    "copied", [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy, by_joblib]
)
def test_a_copy_of_a_model_that_was_used_lists_the_same(model, data, copied):
    def lists(model):
        return [
            [(row.item, row.score) for row in found.items]
            for found in (
                model.recommend(data.users.ids[0], k=5),
                model.recommend(history=list(data.catalogue.items.ids[:3]), k=5),
                model.recommend(history=[], query="for children", k=5),
            )
        ]

    before = lists(model)
    again = copied(model)
    assert lists(again) == before
    assert again.dataset is not model.dataset
