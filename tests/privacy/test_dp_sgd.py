"""DP-SGD: what a user can move, the noise that covers it, what is spent, and that it learns."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed; it is in the extra deep")
pytest.importorskip("opacus", reason="opacus is not installed; it is the extra dp")

import torch
from opacus.accountants import RDPAccountant

from penchant import load
from penchant.config import PrivacySettings, Recipe, SequenceSettings
from penchant.data import synthetic
from penchant.data.io.from_columns import from_columns
from penchant.data.splitting.split import split
from penchant.errors import ConfigError
from penchant.evaluation.evaluate import evaluate
from penchant.models.baselines.popularity import POPULARITY
from penchant.models.sequence.recommender import build_network
from penchant.privacy.differential.dp_sgd import _DPSGD, _OneUser, _Reader, private_sequence
from penchant.privacy.differential.fit import fit_private, summary_lines
from penchant.training.update import update, without_users

SMALL = SequenceSettings(embedding_size=16, layers=1, heads=2, max_length=8, dropout=0.0)
FEW = PrivacySettings(sample=20, passes=2)


@pytest.fixture(scope="module")
def data():
    return synthetic.world(60, 120, seed=3).dataset()


def run_of(data, noise, sampling=1.0, clip=0.1):
    torch.manual_seed(0)
    network, _ = build_network(data, SMALL, np.ones(len(data.catalogue), bool))
    network.eval()
    return _DPSGD(network, _Reader(data, SMALL), PrivacySettings(gradient=clip), noise, sampling)


def saved(data, path, *sets):
    """A private run of the deep expert as it comes back from its folder."""
    network = [f"sequence.{name}" for name in ("embedding_size=16", "layers=1", "max_length=8")]
    recipe = Recipe.load(overrides=["privacy.method=sequence", *network, *sets])
    fit_private(data, 4.0, 1e-4, recipe).save(path)
    return load(path)


def test_each_user_has_the_gradient_of_their_own_loss(data):
    run = run_of(data, 0.0)
    users = np.array([3, 0, 7])
    found = run.gradients(users)
    for place, user in enumerate(users):
        model = _OneUser(run.model.network)
        model.zero_grad()
        model([column[0] for column in run.reader.take(np.array([user]))]).backward()
        for name, parameter in model.named_parameters():
            own = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            assert torch.allclose(found[name][place], own, atol=1e-6), name


def test_a_user_moves_the_sum_of_a_step_by_the_clip_at_most(data):
    """Without noise a step's gradient is the sum of clipped ones, of whoever is there."""
    clip, users = 0.1, len(data.users)
    run = run_of(data, 0.0, clip=clip)
    found = run.gradients(np.arange(users))
    length = torch.stack([one.flatten(1).norm(dim=1) for one in found.values()]).norm(dim=0)
    assert (length > clip).any()
    factor = (clip / (length + 1e-6)).clamp(max=1)
    assert ((length * factor) <= clip * (1 + 1e-6)).all()  # float32
    told = {}

    def keep(optimizer):
        told.update({name: p.grad.clone() for name, p in run.model.named_parameters()})

    run.optimizer.attach_step_hook(keep)
    run.step()
    for name, one in found.items():
        expected = torch.einsum("i,i...", factor, one) / users
        assert torch.allclose(told[name], expected, atol=1e-6), name


@pytest.mark.parametrize("sampling", [0.0, 0.5])
def test_the_noise_of_a_step_has_the_deviation_that_was_accounted(data, sampling):
    """With nobody in a step too, else who is there would show."""
    noise, clip, users = 3.0, 0.5, len(data.users)
    run = run_of(data, noise, sampling, clip)
    told = []

    def keep(optimizer):
        told.append(torch.cat([p.grad.flatten() for p in run.model.parameters()]))

    run.optimizer.attach_step_hook(keep)
    for _ in range(4):
        run.step()
    drawn = torch.stack(told).numpy() * max(1, round(sampling * users))
    if sampling == 0:
        assert drawn.std() == pytest.approx(noise * clip, rel=0.02)
        assert abs(drawn.mean()) < 5 * noise * clip / drawn.size**0.5
    else:  # the sum of clipped gradients beside it is no longer than users times clip
        assert np.abs(drawn.std() - noise * clip) < 0.1
    assert not np.allclose(drawn[0], drawn[1])


def test_what_is_spent_is_what_the_accountant_says_and_no_more_than_was_asked(data):
    model, spent = private_sequence(data, SMALL, (3.0, 1e-3), FEW)
    assert spent.sampling == 20 / 60
    assert spent.steps == 6
    accountant = RDPAccountant()
    for _ in range(spent.steps):
        accountant.step(noise_multiplier=spent.noise, sample_rate=spent.sampling)
    assert spent.epsilon == pytest.approx(accountant.get_epsilon(1e-3), rel=1e-3)
    assert 2.5 < spent.epsilon <= 3.0
    again, _ = private_sequence(data, SMALL, (3.0, 1e-3), FEW)
    assert not np.array_equal(
        model.score(data.events.histories(np.array([0]))),
        again.score(data.events.histories(np.array([0]))),
    )


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan"), float("inf")])
def test_an_epsilon_that_is_none_is_refused(data, epsilon):
    with pytest.raises(ConfigError, match="epsilon above 0 and finite"):
        private_sequence(data, SMALL, (epsilon, 1e-5))


@pytest.mark.parametrize("delta", [0.0, 1.0, -0.1, float("nan")])
def test_a_delta_that_is_none_is_refused(data, delta):
    with pytest.raises(ConfigError, match="delta between 0 and 1"):
        private_sequence(data, SMALL, (1.0, delta))


def test_one_user_and_users_of_one_event():
    one = from_columns(["u"] * 3, ["a", "b", "c"], timestamp=[1, 2, 3], time="order")
    model, spent = private_sequence(one, SMALL, (2.0, 1e-2), PrivacySettings(sample=4, passes=3))
    assert spent.sampling == 1.0
    assert np.isfinite(model.score(one.events.histories(np.array([0])))).all()
    alone = from_columns(["u", "v"], ["a", "b"], timestamp=[1, 2], time="order")
    run = run_of(alone, 0.0)
    assert all((of == 0).all() for of in run.gradients(np.array([0, 1])).values())
    empty = one.with_events(one.events.take(slice(0, 0)))
    with pytest.raises(ConfigError, match="received none"):
        private_sequence(empty, SMALL, (1.0, 1e-5))


def test_a_private_run_is_saved_served_and_says_what_it_holds(data, tmp_path):
    model = saved(data, tmp_path / "run", "privacy.passes=2", "privacy.sample=20")
    assert model.family == "sequence"
    assert model.report.privacy.epsilon == 4
    assert model.report.privacy.spent["epsilon"] <= 4
    assert model.report.evaluation.metrics["ndcg@10"]
    lines = summary_lines(model.report)
    assert lines[0].startswith("private (sequence): epsilon 4, delta 0.0001 for a user with their")
    assert "NDCG@10" in lines[0]
    assert len(model.recommend(data.users.ids[3], k=5).items) == 5
    assert (model.popularity == 0).all()  # who has no history learns nothing of others' counts
    events = from_columns([data.users.ids[3]], [data.catalogue.items.ids[0]], "buy", [2e9])
    with pytest.raises(ConfigError, match="penchant fit"):
        update(model, events)
    with pytest.raises(ConfigError, match="penchant fit"):
        without_users(model, [data.users.ids[3]])


def test_a_public_run_holds_nobody(data, tmp_path):
    model = saved(data, tmp_path / "run", "privacy.passes=1", "privacy.public=true")
    assert not len(model.dataset.users)
    assert not len(model.dataset.events)
    assert len(model.recommend(history=list(data.catalogue.items.ids[:2]), k=5).items) == 5


def test_with_little_noise_it_learns():
    world = synthetic.world(400, 120, seed=4).dataset()
    parts = split(world)
    data = world.with_events(parts.train)
    steps = PrivacySettings(sample=64, passes=25)
    model, _ = private_sequence(data, SMALL, (1000.0, 1e-4), steps)
    popular = POPULARITY.fitter(data, 0)(POPULARITY.settings())
    found, base = (evaluate(one, data.catalogue, parts.test, seed=0) for one in (model, popular))
    assert found.minus(base, "ndcg@10").low > 0
