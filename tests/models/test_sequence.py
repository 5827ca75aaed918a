"""The deep expert: windows, losses, training that resumes bit for bit, scores that make sense."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is not installed; it is the extra deep")

from penchant.config import InterestSettings, Recipe, SequenceSettings, TransitionSettings  # noqa: E402
from penchant.data import synthetic  # noqa: E402
from penchant.data.ingest import ingest  # noqa: E402
from penchant.data.io.from_columns import from_columns  # noqa: E402
from penchant.data.io.load import load  # noqa: E402
from penchant.data.readers.column_mapping import DataMapping  # noqa: E402
from penchant.data.splitting.split import split  # noqa: E402
from penchant.errors import ConfigError, TrainingError  # noqa: E402
from penchant.evaluation.evaluate import evaluate  # noqa: E402
from penchant.models.sequence import SEQUENCE  # noqa: E402
from penchant.models.sequence.batches import batches, windows  # noqa: E402
from penchant.models.sequence.event_order import training_histories  # noqa: E402
from penchant.models.sequence.losses import draw_negatives, excluded_negatives, sampled_softmax  # noqa: E402
from penchant.models.sequence.network import Dropout, ItemTable, Network, Shape  # noqa: E402
from penchant.models.sequence.recommender import SequenceFitter, build_network, training_data  # noqa: E402
from penchant.models.sequence.sparse_adamw import SparseAdamW  # noqa: E402
from penchant.models.sequence.training import Trainer  # noqa: E402
from penchant.models.transition.recommender import TRANSITION  # noqa: E402
from penchant.training.vector_diagnostics import agreement, judge_vectors  # noqa: E402

SMALL = SequenceSettings(
    embedding_size=16, layers=1, heads=2, max_length=12, epochs=4, negatives=32, batch_size=512
)


@pytest.fixture(scope="module")
def data():
    return synthetic.world(150, 120, seed=3).dataset()


@pytest.fixture(scope="module")
def model(data):
    return SequenceFitter(data, 0)(SMALL)


def histories(data, users=None):
    users = np.arange(len(data.users)) if users is None else np.array(users)
    return data.events.histories(users)


@pytest.mark.parametrize("length", [2, 5, 50])
def test_windows_cover_each_target_once(length):
    rng = np.random.default_rng(0)
    indptr = np.concatenate([[0], np.cumsum(rng.integers(0, 40, 30))])
    starts, sizes = windows(indptr, length, rng)
    assert (sizes <= length).all()
    covered = np.concatenate(
        [np.arange(s + 1, s + n + 1) for s, n in zip(starts, sizes, strict=True)]
    )
    expected = np.concatenate([np.arange(a + 1, b) for a, b in pairwise(indptr) if b - a > 1])
    assert np.array_equal(np.sort(covered), expected)
    seen = sorted(int(s) for part, _ in batches(starts, sizes, 64, rng) for s in part)
    assert seen == sorted(starts.tolist())


def test_the_sampled_loss_estimates_the_whole_softmax():
    generator = torch.Generator().manual_seed(0)
    N, T = 50, 4
    logits = torch.randn(T, N, generator=generator)
    right = torch.tensor([3, 7, 7, 20])
    share = torch.rand(N, generator=generator)
    share = share / share.sum()
    exact = -torch.log_softmax(logits, 1)[torch.arange(T), right]
    pool = torch.multinomial(share, 20000, replacement=True, generator=generator)
    drawn, expected = draw_negatives(pool, N, 200_000, share, generator)
    none = (right[:, None] == drawn).flatten().nonzero()[:, 0]
    found = sampled_softmax(logits[torch.arange(T), right], logits[:, drawn], expected, none)
    assert torch.allclose(found, exact, atol=0.03)


def test_the_loss_has_the_gradient_of_its_formula():
    generator = torch.Generator().manual_seed(1)
    draw = {"generator": generator, "dtype": torch.float64, "requires_grad": True}
    positive, negative = torch.randn(3, **draw), torch.randn(3, 5, **draw)
    expected = torch.rand(5, generator=generator, dtype=torch.float64)
    hit = torch.tensor([[1, 0, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)
    places = hit.flatten().nonzero()[:, 0]
    rest = expected, torch.cat([places, places[:1]])  # a place may be named twice

    def formula(positive, negative):
        others = (negative - expected).exp().masked_fill(hit, 0).sum(1)
        return torch.log(positive.exp() + others) - positive

    ours = sampled_softmax(positive, negative + 0, *rest)  # it overwrites what it is given
    theirs = formula(positive, negative)
    assert torch.allclose(ours, theirs)
    upstream = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    for one, other in zip(
        torch.autograd.grad(ours, (positive, negative), upstream),
        torch.autograd.grad(theirs, (positive, negative), upstream),
        strict=True,
    ):
        assert torch.allclose(one, other)
        assert one.abs().max() > 0.1


@pytest.mark.parametrize("negatives", [0, 64])
@pytest.mark.parametrize("repeats", [False, True])
def test_what_is_no_negative_for_a_target(data, negatives, repeats):
    """The target itself; what its history holds where lists may not hold it; never a token."""
    settings = SMALL.model_copy(update={"negatives": negatives, "repeats": repeats})
    training = training_data(data, settings)
    network, _ = build_network(data, settings, data.event_counts > 0)
    trainer = Trainer(network, training, settings, 0)
    held = 0
    for starts, size in trainer._batches():
        part = trainer._part(starts, size, torch.Generator().manual_seed(size))
        if part is None:
            continue
        events = starts[:, None] + np.arange(size)
        window, place = np.nonzero(training.weight[events + 1] > 0)
        drawn = part.pool[part.drawn].numpy()
        right = part.pool[part.right].numpy()
        none = [{item} for item in right]
        if not repeats:
            places = zip(window, place, none, strict=True)
            none = [own | set(training.inputs.thing[events[w, : p + 1]]) for w, p, own in places]
        expected = [[item in some for item in drawn] for some in none]
        found = np.zeros((len(right), len(drawn)), bool)
        found.ravel()[part.excluded.numpy()] = True
        assert np.array_equal(found, expected)
        held += (found & (right[:, None] != drawn)).sum()
    assert (held > 0) != repeats


@given(draws=st.data())
def test_struck_places_are_those_of_the_definition(draws):
    """Any windows, targets and negatives, with items and tokens that were not drawn."""
    B, L, S = (draws.draw(st.integers(1, most)) for most in (3, 5, 6))
    rng = np.random.default_rng(draws.draw(st.integers(0, 2**32 - 1)))
    thing, drawn = rng.integers(0, 9, (B, L)), rng.integers(0, 7, S)
    wanted = rng.random((B, L)) < 0.6
    wanted.flat[0] = True
    right = rng.integers(0, 7, wanted.sum())
    for held in (False, True):
        expected = right[:, None] == drawn
        for row, (window, place) in enumerate(np.argwhere(wanted)):
            expected[row] |= held & np.isin(drawn, thing[window, : place + 1])
        found = excluded_negatives(thing, wanted, right, drawn, held)
        assert set(found) == set(np.flatnonzero(expected))


def test_held_items_are_negatives_unless_the_targets_are_mostly_such_items(data):
    """Shops: nearly every purchase is of what was looked at before, and no list shows that."""
    users = [f"u{place % 20}" for place in range(400)]
    items = [f"i{place * 7 % 120}" for place in range(400)]

    def made(bought):
        """Events that are views, and purchases of what some of them saw."""
        behaviors = ["view"] * 400 + ["buy"] * (bought + 9)
        columns = {
            "user": users + users[:bought] + users[-9:],
            "item": items + items[:bought] + ["new"] * 9,
            "behavior": behaviors,
            "timestamp": list(range(len(behaviors))),
        }
        return from_columns(**columns, target="buy")

    def told(bought, repeats=None):
        settings = SMALL.model_copy(update={"repeats": repeats, "epochs": 1})
        notes = []
        SequenceFitter(made(bought), 0)(settings, progress=notes.append)
        found = training_data(made(bought), settings).repeats
        assert any("are no negatives" in line for line in notes) is (repeats is None and not found)
        return found

    assert training_data(data, SMALL).repeats
    assert told(8)
    assert told(9)
    assert not told(10)
    assert not told(200)
    assert told(200, repeats=True)
    assert not told(8, repeats=False)


def test_recipes_whose_lists_hold_repeats_learn_them_as_negatives():
    assert Recipe.model_validate({"repeats": True}).sequence.repeats
    assert Recipe.load(overrides=["repeats=true", "sequence.embedding_size=8"]).sequence.repeats
    assert Recipe.model_validate({"sequence": {"repeats": True}}).sequence.repeats
    assert (
        Recipe.load(overrides=["repeats=true", "sequence.repeats=false"]).sequence.repeats is False
    )
    assert Recipe().sequence.repeats is None
    with pytest.raises(ConfigError, match="repeats"):
        Recipe.load(overrides=["repeats=7"])


def test_rows_read_now_and_then_move_as_in_dense_adam():
    rng = np.random.default_rng(0)
    start = torch.from_numpy(rng.standard_normal((40, 3)))
    dense = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW([dense], lr=0.01, betas=(0.9, 0.98), weight_decay=0.1)
    table = start.clone()
    rows = SparseAdamW([table], [0.1])
    for _ in range(200):
        read = torch.from_numpy(rng.choice(40, 6, replace=False))
        gradient = torch.from_numpy(rng.standard_normal((6, 3)))
        rows.step(read, rows.read(read), [gradient], 0.01)
        dense.grad = torch.zeros_like(dense)
        dense.grad[read] = gradient
        optimizer.step()
    rows.settle()
    moved = (dense.detach() - start).norm()
    assert moved > 1
    assert (table - dense).norm() < 0.02 * moved  # the first steps' bias correction is not theirs


def test_dropout_keeps_the_mean():
    layer = Dropout(0.3).train()
    x = torch.ones(100, 1000)
    found = layer(x)
    assert abs(float((found == 0).float().mean()) - 0.3) < 0.005
    assert abs(float(found.mean()) - 1) < 0.005
    assert torch.equal(layer.eval()(x), x)


def test_the_past_alone_decides(model, data):
    """The state after an event does not change with what comes later."""
    h = histories(data, [4])
    whole = model.score(h)
    first = h.keep(np.arange(len(h.events)) < len(h.events) - 1)
    longer = model.score(first)
    assert not np.array_equal(whole, longer)
    network = model.network
    fields = [torch.randint(0, 5, (2, 9)) for _ in range(5)]
    for place in (1, 4):
        fields[place] = fields[place] % network.shape.behaviors
    fields[2] = fields[2] % network.shape.domains
    with torch.inference_mode():
        vectors = network.table().vectors
        a = network.read(fields, vectors)
        fields = [f.clone() for f in fields]
        fields[0][:, 6:] += 1
        b = network.read(fields, vectors)
    assert torch.allclose(a[:, :6], b[:, :6], atol=1e-6)
    assert not torch.allclose(a[:, 6:], b[:, 6:], atol=1e-3)


def test_training_resumes_bit_for_bit(data, tmp_path):
    whole = SequenceFitter(data, 5)(SMALL)
    file = tmp_path / "checkpoint"
    settings = SMALL.model_copy(update={"stop": 2})
    SequenceFitter(data, 5)(settings, checkpoint=file)
    again = SequenceFitter(data, 5)(SMALL, checkpoint=file)
    for name, value in whole.arrays().items():
        if name != "curve":
            assert np.array_equal(value, again.arrays()[name]), name
    assert [line.loss for line in whole.curve] == [line.loss for line in again.curve]


def test_a_nan_stops_the_run_and_names_the_batch(data, tmp_path):
    torch.manual_seed(0)
    known = np.ones(len(data.catalogue), bool)
    network, _ = build_network(data, SMALL, known)
    trainer = Trainer(network, training_data(data, SMALL), SMALL, 0)
    file = tmp_path / "checkpoint"

    def poison(text):
        if text.startswith("epoch 2"):
            with torch.no_grad():
                network.last.weight[0] = torch.nan

    with pytest.raises(TrainingError, match=r"received nan .* in epoch 3, batch 1 \(windows of"):
        trainer.run(progress=poison, checkpoint=file)
    assert torch.load(file, weights_only=True)["epoch"] == 2


def test_watching_stops_early_and_keeps_the_best(data):
    values = iter([0.1, 0.3, 0.2, 0.1])
    patient = SMALL.model_copy(update={"epochs": 20, "patience": 2})
    found = SequenceFitter(data, 0)(patient, watch=lambda model: next(values))
    assert found.settings.stop == 2
    assert len(found.curve) == 4
    plain = SequenceFitter(data, 0)(patient.model_copy(update={"stop": 2}))
    for name, value in plain.arrays().items():
        if name != "curve":
            assert np.array_equal(value, found.arrays()[name]), name


def test_an_item_without_events_is_scored_by_its_content(data):
    cold = 17
    warm = data.with_events(data.events.take(data.events.item != cold))
    found = SequenceFitter(warm, 0)(SMALL)
    scores = found.score(histories(warm))
    assert np.isfinite(scores[:, cold]).all()
    bare = replace(warm, catalogue=replace(warm.catalogue, tags=()))
    found = SequenceFitter(bare, 0)(SMALL)
    assert (found.score(histories(bare))[:, cold] == -np.inf).all()


@pytest.mark.parametrize(
    ("interests", "facets", "precision"),
    [(1, 1, "float32"), (3, 1, "float32"), (2, 2, "float32"), (1, 1, "bfloat16")],
)
def test_it_learns_the_planted_world(interests, facets, precision):
    data = synthetic.world(400, 120, seed=3).dataset()
    parts = split(data)
    train = data.with_events(parts.train)
    settings = SequenceSettings(
        *(), embedding_size=32, layers=1, max_length=30, epochs=12, negatives=0, batch_size=512,
        learning_rate=3e-3, interests=interests, facets=facets, precision=precision,
    )  # fmt: skip
    found = SequenceFitter(train, 0)(settings)
    value = evaluate(found, data.catalogue, parts.test).mean("recall@10")
    assert value > 0.25  # 10 of 120 by chance: 0.08


@pytest.mark.parametrize("spread", [1.0, 300.0])
def test_the_mixture_is_the_sum_of_logits_weighed_by_a_softmax_of_gates(spread):
    torch.manual_seed(0)
    settings = SequenceSettings(embedding_size=8, interests=3, facets=2)
    network = Network(Shape(9, 0, 1, 1), np.ones(9, bool), {}, settings).eval()
    states, items = torch.randn(5, 8), ItemTable(torch.randn(9, 8), torch.randn(9))
    with torch.no_grad():
        for gate in (network.user_gate, network.item_gate):
            gate.weight.normal_(std=spread)
        z = network.directions(states)
        x = network.facets(items.vectors).view(9, 2, 8)
        x = x / (x.square().sum(-1, keepdim=True) + 0.25).sqrt()
        pairs = torch.einsum("tkd,imd->tikm", z, x).flatten(2)
        gates = network.user_gate(states)[:, None] + network.item_gate(items.vectors)
        expected = (pairs * gates.softmax(-1)).sum(-1) + items.bias
        found = network.logits(states, items)
        assert torch.isfinite(found).all()
        own, share = network.each(states, items)
        assert torch.allclose((own * share).sum(1), found, atol=1e-4)
        assert torch.allclose(
            network.pair_logits(states, items.take(torch.arange(5))),
            found[:, :5].diagonal(),
            atol=1e-4,
        )
        if spread == 1:
            assert torch.allclose(found, expected, atol=1e-4)


def test_arrays_restore_the_same_scores(model, data):
    again = SEQUENCE.restore(model.arrays(), data, model.settings)
    assert np.array_equal(again.score(histories(data)), model.score(histories(data)))


@pytest.mark.parametrize(("clock", "scale", "length"), [(True, 20.0, 6), (False, 0.0, 50)])
def test_one_history_alone_has_the_scores_that_it_has_among_others(clock, scale, length, tmp_path):
    """One is scored in NumPy, several in torch: tokens, times and cut histories too."""
    rng, lines = np.random.default_rng(int(clock)), ["user,item,topic,behavior,timestamp"]
    for place, when in enumerate(np.sort(rng.integers(10**9, 2 * 10**9, 600))):
        about = f",t{rng.integers(0, 7)}" if place % 5 == 0 else f"i{rng.integers(0, 30)},"
        behavior = ("view", "buy", "dislike")[rng.integers(0, 3)]
        lines.append(f"u{rng.integers(0, 40)},{about},{behavior},{when}")
    (tmp_path / "events.csv").write_text("\n".join(lines), encoding="utf-8")
    mapping = DataMapping.model_validate({"time": "clock" if clock else "order", "target": "buy"})
    ingest(tmp_path / "events.csv", tmp_path / "data", mapping=mapping)
    data = load(tmp_path / "data")
    assert len(data.catalogue.tokens) == 7
    settings = SMALL.model_copy(update={"scale": scale, "length": length, "epochs": 1})
    model = SequenceFitter(data, 0)(settings)
    assert model.single is not None
    several = model.score(histories(data))
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 2)  # the BLAS of NumPy, or that of torch
    try:
        assert np.allclose(model.score(histories(data)), several, atol=1e-4)
    finally:
        torch.set_num_threads(threads)
    for user in range(len(data.users)):
        one = histories(data, [user])
        assert np.allclose(model.score(one)[0], several[user], atol=1e-4), user


def test_asked_for_another_behavior_it_reads_the_same_items():
    world = synthetic.world(60, 120, seed=3).dataset()
    model, user = SequenceFitter(world, 0)(SMALL), histories(world, [3])
    _ = model.score(user), model.table
    other = model.with_target("view")
    assert other.single.transposed is model.single.transposed
    assert other.table is model.table
    anew = SEQUENCE.restore(model.arrays(), world, model.settings).with_target("view")
    assert np.array_equal(other.score(user), anew.score(user))
    assert not np.array_equal(other.score(user), model.score(user))


def test_repeats_empty_histories_and_strangers_are_scored(model, data):
    h = histories(data, [2, 5])
    twice = h.take(np.array([0, 0, 1]))
    scores = model.score(twice)
    assert np.allclose(scores[0], scores[1], atol=1e-5)
    empty = h.keep(np.zeros(len(h.events), bool))
    assert (model.score(empty) == 0).all()
    strange = replace(h, users=np.array([-1, -1]))
    assert np.allclose(model.score(strange), model.score(h))


def test_vectors_add_to_the_score_and_are_judged():
    world = synthetic.world(300, 120, seed=4).dataset()
    parts = split(world)
    data = world.with_events(parts.train)
    settings = SequenceSettings(embedding_size=16, layers=1, epochs=2, interests=3, facets=2)
    model = SEQUENCE.fitter(data, 0)(settings)
    cases = parts.test
    unit, scores, shares = model.vectors(cases.histories)
    some = cases.histories.lengths > 0
    assert np.allclose(shares[some].sum(axis=1), 1, atol=1e-5)
    assert np.allclose(np.linalg.norm(unit[some], axis=-1), 1)
    whole = model.score(cases.histories)
    known = whole[0] > -np.inf
    mixed = (scores[:, :, known] * shares[:, :, known]).sum(axis=1)
    assert np.allclose(mixed[some], whole[some][:, known], atol=1e-3)
    found = judge_vectors(model, data.catalogue, cases)
    assert found.vectors == 3
    assert 1 <= found.active <= 3
    assert -1 <= found.collapse <= 1
    assert len(found.recall) == 3
    assert max(found.recall) <= found.together <= 1
    sums = TRANSITION.fitter(data, 0)(TransitionSettings()).statistics
    alike = agreement(model, data, sums, InterestSettings(), 0, cases)
    assert -0.5 < alike <= 1
    few = replace(
        cases, histories=cases.histories.keep(np.zeros(len(cases.histories.events), bool))
    )
    assert agreement(model, data, sums, InterestSettings(), 0, few) is None
    plain = SEQUENCE.fitter(data, 0)(settings.model_copy(update={"interests": 1, "facets": 1}))
    one = judge_vectors(plain, data.catalogue, cases)
    recall = evaluate(plain, data.catalogue, cases).mean("recall@10")
    assert one.recall == (pytest.approx(recall),)
    assert np.isnan(one.collapse)


@pytest.mark.parametrize("kind", ["order", "none"])
def test_domains_without_a_common_order_are_read_one_by_one(kind):
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 30, 500), rng.integers(0, 40, 500)
    user = np.where((user < 8) & (item % 3 > 0), user + 30, user)
    data = from_columns(
        [f"u{u:02}" for u in user],
        [f"i{i:02}" for i in item],
        timestamp=rng.integers(1, 50, 500).tolist(),
        domain=[f"d{i % 3}" for i in item],
        time=kind,
    )
    events, unit, own = training_histories(data)
    assert np.count_nonzero(own) == len(data.events)  # each event is a target once
    e = data.events
    for one in np.unique(unit):
        mine = unit == one
        (user,) = set(events.user[mine])
        (domain,) = set(events.domain[mine & own])
        assert np.count_nonzero(mine) == np.count_nonzero(e.user == user)
        assert not own[mine][: np.count_nonzero(mine & ~own)].any()  # the others come first
        told = e.item[(e.user == user) & (e.domain == domain)]
        assert events.item[mine & own].tolist() == told.tolist()
    model = SequenceFitter(data)(SMALL)
    whole = data.events.histories(np.arange(len(data.users)))
    scores = model.score(whole)
    moved = replace(e, time=np.where(e.domain == 1, 100 + e.time, e.time)).sorted()
    again = model.score(data.with_events(moved).events.histories(whole.users))
    assert np.allclose(again, scores, atol=1e-5)  # a common order is neither known nor read
    curve = SequenceFitter(data)(SMALL.model_copy(update={"epochs": 30, "dropout": 0.0})).curve
    assert curve[-1].loss < curve[0].loss
