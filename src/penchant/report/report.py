"""All sections of a report in their order."""

from penchant import __version__
from penchant.recommendation import Model
from penchant.recommendation.explain import fidelity
from penchant.recommendation.explain.fidelity import Fidelity
from penchant.report import metrics_section
from penchant.report.data_section import data_health
from penchant.report.diversity_section import diversity
from penchant.report.html import page
from penchant.report.interest_maps import interests_section
from penchant.types import Progress


def report(
    model: Model, *, cases: int = 300, seed: int = 0, progress: Progress | None = None
) -> str:
    """The report on a run as one HTML document.

    It stands alone: styles and plots are inside it, there is no script, and it asks nothing of the
    network. What the run measured is shown as it is in ``info``; fidelity of explanations and what
    diversity costs are measured here, on at most ``cases`` users each, drawn by a hash of their
    identifiers and ``seed``. A run that lacks what a section needs has a sentence there instead.
    """
    progress = progress or (lambda text: None)
    found: Fidelity | None = None
    if model.transition is not None:
        progress("report: checking explanations by deleting the events that they cite")
        found = fidelity(model, users=cases, seed=seed)
    sections = [
        metrics_section.summary(model),
        data_health(model),
        metrics_section.metrics_table(model),
        metrics_section.slices(model),
        metrics_section.calibration(model),
        metrics_section.weights_section(model),
        metrics_section.fidelity_section(model, found),
        interests_section(model, seed=seed),
        diversity(model, cases, seed, progress),
    ]
    foot = (
        f"Made by Penchant {__version__}, seed {seed}. Intervals are 95 %. This page shows events "
        "of a few users: share it only with those who may see them."
    )
    return page(f"{model.dataset.name}: report on a run", sections, foot)
