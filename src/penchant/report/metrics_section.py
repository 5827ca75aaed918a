"""What a run measured: in one sentence, metric by metric, by slices, and its probabilities."""

from math import isnan
from typing import Literal

from penchant.evaluation.fit_report import FitReport, HoldoutReport, Slice
from penchant.evaluation.metrics import Interval
from penchant.recommendation import Model
from penchant.recommendation.explain.fidelity import Fidelity
from penchant.report.html import (
    Section,
    details,
    figures,
    interval,
    items,
    number,
    paragraph,
    table,
    text,
)
from penchant.report.plots import reliability, weights_plot
from penchant.report.svg import IntervalRow, intervals
from penchant.report.verdict import NOT_MEASURED, verdict

_PLOTTED: tuple[tuple[Literal["ndcg", "recall"], str], ...] = (
    ("ndcg", "NDCG@10"),
    ("recall", "Recall@10"),
)

FEW = 30
"""Cases below which a slice says little, whatever its interval."""

_SLICES = {
    "history": "Events in the history",
    "item": "Training events of the true item",
    "behavior": "Predicted behavior",
    "domain": "Domain of the true item",
}


def summary(model: Model) -> Section:
    """What the run is, and its headline against popularity."""
    data, report = model.dataset, model.report
    catalogue = data.catalogue
    body = paragraph(headline(model), kind="lead")
    counts = (
        (model.family, "model"),
        (f"{len(data.users):,}", "users"),
        (f"{len(catalogue):,}", "items"),
        (f"{len(data.events):,}", "events"),
        (str(len(catalogue.behaviors)), "kinds of behavior"),
        (str(len(catalogue.domains)), "domains"),
        (data.time, "time is"),
        (data.target, "behavior predicted"),
    )
    body += tiles(counts)
    if evaluation := report.evaluation:
        body += paragraph(
            exact(report, evaluation),
            "Measured on a holdout model: a model with the same settings, fitted without the test "
            f"events (protocol {evaluation.protocol}, seed {evaluation.seed}). The model "
            "that is saved and served was then fitted on all events.",
        )
    if report.notes:
        body += "<h3>Notes of the run</h3>" + items(report.notes)
    settings = model.settings.model_dump()
    rows = [(name, str(value)) for name, value in settings.items()]
    if rows:
        body += details("Settings", table(("setting", "value"), rows, left=2))
    return Section("summary", "Summary", body)


def headline(model: Model) -> str:
    """The verdict on a run, in one sentence."""
    return verdict(model.report)


def exact(report: FitReport, evaluation: HoldoutReport) -> str:
    """NDCG@10 with its interval, beside popularity's."""
    own = f"NDCG@10, which counts higher places more, is {interval(evaluation.metrics['ndcg@10'])}"
    popular = (report.baselines or {}).get("popularity")
    if popular is None:
        return f"{own}."
    return (
        f"{own}, that of popularity {number(popular.metrics['ndcg@10'].value)}; the paired "
        f"difference is {interval(popular.less['ndcg@10'], signed=True)}."
    )


def metrics_table(model: Model) -> Section:
    """Each metric with its interval, beside popularity."""
    evaluation = model.report.evaluation
    title = "Metrics"
    if evaluation is None:
        return Section("metrics", title, paragraph(NOT_MEASURED, kind="absent"))
    popular = (model.report.baselines or {}).get("popularity")
    if popular is not None:
        body = paragraph(
            "Means over the test cases with 95 % intervals (bootstrap over users). The last column "
            "is the difference case by case; where its interval excludes 0, it is no matter "
            "of chance."
        )
        rows = [
            (
                name,
                interval(entry),
                interval(popular.metrics.get(name)),
                interval(popular.less.get(name), signed=True),
            )
            for name, entry in evaluation.metrics.items()
        ]
        body += table(("metric", model.family, "popularity", "difference"), rows)
    else:
        reason = (
            "The run is popularity itself, so there is nothing simpler to compare it with."
            if model.family == "popularity"
            else "The run was fitted before popularity was measured beside it; fit it again to see."
        )
        body = paragraph("Means over the test cases with 95 % intervals.", reason)
        alone = [(name, interval(entry)) for name, entry in evaluation.metrics.items()]
        body += table(("metric", model.family), alone)
    return Section("metrics", title, body)


def slices(model: Model) -> Section:
    """NDCG@10 and recall@10 by parts of the test cases."""
    found = model.report.slices
    title = "For whom, and for which items"
    if not found:
        reason = (
            "The run was fitted before slices were measured; fit it again to see."
            if model.report.evaluation is not None
            else NOT_MEASURED
        )
        return Section("slices", title, paragraph(reason, kind="absent"))
    body = paragraph(
        "The same test cases in parts: by the length of the user's history, and by how often the "
        "item that the user chose occurs in training. Items with five events or fewer are cold: a "
        "model that only repeats what sells finds none of them.",
        f"Parts of fewer than {FEW} cases are pale; so few say little.",
    )
    groups = {_SLICES[name]: of for name, of in found.items()}
    groups |= {f"Users by {name}": of for name, of in (model.report.groups or {}).items()}
    plots = [
        intervals(
            name,
            "mean and 95 % interval",
            [
                row
                for group, parts in groups.items()
                for row in (
                    IntervalRow(group),
                    *(_row(label, of, metric) for label, of in parts.items()),
                )
            ],
            FEW,
        )
        for metric, name in _PLOTTED
    ]
    body += figures(*plots)
    rows = [
        (group, label, f"{of.cases:,}", interval(of.ndcg), interval(of.recall))
        for group, parts in groups.items()
        for label, of in parts.items()
    ]
    columns = ("by", "part", "cases", "ndcg@10", "recall@10")
    body += details("The numbers", table(columns, rows, left=2))
    return Section("slices", title, body)


def calibration(model: Model) -> Section:
    """How far probabilities can be trusted."""
    found = model.report.probabilities
    title = "Can the probabilities be trusted?"
    if not found:
        reason = "This run has no probabilities: too few events were held out to fit them on."
        return Section("calibration", title, paragraph(reason, kind="absent"))
    body = paragraph(
        "Each dot is a tenth of all recommendations: the probability that the model predicted, "
        "against the share that was observed. On the dashed line the two agree. A skill above 0 "
        "means that the probabilities are more accurate than the reference; always predicting the "
        "base rate has skill 0.",
    )
    plots = [reliability([row], alone=False) for row in found]
    body += figures(
        *plots, caption="Both axes are logarithmic; bars are 95 % intervals (Wilson 1927)."
    )
    rows = [
        (
            of.behavior,
            f"{of.pairs:,}",
            interval(of.skill_over_base_rate),
            interval(of.skill_over_popularity),
            number(of.ece),
            number(of.log_loss),
            number(of.log_loss_of_base_rate),
        )
        for of in found
    ]
    columns = (
        "behavior",
        "pairs",
        "skill over base rate",
        "skill over popularity",
        "calibration error",
        "log-loss",
        "log-loss of base rate",
    )
    body += table(columns, rows)
    for of in found:
        bins = [
            (number(one.predicted), number(one.observed), f"{one.pairs:,}")
            for one in of.reliability
        ]
        ahead = of.events_ahead
        following = "the next event" if ahead == 1 else f"one of the next {ahead:.3g} events"
        body += details(
            f"{of.behavior}: the bins",
            table(
                ("predicted", "observed", "pairs"),
                bins,
                left=0,
                caption=f"That an item among the {of.listed} best is {following}",
            ),
        )
    return Section("calibration", title, body)


def weights_section(model: Model) -> Section:
    """What each part of a fusion weighs."""
    found = model.report.weights
    title = "The weight of each part"
    if found is None:
        reason = (
            f"This run is one expert alone, {model.family}: only a fusion has parts with weights."
        )
        return Section("parts", title, paragraph(reason, kind="absent"))
    body = paragraph(
        "How far each part of the fusion moves a score: its weight times how much it differs among "
        "the candidates, by the length of the history. Parts named after a modality are closeness "
        "of content.",
    )
    body += figures(weights_plot(found, alone=False))
    columns = zip(*found.effects, strict=True)
    rows = [
        (name, *(number(effect, 2, signed=True) for effect in effects))
        for name, effects in zip(found.features, columns, strict=True)
    ]
    body += details("The numbers", table(("part", *found.lengths), rows))
    return Section("parts", title, body)


def fidelity_section(model: Model, found: Fidelity | None) -> Section:
    """Whether what explanations cite matters; ``found`` is that of ``fidelity``."""
    title = "Can explanations be trusted?"
    if found is None:
        reason = (
            f"Explanations are sums over past events, which a run of {model.family} does not have."
        )
        return Section("fidelity", title, paragraph(reason, kind="absent"))
    if not found.users:
        reason = "No user has enough events to delete one of: this takes ten."
        return Section("fidelity", title, paragraph(reason, kind="absent"))
    unit = "log-odds" if model.family == "fusion" else "the units of the score"
    ratio = found.ratio.value
    if isnan(ratio):
        much = "lowers the score, deleting one that is not cited does not"
    elif ratio > 1:
        times = number(ratio, 1) if ratio < 100 else "more than 100"
        much = f"lowers the score {times} times as much as deleting one that is not"
    else:
        much = "does not lower the score more than deleting one that is not"
    body = paragraph(
        f"For the first item of {found.users:,} users' lists, in the median: deleting the event "
        f"that its explanation cites first {much}."
    )
    rows = [
        ("without the event cited first", interval(found.cited)),
        ("without one that is not cited", interval(found.uncited)),
        ("ratio of the two", _ratio(found.ratio)),
    ]
    body += table(
        ("median drop of the score", f"in {unit}, with 95 % interval"),
        rows,
    )
    return Section("fidelity", title, body)


def tiles(pairs: tuple[tuple[str, str], ...]) -> str:
    """A few numbers, large."""
    shown = "".join(
        f'<div class="tile"><b>{text(value)}</b><span>{text(name)}</span></div>'
        for value, name in pairs
    )
    return f'<div class="tiles">{shown}</div>'


def _ratio(found: Interval) -> str:
    """A ratio with its bounds, of which each may be without end."""
    value, low, high = ("∞" if isnan(bound) else number(bound, 2) for bound in found)
    return f"{value} [{low}, {high}]"


def _row(label: str, of: Slice, metric: Literal["ndcg", "recall"]) -> IntervalRow:
    value, low, high = of.ndcg if metric == "ndcg" else of.recall
    return IntervalRow(label, value, low, high, of.cases)
