"""Reports: every section of every kind of run, its numbers, and nothing that data could break."""

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from importlib.util import find_spec
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from penchant.cli import app
from penchant.config import Recipe
from penchant.data import synthetic
from penchant.data.splitting.split import split
from penchant.data.vocabulary import Vocabulary
from penchant.evaluation.evaluate import evaluate
from penchant.evaluation.fit_report import FitReport, Slice
from penchant.evaluation.metrics import Interval
from penchant.evaluation.slices import slice_metrics
from penchant.models.baselines.popularity import POPULARITY
from penchant.models.transition.recommender import TransitionFitter
from penchant.recommendation import load
from penchant.report import report
from penchant.report.diversity_section import tradeoff
from penchant.report.html import interval
from penchant.report.interest_maps import examples
from penchant.report.svg import IntervalRow, Point, curve, intervals
from penchant.training.fit import fit
from penchant.training.holdout import Holdout

SVG = "{http://www.w3.org/2000/svg}"
SECTIONS = [
    *("summary", "data", "metrics", "slices", "calibration"),
    *("parts", "fidelity", "interests", "diversity"),
]
HOSTILE = "</title><script>alert('1')</script><img src=\"http://x/y.png\">&\x00\x0b]]>"
QUICK = [
    "search.budget=2",
    "sequence.embedding_size=16",
    "sequence.layers=1",
    "sequence.max_length=20",
    "sequence.epochs=2",
    "sequence.negatives=0",
]
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Reader(HTMLParser):
    """Reads a page as a browser would: tags must close, and what is there is collected."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes = [], [], []
        self.cells, self.sections, self.plain = [], {}, []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "section":
            self.sections[dict(attrs)["id"]] = []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.plain.append(data)
        if "section" in self.open:
            list(self.sections.values())[-1].append(data)
        if self.open[-1:] == ["td"]:
            self.cells.append(data)


def read(page):
    """What a page holds, once it is sure that it stands alone and that each plot is whole."""
    reader = Reader(page)
    assert not {"script", "link", "img", "iframe", "object"} & {*reader.tags}
    for _, name, value in reader.attributes:
        assert name not in ("src", "srcset", "data", "action")
        assert not name.startswith("on")
        assert name not in ("href", "xlink:href") or value.startswith("#")
    assert "url(" not in page
    assert "@import" not in page
    assert page.count("<svg") == len(plots(page))
    for root in plots(page):
        if root.get("aria-hidden") is None:
            assert root.find(f"{SVG}title").text
    return reader


def plots(page):
    return [ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", page, re.S)]


@pytest.fixture(scope="module")
def world():
    return synthetic.world(240, 120, seed=6).dataset()


@pytest.fixture(scope="module")
def model(world):
    return fit(world, Recipe.load(overrides=["search.budget=2"]), model="transition")


@pytest.fixture(scope="module")
def page(model):
    return report(model, cases=12)


def test_slices_are_parts_of_the_evaluation(world, model):
    parts = split(world, seed=0)
    train = world.with_events(parts.train)
    popular = POPULARITY.fitter(train, 0)(POPULARITY.settings())
    found = evaluate(popular, world.catalogue, parts.test)
    slices = slice_metrics(found, train, parts.test)
    assert list(slices) == ["history", "item", "domain"]
    lengths = parts.test.histories.lengths
    mine = (lengths >= 10) & (lengths <= 19)
    one = slices["history"]["10 to 19"]
    assert one.cases == mine.sum()
    assert one.ndcg.value == found.cases["ndcg@10"][mine].mean()
    for groups in slices.values():
        cases = sum(of.cases for of in groups.values())
        assert cases == len(lengths)
        mean = sum(of.cases * of.ndcg.value for of in groups.values()) / cases
        assert mean == pytest.approx(found.mean("ndcg@10"))
        mean = sum(of.cases * of.recall.value for of in groups.values()) / cases
        assert mean == pytest.approx(found.mean("recall@10"))


def test_a_fit_measures_popularity_beside_its_twin(world, model):
    fitted = model.report
    parts = split(world, seed=0)
    popular = POPULARITY.fitter(world.with_events(parts.train), 0)(POPULARITY.settings())
    alone = Holdout(popular, world, parts, Recipe()).on_test()
    beside = fitted.baselines["popularity"]
    assert beside.metrics["ndcg@10"] == alone.metrics["ndcg@10"]
    own = fitted.evaluation.metrics["ndcg@10"].value
    less = beside.less["ndcg@10"]
    assert less.value == pytest.approx(own - beside.metrics["ndcg@10"].value)
    assert less.low <= less.value <= less.high


def test_a_report_says_what_the_run_says(model, page):
    reader, fitted = read(page), model.report
    assert list(reader.sections) == SECTIONS
    for name, entry in fitted.evaluation.metrics.items():
        at = reader.cells.index(name)
        assert reader.cells[at + 1] == interval(entry)
        popular = fitted.baselines["popularity"]
        assert reader.cells[at + 2] == interval(popular.metrics[name])
        assert reader.cells[at + 3] == interval(popular.less.get(name), signed=True)
    for groups in fitted.slices.values():
        for label, of in groups.items():
            row = [label, f"{of.cases:,}", interval(of.ndcg), interval(of.recall)]
            starts = range(len(reader.cells) - 3)
            assert any(reader.cells[n : n + 4] == row for n in starts)
    said = "".join(reader.sections["summary"])
    assert f"{len(model.dataset.events):,}" in said
    assert interval(fitted.evaluation.metrics["ndcg@10"]) in said
    assert all(note in said for note in fitted.notes)
    assert "one expert alone" in "".join(reader.sections["parts"])


def test_marks_of_slices_stand_where_the_numbers_are():
    rows = [
        IntervalRow("by"),
        IntervalRow("a", 0.2, 0.1, 0.3, 50),
        IntervalRow("b", 0.4, 0.4, 0.4, 3),
    ]
    root = ElementTree.fromstring(intervals("NDCG", "mean", rows, few=30))
    a, b = (float(dot.get("cx")) for dot in root.iter(f"{SVG}circle"))
    zero = 120.0
    assert (b - zero) == pytest.approx(2 * (a - zero), abs=0.2)
    kinds = [dot.get("class") for dot in root.iter(f"{SVG}circle")]
    assert kinds == ["dot", "dot few"]


def test_a_curve_that_does_not_move_can_be_drawn():
    points = [Point(0.5, 0.1, "0"), Point(0.5, 0.1, "1")]
    assert len(list(ElementTree.fromstring(curve("t", "x", "y", points)).iter(f"{SVG}circle"))) == 2


def test_the_curve_begins_at_the_expert_that_saw_no_test_event(model):
    data = model.dataset
    found = tradeoff(model, cases=15)
    parts = split(data, seed=0)
    asked = parts.test.sample(data.users.ids, 15, 0)
    assert found.cases == len(asked.histories) == 15
    assert np.isin(asked.truth, parts.test.truth).all()
    train = data.with_events(parts.train)
    expert = TransitionFitter(train)(model.transition.settings)
    alone = evaluate(expert, data.catalogue, asked, seed=0)
    for settings in (found.diversity, found.quota):
        assert settings[0].ndcg == pytest.approx(alone.mean("ndcg@10"))
        assert settings[0].lost.value == 0
        assert settings[0].distance == pytest.approx(np.nanmean(alone.cases["distance@10"]))
        for one in settings:
            assert one.lost.value == pytest.approx(settings[0].ndcg - one.ndcg)
    assert found.diversity[-1].distance > found.diversity[0].distance
    assert found.quota[-1].calibration_error < found.quota[0].calibration_error


def test_examples_are_users_with_enough_events(model):
    chosen = examples(model, 4, 0)
    assert chosen == examples(model, 4, 0) != examples(model, 4, 1)
    events = model.dataset.events.user
    rows = model.dataset.users.rows(chosen)
    assert (np.bincount(events)[rows] >= 10).all()


def test_what_comes_from_data_is_never_markup(model):
    catalogue = model.dataset.catalogue
    ids = tuple(f'{name}"><i onload=x>' for name in catalogue.items.ids)
    behaviors = tuple(replace(b, name=f"{b.name}<q>\x01") for b in catalogue.behaviors)
    hostile = replace(
        catalogue,
        items=Vocabulary(ids),
        titles=(HOSTILE,) * len(catalogue),
        tags=(("<svg>", HOSTILE),) * len(catalogue),
        domains=tuple(f"{name}<u>&amp;" for name in catalogue.domains),
        behaviors=behaviors,
    )
    data = replace(
        model.dataset,
        name=HOSTILE,
        catalogue=hostile,
        users=Vocabulary(tuple(f"{name}'\"</h3>" for name in model.dataset.users.ids)),
        target=behaviors[catalogue.behavior(model.dataset.target)].name,
    )
    fitted = replace(model.report, notes=(HOSTILE,), slices={"domain": {HOSTILE: _part()}})
    found = report(replace(model, dataset=data, report=fitted, calibrations={}), cases=3)
    reader = read(found)
    assert not {"i", "q", "u", "script", "img"} & {*reader.tags}
    assert HOSTILE.replace("\x00", "�").replace("\x0b", "�") in "".join(reader.plain)


def _part():
    return Slice(9, Interval(0.1, 0.0, 0.2), Interval(0.1, 0.0, 0.2))


def test_a_run_that_lacks_something_says_so(world):
    popular = fit(world, model="popularity")
    assert popular.report.baselines == {}
    reader = read(report(popular))
    assert list(reader.sections) == SECTIONS
    for name, words in {
        "metrics": "popularity itself",
        "fidelity": "sums over past events",
        "interests": "only a transition expert",
        "diversity": "transition expert",
    }.items():
        assert words in "".join(reader.sections[name])
    tiny = fit(synthetic.checkerboard(users=3, items=8), model="transition")
    assert list(read(report(tiny, cases=3)).sections) == SECTIONS
    bare = replace(popular, report=FitReport())
    assert "No events were held out" in "".join(read(report(bare)).sections["slices"])


def test_the_command_writes_the_page(model, tmp_path, monkeypatch):
    from penchant import report as package

    seen = []
    made = package.report
    monkeypatch.setattr(package, "report", lambda m, progress: seen.append(m) or made(m, cases=3))
    run, out = model.save(tmp_path / "run"), tmp_path / "out.html"
    done = CliRunner().invoke(app, ["evaluate", str(run), "--report", str(out)])
    assert done.exit_code == 0, done.output
    assert str(out) in done.output.replace("\n", "")
    assert done.stdout.startswith("Lists of ten held ")
    assert "By parts of the test cases" not in done.output
    details = CliRunner().invoke(app, ["evaluate", str(run), "--verbose"]).output
    assert "By parts of the test cases" in details
    assert "NDCG@10 of popularity on the same" in details
    assert load(run).report.slices == model.report.slices == seen[0].report.slices
    assert list(read(out.read_text(encoding="utf-8")).sections) == SECTIONS


@pytest.mark.skipif(not find_spec("torch"), reason="torch is not installed; it is the extra deep")
def test_a_fusion_shows_what_its_parts_weigh():
    data = synthetic.world(260, 120, seed=6).dataset()
    fused = fit(data, Recipe.load(overrides=QUICK))
    assert fused.family == "fusion"
    reader = read(report(fused, cases=5))
    said = "".join(reader.sections["parts"])
    assert all(name in said for name in fused.report.weights.features)
    assert "the transition expert of this fusion" in "".join(reader.sections["diversity"])


BROWSER = shutil.which("chromium")


@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")
def test_a_browser_shows_it_in_both_schemes(page, tmp_path):
    image = pytest.importorskip(
        "PIL.Image", reason="pillow is not installed; it is the extra image"
    )
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    shown = {}
    for scheme, number in (("dark", 0), ("light", 1)):
        shot = tmp_path / f"{scheme}.png"
        done = subprocess.run(
            [
                *(BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu"),
                *("--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"),
                f"--blink-settings=preferredColorScheme={number}",
                *("--window-size=900,1200", f"--screenshot={shot}", "--dump-dom"),
                path.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "CONSOLE" not in done.stderr
        assert all(f'id="{name}"' in done.stdout for name in SECTIONS)
        with image.open(shot) as taken:
            shown[scheme] = np.asarray(taken.convert("L"), np.float64)
    for pixels in shown.values():
        assert pixels.std() > 10
    assert np.median(shown["light"]) > 200
    assert np.median(shown["dark"]) < 60
