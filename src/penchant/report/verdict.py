"""The verdict on a run: one sentence that the owner of a shop understands."""

from collections.abc import Mapping
from typing import Any

from penchant.errors import counted
from penchant.evaluation.fit_report import FitReport
from penchant.models.registry import BASELINES
from penchant.report.html import share

NOT_MEASURED = "No events were held out, so nothing was measured; the notes of the run say why."


def verdict(report: FitReport) -> str:
    """Say in one sentence how good the lists are, beside those of popularity.

    Whether the model is better is decided by the paired 95 % interval of NDCG@10, not by the two
    shares that are shown.

    Parameters
    ----------
    report
        What the fit measured: its evaluation, and popularity among its baselines.

    Returns
    -------
    str
        A sentence of plain text.

    Examples
    --------
    >>> from penchant.evaluation.fit_report import HoldoutReport
    >>> from penchant.evaluation.metrics import Interval
    >>> metrics = {"recall@10": Interval(0.59, 0.57, 0.61)}
    >>> verdict(FitReport(evaluation=HoldoutReport("leave-one-out", 2000, 0, metrics)))
    'Lists of ten held 59% of what people did next in 2,000 test cases.'
    >>> verdict(FitReport())
    'No events were held out, so nothing was measured; the notes of the run say why.'
    """
    if report.evaluation is None:
        return NOT_MEASURED
    held = share(report.evaluation.metrics["recall@10"].value)
    cases = counted(report.evaluation.cases, "test case")
    popular = (report.baselines or {}).get("popularity")
    if popular is None:
        return f"Lists of ten held {held} of what people did next in {cases}."
    difference = popular.less["ndcg@10"]
    conclusion = "too close to tell which is better"
    if difference.low > 0:
        conclusion = "the model is better"
    elif difference.high < 0:
        conclusion = "popularity is better"
    return (
        f"Lists of ten held {held} of what people did next in {cases}, those of popularity "
        f"{share(popular.metrics['recall@10'].value)}: {conclusion}."
    )


def benchmark_verdict(content: Mapping[str, Any]) -> str:
    """Say in one sentence which model ranks best, and whether its lead over a simpler one is sure.

    The best is the model with the highest NDCG@10; it is compared with the best of the baselines,
    or where it is one itself, with the best of the other models.

    Parameters
    ----------
    content
        A benchmark as JSON types, as ``Table.to_dict`` gives it.

    Examples
    --------
    >>> row = {"model": "ease", "metrics": {n: {"value": 0.25} for n in ("recall@10", "ndcg@10")}}
    >>> benchmark_verdict({"cases": 1, "rows": [row], "paired": None, "over_baselines": []})
    'Best is ease: its lists of ten held 25% of what people did next in 1 test case.'
    """
    rows = sorted(content["rows"], key=lambda row: -row["metrics"]["ndcg@10"]["value"])
    if not rows:
        return "No model could be compared; the reasons are below."
    best = rows[0]
    name = best["model"]
    base = name.partition(",")[0]  # without what a refitted row adds
    held = share(best["metrics"]["recall@10"]["value"])
    cases = counted(content["cases"], "test case")
    first = f"Best is {name}: its lists of ten held {held} of what people did next in {cases}"
    others = [row for row in rows if (row["model"] in BASELINES) != (base in BASELINES)]
    others = [row for row in others if row["model"] != name] or rows[1:]
    if not others:
        return f"{first}."
    other = others[0]
    against = f"{first}, those of {other['model']} {share(other['metrics']['recall@10']['value'])}"
    lead = _lead(content, name, other["model"])
    if lead is None:
        return f"{against}."
    low, high = lead
    if low > 0:
        return f"{against}; in NDCG@10 it is better by {low:.4f} to {high:.4f}."
    return (
        f"{against}; this is too close to tell which is better (NDCG@10 differs by {low:+.4f} to "
        f"{high:+.4f})."
    )


def _lead(content: Mapping[str, Any], name: str, other: str) -> tuple[float, float] | None:
    """The 95 % interval of NDCG@10 of one model less another, where a paired one is known."""
    pairs = [pair for pair in (content["paired"], *content["over_baselines"]) if pair]
    for pair in pairs:
        low, high = pair["ndcg@10"]["low"], pair["ndcg@10"]["high"]
        if low is None or high is None:
            continue
        if (pair["model"], pair["against"]) == (name, other):
            return low, high
        if (pair["model"], pair["against"]) == (other, name):
            return -high, -low
    return None
