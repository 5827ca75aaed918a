"""All sections of a report in their order."""

from typing import Any

from penchant import __version__
from penchant.data.dataset import Told
from penchant.explaining import fidelity
from penchant.model import Model
from penchant.report import measures
from penchant.report.health import health
from penchant.report.page import page
from penchant.report.people import people
from penchant.report.tradeoff import diversity


def report(model: Model, *, cases: int = 300, seed: int = 0, told: Told | None = None) -> str:
    """The report on a run as one HTML document.

    It stands alone: styles and plots are inside it, there is no script, and it asks nothing of the
    network. What the run measured is shown as it is in ``info``; fidelity of explanations and what
    diversity costs are measured here, on at most ``cases`` users each, drawn by a hash of their
    identifiers and ``seed``. A run that lacks what a section needs has a sentence there instead.
    """
    say = told or (lambda text: None)
    found: dict[str, Any] | None = None
    if model.transition is not None:
        say("report: deleting events that explanations cite")
        found = fidelity(model, users=cases, seed=seed)
    sections = [
        measures.summary(model),
        health(model),
        measures.measured(model),
        measures.slices(model),
        measures.calibration(model),
        measures.parts(model),
        measures.faithful(model, found),
        people(model, seed=seed),
        diversity(model, cases, seed, told),
    ]
    foot = (
        f"Made by Penchant {__version__}, seed {seed}. Intervals are 95 %. This page holds events "
        "of a few users; share it as you would share these."
    )
    return page(f"{model.dataset.name}: report on a run", sections, foot)
