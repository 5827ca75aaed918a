"""Plots: whole SVG, whose marks stand where the numbers are."""

from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from penchant.cli import app
from penchant.data import synthetic
from penchant.evaluation.fit_report import ProbabilityReport, ReliabilityBin
from penchant.evaluation.metrics import Interval
from penchant.report.plots import reliability
from penchant.training.fit import fit

SVG = "{http://www.w3.org/2000/svg}"


def row(behavior, bins):
    skill = Interval(0.02, 0.01, 0.03)
    return ProbabilityReport(
        behavior=behavior,
        events_ahead=1,
        listed=100,
        pairs=sum(pairs for _, _, pairs in bins),
        base_rate=0.01,
        held_out=0.01,
        skill_over_base_rate=skill,
        skill_over_popularity=skill,
        log_loss=0.1,
        log_loss_of_base_rate=0.1,
        log_loss_of_popularity=0.1,
        ece=0.001,
        reliability=tuple(ReliabilityBin(*one) for one in bins),
    )


def test_a_calibrated_bin_stands_on_the_diagonal():
    bins = [(0.002, 0.002, 9000), (0.05, 0.05, 9000), (0.03, 0.0, 50)]
    root = ElementTree.fromstring(reliability([row("buy", bins), row("a < b", bins)]))
    panels = [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "title"]
    assert panels == ["buy", "a < b"]
    frames = [f for f in root.iter(f"{SVG}rect") if f.get("class") == "frame"]
    dots = [(float(d.get("cx")), float(d.get("cy"))) for d in root.iter(f"{SVG}circle")]
    for frame, panel in zip(frames, (dots[:3], dots[3:]), strict=True):
        left, top, side = (float(frame.get(name)) for name in ("x", "y", "width"))
        for x, y in panel[:2]:
            assert x - left == pytest.approx(top + side - y, abs=0.2)
        assert panel[2][1] == top + side  # nothing happened: on the lower edge


def test_nothing_and_certainty_can_be_drawn():
    for bins in ([], [(1.0, 1.0, 3)], [(0.0, 0.0, 3)]):
        ElementTree.fromstring(reliability([row("view", bins)]))


def test_a_run_is_drawn(tmp_path):
    run = fit(synthetic.world(400, 120, seed=3).dataset(), model="popularity").save(
        tmp_path / "run"
    )
    out = tmp_path / "plot.svg"
    found = CliRunner().invoke(app, ["evaluate", str(run), "--reliability", str(out)])
    assert found.exit_code == 0, found.output
    assert len(list(ElementTree.parse(out).iter(f"{SVG}circle"))) >= 2
