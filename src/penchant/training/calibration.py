"""Probabilities of each behavior, fitted on validation users of their own and judged on test."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from penchant.evaluation.fit_report import ProbabilityReport
from penchant.evaluation.probabilities import evaluate_calibration, probability_order, top_lists
from penchant.models.calibration import LISTED, Calibration
from penchant.training.behavior_heads import Head
from penchant.training.holdout import Holdout
from penchant.training.tuning import FEWEST


@dataclass(frozen=True)
class Calibrations:
    """Calibrations by behavior, how good the probabilities are, and why there are no others.

    reports  the target's first
    """

    by_behavior: Mapping[str, Calibration] = field(default_factory=dict)
    reports: tuple[ProbabilityReport, ...] = ()
    notes: tuple[str, ...] = ()


def calibrated(holdout: Holdout, heads: Mapping[str, Head]) -> Calibrations:
    """Fit what scores of the target mean, beside what its ``heads`` have for other behaviors.

    The target's probabilities are judged on test, with how often they are above those of each
    other behavior.
    """
    others = {name: h.calibration for name, h in heads.items() if h.calibration is not None}
    reports = tuple(head.report for head in heads.values() if head.report is not None)
    missing = tuple(
        f"no probabilities for {name!r}: fewer than {FEWEST} validation cases of each share are "
        "followed by events of it, or none of these events is on a list"
        for name in heads
        if name not in others
    )
    dataset, test, recipe = holdout.dataset, holdout.parts.test, holdout.recipe
    cases = holdout.validation(2)
    if len(cases.histories) < FEWEST:
        note = (
            f"no probabilities: {len(cases.histories)} validation cases for their calibration, it "
            f"needs {FEWEST}"
        )
        return Calibrations(others, reports, (note, *missing))
    target = evaluate_calibration(
        holdout.model, holdout.train, cases, test, recipe.repeats, recipe.seed
    )
    if target is None:
        note = (
            f"no probabilities: in none of {len(cases.histories)} validation cases is the event "
            f"that came next on the list of the {LISTED} best"
        )
        return Calibrations(others, reports, (note, *missing))
    likelier = {
        name: probability_order(
            target,
            top_lists(heads[name].holdout_model, dataset.catalogue, test, recipe.repeats),
            other,
        )
        for name, other in others.items()
    }
    head = replace(target.report, above=likelier)
    by_behavior = {dataset.target: target.calibration, **others}
    return Calibrations(by_behavior, (head, *reports), missing)
