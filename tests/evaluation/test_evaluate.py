"""Evaluation: the whole matrix never exists, and no size of block changes a bit."""

import threading
from dataclasses import dataclass

import numpy as np
import pytest

from penchant.data import synthetic
from penchant.data.dataset import Behavior, Catalogue, Events, Histories
from penchant.data.splitting.cases import Cases
from penchant.data.splitting.split import split
from penchant.data.vocabulary import Vocabulary
from penchant.evaluation.evaluate import evaluate
from penchant.models.topk import top_k
from penchant.models.transition.recommender import TransitionFitter, TransitionSettings
from penchant.training.benchmark import Peak, resident


@dataclass(frozen=True)
class Given:
    """Scores from a table: row ``users[b]`` for history b."""

    table: np.ndarray
    name: str = "given"

    def score(self, histories):
        return self.table[histories.users].astype(float)


def catalogue(items, domains=None):
    width = len(str(items))
    names = tuple(f"i{i:0{width}d}" for i in range(items))
    domain = np.zeros(items, np.int64) if domains is None else domains
    return Catalogue(Vocabulary(names), (Behavior("buy"),), ("a", "b"), domain)


def cases(seen, truth, domain=-1):
    """One case a user: lists of seen items and of right ones."""
    owner = np.repeat(np.arange(len(seen)), [len(items) for items in seen])
    item = np.array([i for items in seen for i in items], np.int64)
    none = np.full(len(item), -1)
    zero = np.zeros(len(item), np.int64)
    events = Events(owner, item, none, zero, zero, zero, none + np.nan, np.arange(len(item)))
    indptr = np.concatenate([[0], np.cumsum([len(items) for items in truth])])
    return Cases(
        events.histories(np.arange(len(seen))),
        indptr,
        np.array([i for items in truth for i in items], np.int64),
        np.zeros(len(seen), np.int64),
        np.full(len(seen), domain),
    )


def test_seen_items_are_left_out():
    table = np.array([[5.0, 4.0, 3.0, 2.0]])
    asked = cases([[0, 1]], [[2]])
    assert evaluate(Given(table), catalogue(4), asked).cases["mrr@10"].tolist() == [1.0]
    again = evaluate(Given(table), catalogue(4), asked, repeats=True)
    assert again.cases["mrr@10"].tolist() == [1 / 3]


def test_constant_scores_give_chance_level():
    rng = np.random.default_rng(0)
    asked = cases([[] for _ in range(3000)], [[i] for i in rng.integers(0, 40, 3000)])
    found = evaluate(Given(np.ones((3000, 40))), catalogue(40), asked)
    assert found.mean("auc") == 0.5
    assert found.mean("accuracy") == 0.5
    assert found.mean("recall@10") == 0.0  # the rank of each is 20.5


def test_an_item_without_a_score_is_no_hit_and_a_user_without_a_list_counts_as_zero():
    table = np.array([[1.0, -np.inf, 0.5], [-np.inf] * 3])
    found = evaluate(Given(table), catalogue(3), cases([[], []], [[1], [0]]))
    for name in ("recall@10", "ndcg@10", "precision@10"):
        assert found.cases[name].tolist() == [0.0, 0.0]
    assert found.lists[1].tolist() == [-1] * 10


def test_a_list_that_repeats_never_exceeds_one():
    table = np.array([[1.0, 1.0, 0.0]])
    found = evaluate(Given(table), catalogue(3), cases([[]], [[0, 1, 0]]))
    for name, values in found.cases.items():
        assert (values <= 1).all() or name.startswith("novelty"), name
    assert found.cases["recall@10"].tolist() == [1.0]


def test_a_case_of_a_domain_ranks_the_items_of_that_domain():
    domains = np.array([0, 1, 0, 1])
    table = np.array([[4.0, 3.0, 2.0, 1.0]])
    found = evaluate(Given(table), catalogue(4, domains), cases([[]], [[3]], domain=1))
    assert found.cases["mrr@10"].tolist() == [1 / 2]
    assert found.lists[0, :3].tolist() == [1, 3, -1]


def test_no_size_of_block_and_no_number_of_threads_changes_a_bit():
    data = synthetic.world(200, 120, seed=5).dataset()
    parts = split(data)
    model = TransitionFitter(data.with_events(parts.train))(TransitionSettings(candidates=40))
    whole = evaluate(model, data.catalogue, parts.test)
    for block, threads in ((1, 2), (7, 1), (50, 2), (10_000, 1)):
        found = evaluate(model, data.catalogue, parts.test, block=block, threads=threads)
        assert np.array_equal(found.lists, whole.lists)
        assert found.metrics == whole.metrics or all(
            np.array_equal(found.cases[name], whole.cases[name], equal_nan=True)
            for name in whole.cases
        )


def test_the_order_of_the_cases_changes_no_value():
    data = synthetic.world(150, 120, seed=6).dataset()
    parts = split(data)
    assert len(np.unique(parts.test.histories.lengths)) > 3
    model = TransitionFitter(data.with_events(parts.train))(TransitionSettings(candidates=40))
    order = np.random.default_rng(0).permutation(len(parts.test.histories))
    whole = evaluate(model, data.catalogue, parts.test, block=7)
    found = evaluate(model, data.catalogue, parts.test.take(order), block=11)
    assert np.array_equal(found.lists, whole.lists[order])
    assert np.array_equal(found.users, whole.users[order])
    for name in set(whole.cases) - {"accuracy"}:  # whose pairs are drawn by place
        assert np.array_equal(found.cases[name], whole.cases[name][order], equal_nan=True), name


def test_ranks_alone_are_the_same_without_lists():
    table = np.random.default_rng(3).random((40, 60))
    asked = cases([[u % 7] for u in range(40)], [[8 + u % 9, 30] for u in range(40)])
    whole = evaluate(Given(table), catalogue(60), asked)
    found = evaluate(Given(table), catalogue(60), asked, listed=False)
    assert found.lists.shape == (40, 0)
    assert not found.whole
    assert set(whole.cases) - set(found.cases) == {"auc"}
    assert {"ndcg@10", "recall@10", "accuracy"} <= set(found.cases)
    for name, values in found.cases.items():
        assert np.array_equal(values, whole.cases[name]), name


def test_torch_has_its_threads_again_after_an_evaluation():
    torch = pytest.importorskip("torch", reason="the extra deep is not installed")
    data = synthetic.world(150, 120, seed=6).dataset()
    parts = split(data)
    told = []

    class Telling(Given):
        def score(self, histories):
            told.append(torch.get_num_threads())
            return super().score(histories)

    table = np.random.default_rng(0).random((len(data.users), len(data.catalogue)))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        threads = torch.__config__.parallel_info()  # of OpenMP, and of the BLAS within torch
        evaluate(Telling(table), data.catalogue, parts.test, block=20, threads=2)
        assert torch.get_num_threads() == 3
        assert torch.__config__.parallel_info() == threads
        assert set(told) == {1}
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Hashed:
    """Scores of 5,000 items that depend on the user's number alone, made when asked for."""

    items: int
    name: str = "hashed"

    def score(self, histories):
        column = np.arange(self.items, dtype=np.uint64)
        mixed = (histories.users[:, None].astype(np.uint64) * 2654435761 + column * 40503) % 65521
        return mixed.astype(float)


@pytest.mark.parametrize("users", [30_000, pytest.param(500_000, marks=pytest.mark.slow)])
def test_many_users_are_ranked_in_blocks(users):
    items, few = 5_000, 2_000
    rng = np.random.default_rng(0)
    none = np.zeros(0, np.int64)
    empty = Events(none, none, none, none, none, none, np.zeros(0), none)
    histories = Histories(np.arange(users), np.zeros(users + 1, np.int64), empty)
    truth = rng.integers(0, items, users)
    minus = np.full(users, -1)
    asked = Cases(histories, np.arange(users + 1), truth, minus + 1, minus)
    model, goods = Hashed(items), catalogue(items)
    before = resident()
    with Peak() as peak:
        whole = evaluate(model, goods, asked)
    assert peak.megabytes - before < 1000
    part = Cases(
        histories.take(slice(0, few)), np.arange(few + 1), truth[:few], minus[:few] + 1, minus[:few]
    )
    small = evaluate(model, goods, part, block=13)
    assert np.array_equal(whole.cases["auc"][:few], small.cases["auc"])
    assert np.array_equal(whole.lists[:few], small.lists)


def test_several_cases_of_one_user_are_drawn_together():
    table = np.eye(3)
    asked = cases([[], [], []], [[0], [1], [2]])
    same = Cases(
        Histories(np.array([0, 0, 2]), asked.histories.indptr, asked.histories.events),
        *(asked.indptr, asked.truth, asked.behavior, asked.domain),
    )
    found = evaluate(Given(table), catalogue(3), same)
    assert found.clusters is not None
    assert evaluate(Given(table), catalogue(3), asked).clusters is None


def test_paired_differences_know_their_sign():
    asked = cases([[] for _ in range(60)], [[0]] * 60)
    good = evaluate(Given(np.tile([2.0, 1.0], (60, 1))), catalogue(2), asked)
    bad = evaluate(Given(np.tile([1.0, 2.0], (60, 1))), catalogue(2), asked)
    difference = good.minus(bad, "mrr@10")
    assert (difference.value, difference.low, difference.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("rows", "items", "k"), [(5, 40, 10), (3, 9, 20), (2, 1, 1), (4, 700, 3)])
def test_top_equals_a_stable_sort(rows, items, k, ties):
    rng = np.random.default_rng(rows * items)
    scores = rng.integers(0, 3, (rows, items)).astype(float) if ties else rng.random((rows, items))
    scores[rng.random(scores.shape) < 0.3] = -np.inf
    found = top_k(scores, k)
    for row in range(rows):
        order = np.argsort(-scores[row], kind="stable")[:k]
        order = order[scores[row, order] > -np.inf]
        assert found.items[row, : len(order)].tolist() == order.tolist()
        assert (found.items[row, len(order) :] == -1).all()
        assert found.scores[row, : len(order)].tolist() == scores[row, order].tolist()


def test_constant_rows_are_listed_fast_and_in_order():
    found = top_k(np.zeros((64, 20_000)), 10)
    assert (found.items == np.arange(10)).all()


def test_progress_reaches_the_total():
    told, lock = [], threading.Lock()

    def progress(done, total):
        with lock:
            told.append((done, total))

    asked = cases([[] for _ in range(50)], [[0]] * 50)
    evaluate(Given(np.ones((50, 2))), catalogue(2), asked, block=9, progress=progress)
    assert max(told) == (50, 50)
