"""Ranked lists of items."""

from typing import TYPE_CHECKING

from penchant.cli.views.console import say

if TYPE_CHECKING:
    from penchant.recommendation.rerank import Reranked

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penchant.cli.views.console import number, table

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


def show_ruled(found: "Reranked") -> None:
    """Print what each rule removed, and what was drawn with which probability."""
    for rule, count in found.removed.items():
        say(f"removed by {rule}: {count:,}")
    say(f"left to list: {found.left:,}")
    for place in found.explored:
        item, propensity = found.items[place - 1].item, found.propensities[place - 1]
        say(f"drawn at place {place}: {item}, propensity {propensity:.4g}")
