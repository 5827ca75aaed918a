"""The closed-form expert: sums exact in any order, a solve that equals the dense one, scores."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from penchant.config import Recipe, TransitionSettings
from penchant.data import synthetic
from penchant.data.dataset import Behavior
from penchant.data.io.from_columns import from_columns
from penchant.data.splitting.split import split
from penchant.errors import ConfigError, DataError
from penchant.features.kernels import Content, tag_rows, unit_rows
from penchant.models.topk import top_k
from penchant.models.transition.recommender import TRANSITION, Transition, TransitionFitter
from penchant.models.transition.solver import solve, system
from penchant.models.transition.statistics import Predictors, Statistics, statistics
from penchant.recommendation.explain import explain
from penchant.testing.recommenders import RecommenderSuite
from penchant.training.fit import fit
from penchant.training.tuning import changed
from penchant.training.update import update, without_users

SETTINGS = TransitionSettings(candidates=50)


@pytest.fixture(scope="module")
def data():
    return synthetic.world(150, 120, seed=4).dataset()


def summed(data, settings=SETTINGS, events=None, target=None):
    events = data.events if events is None else events
    return statistics(events, data.catalogue, settings, data.time, target)


def by_hand(data, settings):
    """The sums row by row, in Python integers, as the design writes them."""
    predictors = Predictors.of(data.catalogue)
    P, N = len(predictors), predictors.items
    names = [behavior.name for behavior in data.catalogue.behaviors]
    strength = [behavior.strength for behavior in data.catalogue.behaviors]
    decay = [settings.decays.get(name, settings.decay) for name in names]
    others = [1.0 if name == data.target else settings.other_behavior_weight for name in names]
    p, target = predictors.rows(data.events), predictors.targets(data.events)
    sides = []
    for backward in (False, True):
        G, C = np.zeros((P, P), object), np.zeros((P, N), object)
        for user in np.unique(data.events.user):
            mine = np.flatnonzero(data.events.user == user)
            mine = mine[::-1] if backward else mine
            for t in range(1, len(mine)):
                kind = data.events.behavior[mine[t]]
                value = int(np.rint(np.rint(strength[kind] * 64) * others[kind]))
                if not target[mine[t]]:
                    continue
                x = {}
                for age in range(1, min(t, settings.window) + 1):
                    e = mine[t - age]
                    kind = data.events.behavior[e]
                    unit = np.rint(strength[kind] * 2**12)
                    weight = int(np.rint(unit * decay[kind] ** (age - 1)))
                    x[p[e]] = x.get(p[e], 0) + weight
                for i, a in x.items():
                    C[i, data.events.item[mine[t]]] += value * a
                    for j, b in x.items():
                        G[i, j] += value * a * b
        sides.append((G.astype(np.int64), C.astype(np.int64)))
    return sides


@pytest.mark.parametrize(
    "changes", [{}, {"other_behavior_weight": 0.3, "decays": {"view": 0.5, "like": 1.0}}]
)
def test_sums_equal_those_of_each_row_by_hand(changes):
    data = synthetic.world(12, 120, seed=1).dataset()
    settings = changed(SETTINGS, {"window": 5, **changes})
    found = summed(data, settings, target=data.target)
    for sums, (G, C) in zip((found.forward, found.backward), by_hand(data, settings), strict=True):
        half = sums.G.toarray()
        assert np.array_equal(half + half.T - np.diag(np.diag(half)), G)
        assert np.array_equal(sums.C.toarray(), C)


def several_domains(seed=0, users=40, items=30, events=600):
    """Events of four domains that have no order in common; some users are in one alone."""
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, users, events), rng.integers(0, items, events)
    user = np.where((user < 10) & (item % 4 > 0), users + user, user)
    return from_columns(
        [f"u{u}" for u in user],
        [f"i{i}" for i in item],
        rng.choice(["view", "buy", "dislike"], events).tolist(),
        rng.integers(1, 50, events).tolist(),
        domain=[f"d{i % 4}" for i in item],
        time="order",
        target="buy",
    )


def test_other_domains_are_sets_beside_the_order_of_ones_own():
    data = several_domains()
    settings = changed(SETTINGS, {"window": 4, "cross_domain_weight": 0.3})
    found = summed(data, settings)
    P, N = found.forward.C.shape
    predictors = Predictors.of(data.catalogue)
    e, p, target = data.events, predictors.rows(data.events), predictors.targets(data.events)
    strength = np.array([b.strength for b in data.catalogue.behaviors])
    G, C = np.zeros((P, P), np.int64), np.zeros((P, N), np.int64)
    for t in np.flatnonzero(target):
        mine = (e.user == e.user[t]) & (np.arange(len(e)) < t) & (e.domain == e.domain[t])
        x = np.zeros(P, np.int64)
        for age, past in enumerate(np.flatnonzero(mine)[::-1][:4]):
            x[p[past]] += int(np.rint(strength[e.behavior[past]] * 2**12 * 0.8**age))
        for past in np.flatnonzero((e.user == e.user[t]) & (e.domain != e.domain[t])):
            x[p[past]] += int(np.rint(strength[e.behavior[past]] * 2**12 * 0.3))
        v = int(strength[e.behavior[t]] * 64)
        G += v * np.outer(x, x)
        C[:, e.item[t]] += v * x
    half = found.forward.G.toarray()
    assert np.array_equal(half + half.T - np.diag(np.diag(half)), G)
    assert np.array_equal(found.forward.C.toarray(), C)
    rng = np.random.default_rng(0)
    total = Statistics.zero(P, N)
    for part in parts_of(data.events, len(data.users), rng, 5):
        total = total + summed(data, settings, part)
    assert total == found


def test_a_score_reads_its_own_domain_in_order_and_the_others_as_sets():
    data = several_domains(1)
    settings = changed(SETTINGS, {"cross_domain_weight": 0.3})
    model = TransitionFitter(data)(settings)
    histories = data.events.histories(np.arange(len(data.users)))
    scores = model.score(histories)
    e, B = histories.events, model.whole.toarray()
    p = model.predictors.rows(e)
    strength = np.array([b.strength for b in data.catalogue.behaviors])[e.behavior]
    for user in range(0, len(histories), 5):
        own = np.flatnonzero(histories.owner == user)
        for item in range(0, len(data.catalogue), 7):
            same = e.domain[own] == data.catalogue.domain[item]
            after = np.array([same[i + 1 :].sum() for i in range(len(own))])
            weight = np.where(same, np.where(after < 20, 0.8**after, 0), 0.3) * strength[own]
            if np.isfinite(scores[user, item]):
                assert scores[user, item] == pytest.approx(weight @ B[p[own], item])
    # an event of another domain may move within its own order: no score of the first can tell
    swapped = replace(e, time=np.where(e.domain == 1, -e.time, e.time))
    again = data.with_events(swapped.sorted()).events.histories(histories.users)
    mine = data.catalogue.domain == 0
    assert np.allclose(model.score(again)[:, mine], scores[:, mine])
    assert not np.allclose(model.score(again)[:, ~mine], scores[:, ~mine])


def parts_of(events, users, rng, count):
    owner = rng.integers(0, count, users)
    return [events.take(owner[events.user] == part) for part in range(count)]


def test_any_partition_by_user_in_any_order_gives_the_same_bits(data):
    whole = summed(data)
    shape = whole.forward.C.shape
    for seed in range(10):
        rng = np.random.default_rng(seed)
        parts = [summed(data, events=e) for e in parts_of(data.events, len(data.users), rng, 4)]
        total = Statistics.zero(*shape)
        for part in rng.permutation(len(parts)):
            total = total + parts[part]
        assert total == whole
        for part in rng.permutation(len(parts)):
            total = total - parts[part]
        assert total == Statistics.zero(*shape)


def test_no_size_of_block_and_no_way_of_summing_changes_a_bit(data, monkeypatch):
    first = summed(data)
    for block, cells, exact in ((37, 1 << 22, 2.0**53), (1, 1 << 22, 0.0), (5000, 0, 2.0**53)):
        monkeypatch.setattr("penchant.models.transition.statistics._BLOCK", block)
        monkeypatch.setattr("penchant.models.transition.exact_sums.CELLS", cells)
        monkeypatch.setattr(
            "penchant.models.transition.exact_sums.EXACT", exact
        )  # 0: float64 takes no part
        assert summed(data) == first


def test_three_equal_events_count_three_times():
    once = from_columns(["u"] * 2, ["a", "b"], timestamp=[1, 4])
    thrice = from_columns(["u"] * 4, ["a", "a", "a", "b"], timestamp=[1, 2, 3, 4])
    settings = TransitionSettings(decay=1.0)
    C = [summed(d, settings).forward.C.toarray() for d in (once, thrice)]
    assert C[1][0, 1] == 3 * C[0][0, 1]


def test_negative_events_are_tokens_of_their_own_and_never_targets():
    data = from_columns(
        ["u"] * 3, ["a", "b", "c"], ["like", "dislike", "like"], timestamp=[1, 2, 3]
    )
    C = summed(data).forward.C
    a, b, c = range(3)
    assert C[:, [b]].nnz == 0
    assert C[a, c] > 0
    assert C[b, c] == 0
    assert C[3 + b, c] > 0


def test_a_target_behavior_alone_is_counted_where_asked(data):
    buys = summed(data, target="buy")
    bought = data.events.item[data.events.behavior == data.catalogue.behavior("buy")]
    assert set(np.unique(buys.forward.C.tocoo().col)) <= set(bought)
    with pytest.raises(ConfigError, match="unknown behavior 'veiw': expected one of buy, cart"):
        summed(data, target="veiw")


def test_weights_beyond_the_exact_range_are_refused():
    with pytest.raises(DataError, match="expected a strength from 0 to 64, received 1000000000"):
        Behavior("view", 1e9)
    with pytest.raises(ValueError, match="less than or equal to 64"):
        TransitionSettings(behavior_weights={"view": 1e9})


def dense_reference(statistics, contents, settings, events):
    """(G + ridge I)^-1 C over all predictors, with the whole kernels: what the solve restricts."""
    G = statistics.gram(settings.reverse).toarray() + settings.ridge * np.eye(
        statistics.forward.C.shape[0]
    )
    C = statistics.cross(settings.reverse).toarray()
    N = C.shape[1]
    kernel = np.zeros((N, N))
    for name, content in contents.items():
        kernel += content.products(np.arange(N)).astype(float) * settings.content_weights[name]
    columns = []
    for item in range(N):
        more = 1 + settings.cold / (1 + events[item]) ** 2
        left, right = G.copy(), C[:, item].copy()
        left[:N, :N] += more * kernel
        right[:N] += more * np.where(np.arange(N) == item, 0, kernel[:, item])
        columns.append(np.linalg.solve(left, right))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("cold", [0.0, 20.0])
def test_with_all_candidates_the_solve_is_the_dense_one(data, cold):
    settings = TransitionSettings(neighbors=1000, cold=cold)
    fitter = TransitionFitter(data)
    sums, contents = fitter.statistics(settings), fitter.content(settings)
    both = system(sums, contents, settings, data.event_counts)
    P, N = both.right.shape
    everything = replace(both, right=sparse.csc_array(np.ones((P, N))))
    B = solve(everything, P).toarray()
    assert np.allclose(B, dense_reference(sums, contents, settings, data.event_counts), atol=1e-4)


def test_each_column_is_the_ridge_regression_on_its_candidates(data):
    settings = TransitionSettings(content_weights={})
    sums = TransitionFitter(data).statistics(settings)
    both = system(sums, {}, settings, data.event_counts)
    B, A, C = solve(both, 30).toarray(), both.left.toarray().astype(float), both.cross.toarray()
    for j in range(0, len(data.catalogue), 7):
        rows = np.lexsort((np.arange(len(C)), -C[:, j]))[:30]
        rows = np.sort(rows[C[rows, j] > 0])
        x = np.linalg.solve(A[np.ix_(rows, rows)], C[rows, j])
        assert np.allclose(B[rows, j], x, atol=1e-6)
        assert np.count_nonzero(B[:, j]) <= 30


def test_columns_do_not_depend_on_threads_or_company(data):
    fitter = TransitionFitter(data)
    both = system(
        fitter.statistics(SETTINGS), fitter.content(SETTINGS), SETTINGS, data.event_counts
    )
    whole = solve(both, 50, threads=1)
    again = solve(both, 50, threads=2)
    assert (whole != again).nnz == 0
    rng = np.random.default_rng(0)
    for _ in range(3):
        some = np.sort(rng.choice(len(data.catalogue), 17, replace=False))
        alone = solve(both, 50, some)
        assert (alone[:, some] != whole[:, some]).nnz == 0
        assert alone.nnz == whole[:, some].nnz


def test_the_same_top_ten_with_one_thread_and_two(data):
    histories = data.events.histories(np.arange(len(data.users)))
    lists = []
    for threads in (1, 2):
        fitter = TransitionFitter(data)
        sums = fitter.statistics(SETTINGS)
        B = solve(
            system(sums, fitter.content(SETTINGS), SETTINGS, data.event_counts), 50, threads=threads
        )
        model = Transition.of(B, data, SETTINGS, sums)
        lists.append(top_k(model.score(histories), 10).items)
    assert np.array_equal(*lists)


def test_an_item_without_events_is_scored_by_its_content(data):
    cold = 17
    warm = data.with_events(data.events.take(data.events.item != cold))
    model = TransitionFitter(warm)(SETTINGS)
    assert model.scored[cold]
    tags = data.catalogue.tags
    others = [i for i in range(len(tags)) if i != cold and set(tags[i]) == set(tags[cold])]
    reached = model.B.toarray()[: len(tags), cold]
    assert reached[others].mean() > reached.mean()
    without = TransitionFitter(warm)(SETTINGS.model_copy(update={"content_weights": {"tags": 0.0}}))
    assert not without.scored[cold]
    history = warm.events.histories(np.array([0]))
    assert without.score(history)[0, cold] == -np.inf


def test_content_products_have_the_same_bits_in_any_block(data):
    rows = unit_rows(tag_rows(data.catalogue.tags))
    content = Content.of(tag_rows(data.catalogue.tags), 20)
    whole = (rows @ rows.T).toarray()
    some = np.array([3, 50, 51, 90])
    for items in (some, some[:1], np.arange(len(whole))[::-1]):  # few columns, many, all
        assert np.array_equal(content.products(items), whole[np.ix_(items, items)])
    dense = Content.of(np.random.default_rng(0).standard_normal((200, 64)), 20)
    assert np.array_equal(
        dense.products(some % 200), dense.products(np.arange(200))[np.ix_(some, some)]
    )


def test_nearest_equals_a_whole_sort(data):
    rows = tag_rows(data.catalogue.tags)
    near = Content.of(rows, 7).near.toarray()
    F = unit_rows(rows).toarray()
    product = F @ F.T
    np.fill_diagonal(product, 0)
    kept = np.zeros_like(product, bool)
    for i, row in enumerate(product):
        best = np.lexsort((np.arange(len(row)), -row))[:7]
        kept[i, best[row[best] > 0]] = True
    assert np.array_equal(near, np.where(kept | kept.T, product, 0))


def test_without_order_a_history_is_a_set_as_in_ease():
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 30, 300), rng.integers(0, 12, 300)
    pairs = np.unique(users * 12 + items)
    data = from_columns(
        [f"u{u:02d}" for u in pairs // 12], [f"i{i:02d}" for i in pairs % 12], time="none"
    )
    settings = TransitionSettings(ridge=3.0, candidates=100, reverse=0.0)
    B = TransitionFitter(data)(settings).B.toarray()
    X = np.zeros((30, 12))
    X[pairs // 12, pairs % 12] = 1
    # one column: the ridge regression of an item on the other items, EASE without its scaling
    G = X.T @ X
    for j in range(12):
        others = np.array([i for i in range(12) if i != j])
        x = np.linalg.solve(G[np.ix_(others, others)] + 3.0 * np.eye(11), G[others, j])
        assert np.allclose(B[others, j], x, atol=1e-5)


def test_ages_decay_and_end_with_the_window():
    data = from_columns(["u"] * 6, list("abcdef"), timestamp=[1, 2, 3, 4, 5, 6])
    settings = TransitionSettings(decay=0.5, window=3)
    model = TransitionFitter(data)(settings)
    weights = model.weights(data.history("u"))
    assert weights.tolist() == [0, 0, 0, 0.25, 0.5, 1]


@pytest.mark.parametrize(
    ("user", "item"),
    [(["u"], ["a"]), (["u", "u"], ["a", "a"]), (["u", "v"], ["a", "a"]), (["u"] * 50, ["a"] * 50)],
)
def test_the_smallest_data_have_finite_scores(user, item):
    data = from_columns(user, item, timestamp=list(range(len(user))))
    model = TransitionFitter(data)(TransitionSettings())
    scores = model.score(data.history("u"))
    assert scores.shape == (1, len(data.catalogue))
    assert not np.isnan(scores).any()
    assert (scores < np.inf).all()


def test_a_split_of_the_planted_world_is_learned(data):
    parts = split(data)
    model = TransitionFitter(data.with_events(parts.train))(SETTINGS)
    scores = model.score(parts.test.histories)
    assert sparse.issparse(model.B)
    assert np.isfinite(scores).all()


class TestTransition(RecommenderSuite):
    """The expert keeps the contract of every recommender."""

    family = TRANSITION


def test_several_orders_are_updated_forgotten_and_explained_exactly():
    data = several_domains(2, users=60, events=1500)
    model = fit(data, Recipe.load(overrides=["search.budget=3"]), model="transition")
    gone = data.users.ids[3]
    less, _ = without_users(model, [gone])
    fresh = TransitionFitter(less.dataset)(model.settings)
    assert less.recommender.statistics == fresh.statistics
    histories = less.dataset.events.histories(np.arange(20))
    assert np.array_equal(less.recommender.score(histories), fresh.score(histories))
    back = several_domains(2, users=60, events=1500)
    again, _ = update(less, back.with_events(back.events.take(back.events.user == 3)))
    assert again.recommender.statistics == model.recommender.statistics
    for item in model.dataset.catalogue.items.ids[:6]:
        found = explain(model, item, user=data.users.ids[20])
        assert abs(found.residue) < 1e-9
        assert found.reasons
