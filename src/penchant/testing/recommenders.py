"""What every recommender must do, whatever it is made of; a subclass names the family."""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from penchant.config import Settings
from penchant.data import synthetic
from penchant.data.dataset import Dataset, Events, Histories
from penchant.data.io.from_columns import from_columns
from penchant.data.item_features import Feature
from penchant.data.vocabulary import Vocabulary
from penchant.models.base import Family, Recommender
from penchant.storage import artifact
from penchant.training.tuning import changed, ladders, lookup
from penchant.types import Ints, Scores

same = np.testing.assert_array_equal


class RecommenderSuite:
    """The contract of ``Recommender`` and ``Family``.

    family    the one under test
    settings  to fit with; None takes the defaults
    personal  whether scores depend on the history at all
    by_user   whether a known user is scored by more than the history
    """

    family: Family
    settings: Settings | None = None
    personal = True
    by_user = False

    def fit(self, data: Dataset, seed: int = 0) -> Recommender:
        return self.family.fitter(data, seed)(self.settings or self.family.settings())

    def test_it_is_a_recommender_of_its_family(self) -> None:
        model = self.fit(board())
        assert isinstance(model, Recommender)
        assert model.name == self.family.name
        assert isinstance(model.settings, self.family.settings)

    def test_each_users_missing_item_comes_first(self) -> None:
        if not self.personal:
            pytest.skip("the same scores for everyone")
        data = board()
        model, right = self.fit(data), missing(data)
        for histories in (of(data), unnamed(of(data))):
            scores = model.score(histories)
            scores[histories.owner, histories.events.item] = -np.inf
            rows = np.arange(len(histories))
            best = scores[rows, right]
            scores[rows, right] = -np.inf
            assert (best > scores.max(axis=1)).all()

    def test_scores_are_float64_finite_or_minus_infinity_and_fresh(self) -> None:
        data = world()
        model = self.fit(data)
        scores = checked(model, data)
        assert (scores > -np.inf).any(axis=1).all()
        before = scores.copy()
        scores[:] = 0
        same(model.score(of(data)), before)

    def test_a_batch_changes_no_bit(self) -> None:
        data = world()
        model, histories = self.fit(data), of(data)
        whole = model.score(histories)
        for size in (1, 3):
            parts = [
                model.score(histories.take(slice(start, start + size)))
                for start in range(0, len(histories), size)
            ]
            same(np.concatenate(parts), whole)
        backwards = np.arange(len(histories))[::-1]
        same(model.score(histories.take(backwards)), whole[backwards])

    def test_nothing_given_is_written_to(self) -> None:
        data = world()
        histories = of(data)
        for array in held(data, histories):
            array.setflags(write=False)
        model = self.fit(data)
        scores = model.score(histories)
        arrays = {name: array.copy() for name, array in model.arrays().items()}
        for array in arrays.values():
            array.setflags(write=False)
        same(self.family.restore(arrays, data, model.settings).score(histories), scores)

    def test_it_survives_its_arrays_and_a_file(self, tmp_path: Path) -> None:
        data = world()
        model = self.fit(data)
        scores = model.score(of(data))
        artifact.save_arrays(tmp_path / "arrays", model.arrays())
        for arrays in (model.arrays(), artifact.load_arrays(tmp_path / "arrays")):
            again = self.family.restore(arrays, data, model.settings)
            assert (again.name, again.settings) == (model.name, model.settings)
            same(again.score(of(data)), scores)
            assert arrays.keys() == again.arrays().keys()

    def test_a_seed_gives_one_result(self) -> None:
        data = world()
        fitter, settings = self.family.fitter(data, 3), self.settings or self.family.settings()
        first, again, other = fitter(settings), fitter(settings), self.fit(data, 3)
        for model in (again, other):
            for name, array in first.arrays().items():
                same(model.arrays()[name], array)
            same(model.score(of(data)), first.score(of(data)))

    def test_an_empty_history_and_an_empty_batch(self) -> None:
        data = world()
        model = self.fit(data)
        for user in (-1, 0):
            empty = Histories(np.array([user]), np.array([0, 0]), Events.empty())
            checked(model, data, empty)
        checked(model, data, of(data).take(slice(0, 0)))

    def test_an_item_unseen_in_training(self) -> None:
        data = world()
        cold = int(data.events.item[0])
        warm = data.with_events(data.events.take(data.events.item != cold))
        checked(self.fit(warm), data)

    def test_a_user_without_a_row(self) -> None:
        data = world()
        model = self.fit(data)
        scores = checked(model, data, unnamed(of(data)))
        if not self.by_user:
            same(scores, model.score(of(data)))

    def test_repeated_items(self) -> None:
        once = board()
        thrice = once.with_events((once.events + once.events + once.events).sorted())
        checked(self.fit(once), thrice)
        checked(self.fit(thrice), thrice)

    def test_one_user_with_one_item(self) -> None:
        data = from_columns(["u"], ["a"], timestamp=[START])
        checked(self.fit(data), data)

    def test_equal_histories_have_equal_scores(self) -> None:
        data = board()
        one = data.events.take(data.events.user == 0)
        holdout_model = data.events.take(data.events.user != 2) + replace(one, user=one.user + 2)
        holdout_models = data.with_events(holdout_model.sorted())
        model = self.fit(holdout_models)
        scores = checked(model, holdout_models, unnamed(of(holdout_models)))
        same(scores[0], scores[2])
        same(
            model.score(of(holdout_models).take(np.array([5, 5])))[0],
            model.score(of(holdout_models))[5],
        )

    def test_a_negative_event_is_no_positive_one(self) -> None:
        columns = ["u", "u", "v", "v", "v", "w"], ["a", "b", "a", "b", "bad", "bad"]
        data = from_columns(
            *columns,
            ["buy"] * 4 + ["dislike"] * 2,
            [START + 60 * step for step in range(6)],
            items={"item": ["a", "b", "bad", "untouched"]},
        )
        bad, untouched = data.catalogue.items.rows(["bad", "untouched"])
        scores = checked(self.fit(data), data)
        same(scores[:, bad], scores[:, untouched])
        only = data.with_events(data.events.take(data.events.item == bad))
        checked(self.fit(only), data)

    def test_events_about_tokens(self) -> None:
        data = with_tokens(board())
        checked(self.fit(data), data)

    def test_what_each_event_adds_to_a_score(self) -> None:
        data = world()
        model, history = self.fit(data), of(data).take(np.array([0]))
        items = np.arange(3)
        parts = model.contributions(history, items)
        assert parts.shape == (len(history.events), len(items))
        assert np.isfinite(parts).all()
        if not self.personal:
            assert not parts.any()

    def test_the_ladders_climb_through_real_settings(self) -> None:
        data, default = synthetic.world(30, 120, seed=1).dataset(), self.family.settings()
        rows = np.ones((len(data.catalogue), 1), np.float32)
        features = {"noise": Feature(rows, rows[0], rows[:1], "noise")}
        attributes = Vocabulary(("plan=free",))
        catalogue = replace(data.catalogue, features=features, attributes=attributes)
        data = replace(data, catalogue=catalogue, relations=np.array([[0, 1]]))
        found = dict(ladders(self.family, data))
        asked = self.family.space.keys() - {"cross_domain_weight"}  # one domain after another
        assert len(found) >= len(asked)
        for name, ladder in found.items():
            assert list(ladder) == sorted(set(ladder))
            assert ladder[0] <= lookup(default, name, self.family, data) <= ladder[-1]
            for value in ladder:
                settings = changed(default, {name: value})
                assert lookup(settings, name, self.family, data) == value
        changed(default, self.family.cheap)


START = 1_700_000_000


def board() -> Dataset:
    """The planted checkerboard, on a clock."""
    return replace(synthetic.checkerboard(), time="clock")


def missing(data: Dataset) -> Ints:
    """The item that each user of the checkerboard leaves out, (U,)."""
    user = np.arange(len(data.users))
    return user % 2 + 2 * ((user // 2) % (len(data.catalogue) // 2))


def world() -> Dataset:
    """A small world of six behaviors, one of them negative."""
    return synthetic.world(40, 120, seed=2).dataset()


def with_tokens(data: Dataset) -> Dataset:
    """The dataset with a search of every user after their events."""
    users = np.arange(len(data.users))
    zero = np.zeros(len(users), np.int64)
    last = zero + data.events.time.max() + 1
    row = len(data.events) + users
    searches = Events(users, zero - 1, zero, zero, zero, last, np.full(len(users), np.nan), row)
    catalogue = replace(data.catalogue, tokens=Vocabulary(("query:red",)))
    return replace(data, catalogue=catalogue, events=(data.events + searches).sorted())


def of(data: Dataset) -> Histories:
    """The histories of all users."""
    return data.events.histories(np.arange(len(data.users)))


def unnamed(histories: Histories) -> Histories:
    """The same histories of users that are not known."""
    return replace(histories, users=np.full(len(histories), -1))


def checked(model: Recommender, data: Dataset, histories: Histories | None = None) -> Scores:
    """Scores of the right shape and kind for some histories, or for those of all users."""
    histories = of(data) if histories is None else histories
    scores = model.score(histories)
    assert scores.dtype == np.float64
    assert scores.shape == (len(histories), len(data.catalogue))
    assert not np.isnan(scores).any()
    assert (scores < np.inf).all()
    return scores


def held(data: Dataset, histories: Histories) -> Iterator[NDArray[Any]]:
    """Every array that a fit or a score is given."""
    for part in (data, data.catalogue, data.events, histories, histories.events):
        for field in fields(part):
            value = getattr(part, field.name)
            if isinstance(value, np.ndarray):
                yield value
