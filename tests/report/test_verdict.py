"""The sentence on a benchmark: who is best, beside whom, and whether that is sure."""

import pytest

from penchant.report.verdict import benchmark_verdict


def content(pairs, **ndcg):
    """A benchmark of models by NDCG@10, with paired differences (model, against, low, high)."""
    rows = [
        {"model": name, "metrics": {"recall@10": {"value": 2 * value}, "ndcg@10": {"value": value}}}
        for name, value in ndcg.items()
    ]
    over = [
        {"model": model, "against": against, "ndcg@10": {"value": 0.0, "low": low, "high": high}}
        for model, against, low, high in pairs
    ]
    return {"cases": 1200, "rows": rows, "paired": None, "over_baselines": over}


@pytest.mark.parametrize(
    ("pair", "ending"),
    [
        (("transition", "ease", 0.01, 0.03), "in NDCG@10 it is better by 0.0100 to 0.0300."),
        (("transition", "ease", -0.01, 0.03), "too close to tell which is better"),
        (("transition", "ease", None, None), "those of ease 40%."),
    ],
)
def test_a_lead_is_called_one_where_the_interval_leaves_out_zero(pair, ending):
    text = benchmark_verdict(content([pair], popularity=0.1, ease=0.2, transition=0.25))
    assert text.startswith("Best is transition: its lists of ten held 50% of what people did next ")
    assert "in 1,200 test cases, those of ease 40%" in text
    assert ending in text


def test_a_baseline_may_be_the_best():
    pairs = [("transition", "ease", -0.3, -0.1)]
    text = benchmark_verdict(content(pairs, popularity=0.1, ease=0.45, transition=0.25))
    assert text.startswith("Best is ease: ")
    assert text.endswith("those of transition 50%; in NDCG@10 it is better by 0.1000 to 0.3000.")
    assert benchmark_verdict(content([])).startswith("No model could be compared")
    both = benchmark_verdict(content([], popularity=0.1, ease=0.45))
    assert both.endswith("those of popularity 20%.")
