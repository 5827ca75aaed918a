"""Ranked lists of items."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penchant.cli.views.console import number, say, table
from penchant.errors import counted

if TYPE_CHECKING:
    from penchant.recommendation.rerank import Reranked


def show_items(title: str | None, items: Sequence[dict[str, Any]]) -> None:
    """Print ranked items, and why, where that was asked for."""
    columns = ["", "item", "title", "score", "probability"]
    rows = []
    for place, item in enumerate(items, 1):
        known = item["probability"] is not None
        share = f"{item['probability']:.2%}" if known else ""
        rows.append([str(place), item["item"], item["title"] or "", number(item["score"]), share])
    shown = [n for n in range(len(columns)) if n != 4 or any(row[n] for row in rows)]
    rows = [[row[n] for n in shown] for row in rows]
    table(title, [columns[n] for n in shown], rows, left=3)
    for place, item in enumerate(items, 1):
        if item["because"]:
            say(f"{place}. {item['because']}")


def show_ruled(listed: "Reranked") -> None:
    """Print what each rule removed, and what exploration chose with which probability."""
    for rule, count in listed.removed.items():
        say(f"removed by {rule}: {counted(count, 'item')}")
    say(f"left to list: {counted(listed.left, 'item')}")
    for place in listed.explored:
        item, propensity = listed.items[place - 1].item, listed.propensities[place - 1]
        say(f"explored at place {place}: {item}, propensity {propensity:.4g}")
