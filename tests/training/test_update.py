"""Updates and deletions: the same bits as a fit on the data that is left."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penchant.config import TransitionSettings
from penchant.data import synthetic
from penchant.data.dataset import Events
from penchant.data.io.from_columns import from_columns
from penchant.data.io.load import load
from penchant.data.io.save import write
from penchant.data.item_features import Feature
from penchant.data.merge import merge
from penchant.data.merge import without_users as dataset_without
from penchant.errors import ConfigError, DataError
from penchant.features.kernels import content_rows, unit_rows
from penchant.models.transition.cold_start import cold_columns
from penchant.models.transition.recommender import TransitionFitter
from penchant.recommendation import Model
from penchant.training.update import update, without_users
from same_models import assert_same

SETTINGS = TransitionSettings(candidates=60, cold=4.0)
RECIPES = Path(__file__).parents[2] / "recipes"


def fitted(data, candidates=60):
    settings = SETTINGS.model_copy(update={"candidates": candidates})
    return Model(data, TransitionFitter(data)(settings))


def some(data, mask):
    return data.with_events(data.events.take(mask))


@pytest.fixture(scope="module")
def small():
    return synthetic.world(120, 120, seed=2).dataset()


@pytest.fixture(scope="module")
def wide():
    return synthetic.world(300, 1200, seed=2).dataset()


@pytest.fixture(scope="module", params=["small", "movielens"])
def data(request):
    return request.getfixturevalue(request.param)


def test_forgetting_equals_a_fit_that_never_saw_the_users(data, capsys):
    gone = [data.users.ids[user] for user in range(0, len(data.users), 40)]
    found, receipt = without_users(fitted(data), gone)
    left = dataset_without(data, data.users.rows(gone))
    assert not set(gone) & set(left.users.ids)
    assert_same(found, fitted(left))
    assert receipt.users == len(gone)
    assert receipt.events == len(data.events) - len(left.events)
    with capsys.disabled():
        print(f"\nforget {len(gone)} users: solved {receipt.solved} of {receipt.columns} columns")


def split_off(data, mask):
    return some(data, ~mask), some(data, mask)


def newest(data, count):
    mask = np.zeros(len(data.events), bool)
    mask[np.lexsort((data.events.row, data.events.time))[-count:]] = True
    return mask


CASES = {
    "later events of known users": lambda d: newest(d, len(d.events) // 20),
    "one late event": lambda d: np.arange(len(d.events)) == len(d.events) // 3,
    "late events": lambda d: np.random.default_rng(0).random(len(d.events)) < 0.01,
    "one new user": lambda d: d.events.user == 5,
    "new users": lambda d: d.events.user % 20 == 3,
    "a new item": lambda d: d.events.item == d.events.item[100],
    "everything": lambda d: np.arange(len(d.events)) > 50,
}


@pytest.mark.parametrize("case", CASES)
def test_an_update_equals_a_refit(data, case, capsys):
    first, second = split_off(data, CASES[case](data))
    if "new user" in case:
        known = np.unique(second.events.user)
        first = dataset_without(first, known)
    found, receipt = update(fitted(first), second)
    assert len(found.dataset.events) == len(data.events)
    assert_same(found, fitted(merge(first, second).dataset))
    assert receipt.events == len(second.events)
    with capsys.disabled():
        print(f"\nupdate, {case}: solved {receipt.solved} of {receipt.columns} columns", end="")


def test_a_new_item_is_taken_in_with_its_tags(wide):
    item = "新/1"
    described = {"item": [item], "tags": [["jazz", "saxophone"]], "title": ["蓝调"]}
    new = from_columns(
        [wide.users.ids[3]],
        [item],
        behavior="buy",
        timestamp=[1_790_000_000],
        items=described,
        time="clock",
    )
    model = fitted(wide, 20)
    found, receipt = update(model, new)
    assert receipt.items == 1
    row = found.dataset.catalogue.items.index[item]
    assert found.dataset.catalogue.tags[row] == ("jazz", "saxophone")
    assert found.dataset.catalogue.titles[row] == "蓝调"
    assert found.recommender.scored[row]
    assert_same(found, fitted(found.dataset, 20))
    assert 0 < receipt.solved < receipt.columns


def featured(data, seed=0, width=6):
    """The dataset with a made-up modality that some items lack."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((len(data.catalogue), 20))
    present = rng.random(len(vectors)) < 0.9
    feature = Feature.fit(vectors, present, width, "noise")
    return replace(data, catalogue=replace(data.catalogue, features={"noise": feature}))


def test_a_new_item_without_events_costs_one_small_solve(wide):
    tags = [wide.catalogue.tags[5], (*wide.catalogue.tags[9], "a tag of nobody else")]
    described = {"item": ["new/1", "0/new"], "tags": tags}
    known = {"time": "clock", "target": "buy", "behaviors": wide.catalogue.behaviors}
    none = from_columns([], [], [], [], items=described, **known)
    model = fitted(featured(wide), 20)
    found, receipt = update(model, none)
    assert (receipt.items, receipt.solved) == (2, 2)
    rows = found.dataset.catalogue.items.rows(described["item"])
    assert found.recommender.scored[rows].all()
    assert_same(found, fitted(found.dataset, 20))
    # its first event makes it a predictor too
    user = wide.users.ids[3]
    new = from_columns([user], ["new/1"], "buy", [1_790_000_000], time="clock")
    again, receipt = update(found, new)
    assert_same(again, fitted(again.dataset, 20))
    assert np.diff(again.recommender.B.indptr)[rows[0]] > 0
    assert np.diff(found.recommender.B.indptr)[rows[0]] == 0


def test_new_items_with_columns_of_their_own(wide):
    rng = np.random.default_rng(0)
    price = np.array(rng.integers(1, 90, len(wide.catalogue)).astype(float), object)
    color = np.array(rng.choice(["red", "blue", "green"], len(price)), object)
    catalogue = replace(
        wide.catalogue, columns={"price": price, "color": color}, counted=("color", "price")
    )
    data = replace(wide, catalogue=catalogue)
    assert data.catalogue.modalities == ("columns", "tags")
    described = {"item": ["new/1"], "tags": [["jazz"]], "price": [500.0], "color": ["violet"]}
    known = {"time": "clock", "target": "buy", "behaviors": wide.catalogue.behaviors}
    new = from_columns([], [], [], [], items=described, **known)
    found, _ = update(fitted(data, 20), new)
    assert found.dataset.catalogue.counted == ("color", "price")
    assert_same(found, fitted(found.dataset, 20))


def test_a_column_alone_is_that_of_the_whole_system(wide):
    unmet = np.array([7, 400, 401])
    left = featured(some(wide, ~np.isin(wide.events.item, unmet)))
    expert = fitted(left, 20).recommender
    new = {name: unit_rows(rows)[unmet] for name, rows in content_rows(left.catalogue).items()}
    assert sorted(new) == ["noise", "tags"]
    found = cold_columns(expert.statistics, expert.cold_start_context, expert.settings, new)
    assert found.nnz == 3 * 20
    assert (found != expert.B[:, unmet].tocsc()).nnz == 0


def test_one_event_solves_few_columns(wide):
    user = wide.users.ids[3]
    new = from_columns([user], [wide.catalogue.items.ids[7]], "buy", [1_790_000_000])
    found, receipt = update(fitted(wide, 20), new)
    assert_same(found, fitted(found.dataset, 20))
    assert 0 < receipt.solved < receipt.columns / 4


def test_tokens_and_negatives_move_with_the_catalogue():
    tokens = {"query": ["red shoes", None, None, None], "topic": [None, "jazz", None, None]}
    events = {
        "user": ["u", "u", "v", "v"],
        "item": [None, None, "b", "d"],
        "behavior": ["search", "follow", "dislike", "buy"],
        "timestamp": [1, 2, 3, 4],
    }

    def loaded(path, columns):
        return load(write(path, columns, time="order", target="buy"))

    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        old = loaded(f"{folder}/a", events | tokens)
        more = {
            "user": ["u", "w", "w", "w", "u"],
            "item": ["a", "c", None, "b", "e"],
            "query": [None, None, "blue", None, None],
            "topic": [None] * 5,
            "behavior": ["buy", "dislike", "search", "buy", "buy"],
            "timestamp": [5, 6, 7, 8, 9],
        }
        new = loaded(f"{folder}/b", more)
    found, receipt = update(fitted(old), new)
    assert found.dataset.catalogue.tokens.ids == (
        "query:blue",
        "query:red",
        "query:shoes",
        "topic:jazz",
    )
    assert_same(found, fitted(found.dataset))
    assert receipt.items == 3


def test_repeated_updates_do_not_drift(small):
    model = fitted(some(small, small.events.time < np.quantile(small.events.time, 0.8)))
    rest = some(small, small.events.time >= np.quantile(small.events.time, 0.8))
    for user in np.unique(rest.events.user)[:8]:
        model, _ = update(model, some(rest, rest.events.user == user))
    assert_same(model, fitted(model.dataset))


def test_an_update_after_forgetting_restores_the_user(small):
    name = small.users.ids[9]
    model = fitted(small)
    mine = some(small, small.events.user == 9)
    back, _ = update(without_users(model, [name])[0], mine)
    assert back.recommender.statistics == model.recommender.statistics
    assert (back.recommender.B != model.recommender.B).nnz == 0


def test_what_cannot_be_updated_is_an_error(small):
    model = fitted(small)
    with pytest.raises(ConfigError, match="unknown user 'nobody'"):
        without_users(model, ["nobody"])
    with pytest.raises(DataError, match=r"expected behaviors among buy, .*received gift"):
        update(model, from_columns(["u"], ["x"], "gift", [1_790_000_000]))
    with pytest.raises(DataError, match="expected events with time 'clock', received 'order'"):
        update(model, replace(small, time="order"))


def test_an_update_without_events_changes_nothing(small):
    model = fitted(small)
    found, receipt = update(model, small.with_events(Events.empty()))
    assert receipt.solved == 0
    assert_same(found, model)
