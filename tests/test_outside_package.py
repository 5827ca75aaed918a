"""A package of models, encoders, metrics and re-rankers of which Penchant knows nothing."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import penchant
from penchant.config import plugins
from penchant.data import synthetic
from penchant.data.splitting.split import split
from penchant.errors import ArtifactError, ConfigError
from penchant.evaluation.evaluate import evaluate
from penchant.models import registry
from penchant.models.base import KNOWN
from penchant.training.benchmark import benchmark
from penchant.training.fit import fit
from penchant.training.update import update

HOME = Path(__file__).parent / "outside_package"
POINTS = """\
[penchant.models]
companions = tiny_taste:Companions
[penchant.encoders]
letters = tiny_taste:Letters
[penchant.metrics]
first = tiny_taste:first_is_right
[penchant.rerankers]
by-name = tiny_taste:by_name
"""
RECIPE = {
    "target": synthetic.TARGET,
    "search": {"budget": 2},
    "content": {"text": "letters"},
    "models": {"companions": {"shrinkage": 2.0}},
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of what an installation of the package leaves; it stands on the path."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "tiny_taste-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-taste\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(POINTS)
    (info / "top_level.txt").write_text("tiny_taste\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HOME))
        patch.syspath_prepend(str(folder))
        yield folder


@pytest.fixture(scope="module")
def tiny(installed):
    return __import__("tiny_taste")


@pytest.fixture(scope="module")
def data():
    return synthetic.world(150, 120, seed=3).dataset()


@pytest.fixture(scope="module")
def run(installed, data, tmp_path_factory):
    """A run on disk, fitted by the name of the entry point."""
    fitted = fit(data, penchant.Recipe.model_validate(RECIPE), model="companions")
    return fitted.save(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def model(run):
    return penchant.load(run)


def elsewhere(code, *paths, **environment):
    """What a new process prints, in which these folders stand on the path."""
    path = os.pathsep.join(map(str, (*paths, *filter(None, sys.path))))
    outcome = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return outcome.stdout if outcome.returncode == 0 else outcome.stderr


def test_it_passes_the_suites(installed, tmp_path):
    """As its own tests run them: in a file that pytest collects."""
    (tmp_path / "test_tiny.py").write_text(
        "import tiny_taste\n"
        "from penchant.testing import *\n"
        "class TestModel(RecommenderSuite):\n    family = tiny_taste.FAMILY\n"
        "class TestLetters(TextEncoderSuite):\n"
        "    def encoder(self):\n        return tiny_taste.Letters()\n"
        "class TestFirst(MetricSuite):\n    metric = staticmethod(tiny_taste.first_is_right)\n"
        "class TestNames(RerankerSuite):\n    reranker = staticmethod(tiny_taste.by_name)\n"
    )
    command = f"import pytest; raise SystemExit(pytest.main(['-q', {str(tmp_path)!r}]))"
    printed = elsewhere(command, installed, HOME)
    assert " passed" in printed, printed
    assert " failed" not in printed


def test_a_fit_by_name_is_measured_and_serves_every_behavior(model, data):
    assert model.family == "companions"
    assert len(model.report.trials) == 2
    assert model.report.evaluation.metrics["ndcg@10"].value > 0
    assert model.dataset.catalogue.features["text"].encoder == "letters"
    assert {"view", "cart"} <= model.others.keys()
    user = data.users.ids[0]
    assert model.recommend(user).source == "companions"
    assert model.recommend(user, behavior="view").items
    assert model.similar(data.catalogue.items.ids[0], k=3)
    with pytest.raises(ConfigError, match="transition expert"):
        model.interests(user)


def test_objects_do_what_names_do(tiny, data, model):
    recipe = penchant.Recipe.model_validate({**RECIPE, "content": {"text": tiny.Letters}})
    assert recipe.content.text == "tiny_taste:Letters"
    for given in (tiny.Companions, tiny.FAMILY, "tiny_taste:Companions", "tiny_taste:FAMILY"):
        fitted = fit(data, recipe, model=given)
        assert fitted.recommend(data.users.ids[3]).items == model.recommend(data.users.ids[3]).items


def test_an_explanation_is_what_the_score_loses_without_each_event(model, data):
    user = data.users.ids[1]
    item = model.recommend(user, k=1).items[0].item
    row = int(data.catalogue.items.rows([item])[0])
    found = penchant.explain(model, item, user=user)
    history = model.dataset.history(user)
    before = model.recommender.score(history)[0, row]
    assert found.score == pytest.approx(before)
    for reason in found.reasons[:3]:
        place = len(history.events) - reason.age
        kept = history.keep(np.arange(len(history.events)) != place)
        lost = before - model.recommender.score(kept)[0, row]
        assert reason.contribution == pytest.approx(lost)
    assert found.interests == ()
    past = [model.dataset.catalogue.items.ids[of] for of in history.events.item[-2:]]
    assert penchant.explain(model, item, history=past).sentence.startswith("because you ")


def test_an_update_is_a_fit_on_all_events(model, data):
    first, later = data.events.time <= np.median(data.events.time), data.events
    old = replace(model, dataset=model.dataset.with_events(later.take(first)))
    old = replace(
        old,
        recommender=model.recommender.refit(old.dataset, 0),
        others={
            name: head.refit(old.dataset.with_target(name), 0)
            for name, head in model.others.items()
        },
    )
    renewed, receipt = update(old, data.with_events(later.take(~first)))
    assert receipt.solved == len(data.catalogue)
    for name in (None, *model.others):
        expected = model.with_target(name).recommender.refit(
            renewed.dataset.with_target(name or data.target), 0
        )
        found = renewed.with_target(name).recommender
        np.testing.assert_array_equal(found.together, expected.together)


def test_a_benchmark_has_its_row(installed, data):
    table = benchmark(data, ["popularity", "companions"], recipe=penchant.Recipe(**RECIPE))
    assert [row.model for row in table.rows] == ["popularity", "companions"]
    assert [row.model for row in table.over_baselines] == ["companions"]


def test_a_metric_by_name_and_as_a_callable(tiny, data, model):
    parts = split(data)
    asked = ["recall@10", "first", tiny.first_is_right]
    found = evaluate(model.recommender, data.catalogue, parts.test, metrics=asked)
    assert list(found.cases) == ["recall@10", "first", "first_is_right"]
    assert found.whole == {}
    np.testing.assert_array_equal(found.cases["first"], found.cases["first_is_right"])
    with pytest.raises(ConfigError, match="unknown metric 'fist'"):
        evaluate(model.recommender, data.catalogue, parts.test, metrics=["fist"])
    with pytest.raises(ConfigError, match="expected a value for each of"):
        evaluate(
            model.recommender, data.catalogue, parts.test, metrics=[lambda ranked: np.zeros(1)]
        )


def test_a_reranker_has_the_last_word(tiny, data, model):
    user = data.users.ids[2]
    for name in ("by-name", tiny.by_name, "tiny_taste:by_name"):
        rules = penchant.Rules(rerankers=[name], explore=2, seed=4)
        found = model.recommend(user, rules=rules)
        names = [row.item for row in found.items]
        assert names == sorted(names)
        plain = model.recommend(user, rules=penchant.Rules(explore=2, seed=4))
        assert set(names) == {row.item for row in plain.items}
        drawn = {plain.items[place - 1].item for place in plain.explored}
        assert {names[place - 1] for place in found.explored} == drawn
        assert sorted(found.propensities) == sorted(plain.propensities)

    def adding(items, model, history):
        return [*items, items[0]]

    with pytest.raises(ConfigError, match="expected items of the list, each once"):
        model.recommend(user, rules=penchant.Rules(rerankers=[adding]))
    with pytest.raises(ConfigError, match="unknown re-ranker 'by-nme'"):
        model.recommend(user, rules=penchant.Rules(rerankers=["by-nme"]))


LISTS = (
    "import json, sys, penchant\n"
    "from penchant.recommendation import load\n"
    "model = load({run!r}{more})\n"
    "user = model.dataset.users.ids[5]\n"
    "print(json.dumps([[row.item for row in model.recommend(user, behavior=name).items]"
    " for name in (None, 'view')]))\n"
)


def test_a_run_loads_in_a_new_process_where_the_package_is_installed(run, installed, model):
    manifest = json.loads((run / "manifest.json").read_text())
    expected = {"name": "tiny_taste:Companions", "distribution": "tiny-taste", "version": "1.2"}
    assert manifest["origin"] == expected
    user = model.dataset.users.ids[5]
    lists = [
        [row.item for row in model.recommend(user, behavior=name).items] for name in (None, "view")
    ]
    assert json.loads(elsewhere(LISTS.format(run=str(run), more=""), installed, HOME)) == lists


def test_a_run_imports_no_code_by_itself(run, installed, model):
    code = LISTS.format(run=str(run), more="")
    hidden = f"import sys; sys.path[:] = [p for p in sys.path if p != {str(installed)!r}]\n"
    refused = elsewhere(hidden + code, HOME)
    assert "tiny_taste:Companions of tiny-taste 1.2" in refused
    assert "allow=['tiny_taste:Companions']" in refused
    allowed = LISTS.format(run=str(run), more=", allow=['tiny_taste:Companions']")
    assert elsewhere(hidden + allowed, HOME).startswith("[[")
    assert elsewhere(hidden + code, HOME, PENCHANT_ALLOW="tiny_taste:Companions").startswith("[[")
    gone = f"sys.path[:] = [p for p in sys.path if p not in {[str(installed), str(HOME)]!r}]\n"
    missing = elsewhere("import sys; " + gone + allowed)
    assert "install the package that holds it" in missing


def test_it_is_served(run, data, tmp_path, installed):
    pytest.importorskip("fastapi", reason="fastapi is not installed; it is in the extra serve")
    from serving import client_of, told

    user, item = data.users.ids[7], data.catalogue.items.ids[0]
    rules = {"rerankers": ["by-name"]}
    with client_of(run, f"sqlite:///{tmp_path / 'store'}", rules=rules) as client:
        event = {"user": user, "item": item, "behavior": "buy"}
        assert told(client.post("/events", json=event))["accepted"] == 1
        asked = {"explain": True}
        found = told(client.get(f"/users/{user}/recommendations", params=asked))
        names = [row["item"] for row in found["items"]]
        assert found["source"] == "companions"
        assert names == sorted(names)
        assert any(row["because"] for row in found["items"])


def test_names_that_lead_nowhere(tiny, data):
    with pytest.raises(ConfigError, match="unknown model 'companion': expected one of als"):
        fit(data, model="companion")
    with pytest.raises(ConfigError, match="install the package that holds it"):
        fit(data, model="tiny_tste:Companions")
    with pytest.raises(ConfigError, match="expected a Family or a class of recommenders"):
        fit(data, model="tiny_taste:by_name")
    with pytest.raises(ConfigError, match="a name of its own"):
        registry.family_of(replace(tiny.FAMILY, name="ease"))
    with pytest.raises(ConfigError, match="without fit, restore"):
        registry.family_of(type("Bare", (penchant.models.base.Recommender,), {"name": "bare"}))
    with pytest.raises(ArtifactError, match="an object that no module holds"):
        registry.saved_family("other", {"name": "tiny_taste:Companions@3"})
    with pytest.raises(ConfigError, match="imports no code by itself"):
        plugins.find("penchant.encoders", "antigravity:fly", trusted=False)
    assert "antigravity" not in sys.modules
    assert KNOWN["companions"].name == "companions"


def test_the_command_line_fits_and_explains_it(installed, data, tmp_path):
    """As a user does who has installed the package: by its name alone."""
    from typer.testing import CliRunner

    from penchant.cli import app
    from penchant.data.io.save import save

    save(data, tmp_path / "data")
    run, user = str(tmp_path / "run"), data.users.ids[4]
    sets = [f"target={synthetic.TARGET}", "search.budget=1", "content.text=none"]
    options = [part for one in sets for part in ("--set", one)]
    command = ["fit", str(tmp_path / "data"), "--out", run, "--model", "companions", *options]
    fitted = CliRunner().invoke(app, command)
    assert fitted.exit_code == 0, fitted.output
    item = penchant.load(run).recommend(user, k=1).items[0].item
    shown = CliRunner().invoke(app, ["explain", run, "--item", item, "--user", user])
    assert shown.exit_code == 0, shown.output
    assert "is lost without each event" in shown.output
    assert "by interest" not in shown.output
