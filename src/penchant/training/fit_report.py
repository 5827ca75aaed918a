"""The parts of a fit's report: the evaluation of its holdout model, and what it is made of."""

from dataclasses import replace

from penchant.data.splitting.protocols import LEAVE_ONE_NEW_OUT
from penchant.evaluation.evaluate import Evaluation
from penchant.evaluation.fit_report import Comparison, FitReport, HoldoutReport, VectorReport
from penchant.evaluation.slices import compare, slice_metrics
from penchant.models.baselines.popularity import POPULARITY
from penchant.training.holdout import Holdout
from penchant.training.vector_diagnostics import agreement, judge_vectors

_MANY = 0.3  # of the test events that no list can hold: more than that is said


def measured(report: FitReport, holdout: Holdout, evaluation: Evaluation) -> FitReport:
    """The report with what a holdout model did on the test cases.

    Parameters
    ----------
    report
        What the fit found before.
    holdout
        The model, and the split that it was fitted without.
    evaluation
        Of the same model on the test cases, searches given their places.
    """
    parts, dataset, model = holdout.parts, holdout.dataset, holdout.model
    return replace(
        report,
        notes=(*report.notes, *_unlistable(holdout)),
        evaluation=on_test(holdout, evaluation),
        slices=slice_metrics(evaluation, holdout.train, parts.test),
        baselines=baselines(holdout, evaluation),
        groups={
            name: evaluation.by([dataset.attributes[name][user] for user in evaluation.users])
            for name in holdout.recipe.users.protected
        },
        vectors=_vectors(holdout),
        weights=model.weights_report(),
    )


def on_test(holdout: Holdout, evaluation: Evaluation) -> HoldoutReport:
    """The metrics of all test cases."""
    parts, seed = holdout.parts, holdout.recipe.seed
    return HoldoutReport(parts.protocol, len(parts.test.histories), seed, evaluation.metrics)


def baselines(holdout: Holdout, evaluation: Evaluation) -> dict[str, Comparison]:
    """What popularity does on the same test cases; nothing beside popularity itself."""
    if holdout.model.name == POPULARITY.name:
        return {}
    popular = POPULARITY.fitter(holdout.train, holdout.recipe.seed)(POPULARITY.settings())
    return {POPULARITY.name: compare(evaluation, holdout.with_model(popular).on_test())}


def _unlistable(holdout: Holdout) -> tuple[str, ...]:
    """A note where many test events are of items that lists leave out."""
    repeated = holdout.parts.test.repeated
    if holdout.recipe.repeats or repeated < _MANY:
        return ()
    return (
        f"{repeated:.0%} of the test events are of an item that their user had before, which no "
        "list holds; with --set repeats=true lists hold such items, and protocol "
        f"{LEAVE_ONE_NEW_OUT!r} asks for new ones alone",
    )


def _vectors(holdout: Holdout) -> VectorReport | None:
    """How far the vectors of a deep expert with several of them differ."""
    model, test, recipe = holdout.model, holdout.parts.test, holdout.recipe
    deep, closed = model.sequence, model.transition
    if deep is None or deep.settings.interests < 2:
        return None
    found = judge_vectors(deep, holdout.dataset.catalogue, test, repeats=recipe.repeats)
    if closed is None:
        return found
    alike = agreement(deep, holdout.train, closed.statistics, recipe.interests, recipe.seed, test)
    return replace(found, agreement=alike)
