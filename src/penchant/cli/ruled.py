"""Lists by rules on the command line: how they are asked for, and what each rule removed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penchant.cli.output import say
from penchant.config import parse

if TYPE_CHECKING:
    from penchant.rerank import Reranked, Rules

RulesFile = Annotated[
    Path | None, typer.Option("--rules", help="Rules for the list, a TOML or JSON file.")
]
Diversity = Annotated[
    float | None, typer.Option(help="From 0, the ranking, to 1; mmr unless the rules say.")
]
Request = Annotated[
    str, typer.Option(help="Its identifier: with seed and user, it decides what is drawn.")
]


def rules_of(file: Path | None, diversity: float | None) -> "Rules | None":
    """The rules of the options; None where neither is given."""
    from penchant.rerank import Rules

    if file is None and diversity is None:
        return None
    rules = Rules() if file is None else Rules.load(file)
    if diversity is None:
        return rules
    method = "mmr" if rules.method == "none" else rules.method
    asked = rules.model_dump() | {"method": method, "diversity": diversity}
    return parse(Rules, asked, "--diversity")


def show_ruled(found: "Reranked") -> None:
    """Print what each rule removed, and what was drawn with which probability."""
    for rule, count in found.removed.items():
        say(f"removed by {rule}: {count:,}")
    say(f"left to list: {found.left:,}")
    for place in found.explored:
        item, propensity = found.items[place - 1].item, found.propensities[place - 1]
        say(f"drawn at place {place}: {item}, propensity {propensity:.4g}")
