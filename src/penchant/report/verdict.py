"""The verdict on a run: one sentence that the owner of a shop understands."""

from collections.abc import Mapping
from typing import Any

from penchant.report.html import share

NOT_MEASURED = "No events were held out, so nothing was measured; the notes of the run say why."


def verdict(evaluation: Mapping[str, Any], baselines: Mapping[str, Any]) -> str:
    """Say in one sentence how good the lists are, beside those of popularity.

    Whether the model is better is decided by the paired 95 % interval of NDCG@10, not by the two
    shares that are shown.

    Parameters
    ----------
    evaluation
        ``cases``, and ``metrics`` by name, as a run holds them; empty where nothing was measured.
    baselines
        ``popularity`` with its ``metrics`` and the paired differences ``less``; empty where the
        model was compared with nothing.

    Returns
    -------
    str
        A sentence of plain text.

    Examples
    --------
    >>> verdict({"cases": 2000, "metrics": {"recall@10": {"value": 0.59}}}, {})
    'Lists of ten held 59% of what people did next in 2,000 test cases.'
    >>> verdict({}, {})
    'No events were held out, so nothing was measured; the notes of the run say why.'
    """
    if not evaluation:
        return NOT_MEASURED
    count = evaluation["cases"]
    held = share(evaluation["metrics"]["recall@10"]["value"])
    cases = f"{count:,} test {'case' if count == 1 else 'cases'}"
    popular = baselines.get("popularity")
    if not popular:
        return f"Lists of ten held {held} of what people did next in {cases}."
    difference = popular["less"]["ndcg@10"]
    conclusion = "too close to tell which is better"
    if difference["low"] is not None and difference["low"] > 0:
        conclusion = "the model is better"
    elif difference["high"] is not None and difference["high"] < 0:
        conclusion = "popularity is better"
    return (
        f"Lists of ten held {held} of what people did next in {cases}, those of popularity "
        f"{share(popular['metrics']['recall@10']['value'])}: {conclusion}."
    )
