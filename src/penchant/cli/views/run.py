"""What a fit measured: settings, metrics, slices, weights, probabilities."""

from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from penchant.cli.views.console import bar, interval, say, signed, table
from penchant.errors import counted

if TYPE_CHECKING:
    from penchant.evaluation.fit_report import (
        Comparison,
        FitReport,
        HoldoutReport,
        ProbabilityReport,
        Slice,
        Slices,
        VectorReport,
    )
    from penchant.features.item_content import ModalityRead
    from penchant.models.base import FeatureEffects
    from penchant.recommendation import Model

SHOWN = ("recall@10", "ndcg@10")


def run_document(path: Path, model: "Model") -> dict[str, object]:
    """A run and all that its fit measured, as JSON types."""
    settings = model.settings.model_dump()
    return {
        "run": str(path),
        "model": model.family,
        "settings": settings,
        **model.report.to_dict(),
    }


def show_run(model: "Model", verbose: bool) -> None:
    """Print how good a run's lists are in a sentence; with ``verbose`` all that was measured."""
    from penchant.privacy.differential.fit import summary_lines
    from penchant.report.verdict import verdict

    report = model.report
    say(verdict(report), "bold")
    say(f"model: {model.family}")
    if verbose:
        for name, value in model.settings.model_dump().items():
            say(f"  {name} = {value}")
    for note in report.notes:
        say(f"note: {note}")
    for line in summary_lines(report):
        say(line)
    content = report.content or {}
    if verbose:
        show_content(content)
        if report.evaluation is not None:
            show_evaluation(report, report.evaluation)
    else:
        for name, modality in content.items():
            if modality.unread:
                say(f"{name} of {counted(modality.unread, 'item')} could not be read")
        say("--verbose shows settings, all metrics, and for whom the lists are good")


def show_evaluation(report: "FitReport", evaluation: "HoldoutReport") -> None:
    """Print metrics, slices, weights and probabilities."""
    rows = [(name, interval(entry)) for name, entry in evaluation.metrics.items()]
    title = (
        f"Evaluation on {counted(evaluation.cases, 'test case')} ({evaluation.protocol}) by a "
        "holdout model, fitted without them; mean and 95 % interval"
    )
    table(title, ("metric", "value"), rows)
    show_baselines(report.baselines or {})
    show_slices(report.slices or {})
    for name, groups in (report.groups or {}).items():
        show_groups(name, groups)
    if report.weights is not None:
        show_weights(report.weights)
    if report.vectors is not None:
        show_vectors(report.vectors)
    for probabilities in report.probabilities or ():
        show_calibration(probabilities)


def show_content(content: "Mapping[str, ModalityRead]") -> None:
    """Print what was read of the items' texts, images and sounds, and what could not be."""
    rows = [
        (
            name,
            modality.encoder,
            f"{modality.items:,}",
            f"{modality.unread:,}",
            f"{modality.seconds:.1f}",
        )
        for name, modality in content.items()
    ]
    if rows:
        columns = ("content", "encoder", "items", "unread", "s")
        table("Content of the items", columns, rows, left=2)
    for name, modality in content.items():
        lines = [(item.item, item.source or "", item.reason) for item in modality.examples]
        if lines:
            unread = counted(modality.unread, "item")
            title = f"{name}: {len(lines)} of {unread} that could not be read"
            table(title, ("item", "source", "reason"), lines, left=3)


def show_baselines(baselines: "Mapping[str, Comparison]") -> None:
    """Print what simpler models do on the same test cases, in a line each."""
    for name, baseline in baselines.items():
        say(
            f"NDCG@10 of {name} on the same: {interval(baseline.metrics['ndcg@10'])}; the model "
            f"minus {name}, paired: {signed(baseline.less['ndcg@10'])}"
        )


def show_slices(slices: "Mapping[str, Slices]") -> None:
    """Print the metrics of parts of the test cases."""
    labels = {"history": "events of the history", "item": "training events of the true item"}
    rows = [
        (labels.get(name, name), part, *_cells(metrics))
        for name, parts in slices.items()
        for part, metrics in parts.items()
    ]
    if rows:
        table("By parts of the test cases", ("by", "part", "cases", *SHOWN), rows, left=2)


def show_groups(name: str, groups: "Slices") -> None:
    """Print the metrics of each group of users by a protected attribute."""
    rows = [(group, *_cells(metrics)) for group, metrics in groups.items()]
    table(f"By {name}, as the recipe asks", (name, "cases", *SHOWN), rows)


def _cells(metrics: "Slice") -> tuple[str, str, str]:
    return f"{metrics.cases:,}", interval(metrics.recall), interval(metrics.ndcg)


def show_weights(weights: "FeatureEffects") -> None:
    """Print what each part of a fusion weighs."""
    columns = zip(*weights.effects, strict=True)
    rows = [
        (name, *(f"{effect:+.2f}" for effect in effects))
        for name, effects in zip(weights.features, columns, strict=True)
    ]
    title = "How much each part changes a score (one standard deviation), by length of history"
    table(title, ("part", *weights.lengths), rows)


def show_vectors(vectors: "VectorReport") -> None:
    """Print how far a user's vectors differ and what each finds alone."""
    recall = ", ".join(f"{value:.4f}" for value in vectors.recall)
    collapse = "no user has two" if isnan(vectors.collapse) else f"{vectors.collapse:.3f}"
    say(
        f"{counted(vectors.vectors, 'vector')} for each user, {vectors.active:.2f} active "
        f"in a list; mean cosine of active ones (1 if they are the same): {collapse}"
    )
    say(
        f"Recall@10 of each vector alone: {recall}; of all vectors together: {vectors.together:.4f}"
    )
    if vectors.agreement is not None:
        say(
            "agreement of the vectors with the interests found in the events (adjusted Rand index; "
            f"1 alike, 0 by chance): {vectors.agreement:.3f}"
        )


def show_calibration(calibration: "ProbabilityReport") -> None:
    """Print how far the probabilities of a run can be trusted."""
    bins = [(row.predicted, row.observed, row.pairs) for row in calibration.reliability]
    most = max((max(predicted, observed) for predicted, observed, _ in bins), default=0.0) or 1.0
    rows = [
        (
            bar(predicted / most),
            bar(observed / most),
            f"{predicted:.4f}",
            f"{observed:.4f}",
            f"{pairs:,}",
        )
        for predicted, observed, pairs in bins
    ]
    ahead, behavior = calibration.events_ahead, calibration.behavior
    following = (
        f"the next {behavior}" if ahead == 1 else f"among the next {ahead:.3g} of {behavior}"
    )
    title = f"Probability that one of the {calibration.listed} best items is {following}"
    table(title, ("predicted", "observed", "predicted", "observed", "pairs"), rows, left=2)
    for name, skill in (
        ("base rate", calibration.skill_over_base_rate),
        ("popularity", calibration.skill_over_popularity),
    ):
        say(f"Brier skill over {name}: {skill.value:.4f} [{skill.low:.4f}, {skill.high:.4f}]")
    say(f"expected calibration error: {calibration.ece:.4f}; log-loss {calibration.log_loss:.4f}")
    for name, other in (calibration.above or {}).items():
        if other.pairs and other.share is not None:
            say(
                f"{behavior} is more probable than {name} for {other.share:.1%} of "
                f"{counted(other.pairs, 'item')} among a user's {calibration.listed} best for both"
            )
