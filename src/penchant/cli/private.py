"""What ``penchant fit --epsilon`` does, and what it prints beside the measurement."""

from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.output import say
from penchant.config import Recipe
from penchant.data.dataset import Told
from penchant.errors import ConfigError
from penchant.model import Model

Epsilon = Annotated[
    float | None, typer.Option(help="Differential privacy: the budget; nothing is searched.")
]
Delta = Annotated[float, typer.Option(help="Beside epsilon; well below 1 / users.")]


def fitted(
    data: Path, budget: tuple[float, float], model: str | None, recipe: Recipe, told: Told
) -> Model:
    """A private model of a DATA directory, within (epsilon, delta).

    Raises ConfigError for a budget outside its intervals, before anything is read, and for a model
    that has no private form.
    """
    from penchant.data.store import load
    from penchant.privacy import Ledger, fit_private

    Ledger(*budget)
    if model == "sequence":
        method = recipe.privacy.model_copy(update={"method": "sequence"})
        recipe = recipe.model_copy(update={"privacy": method})
    elif model not in (None, "private", "transition"):
        raise ConfigError(
            f"expected no --model beside --epsilon, or sequence, received {model!r}: the "
            "transition expert's sums or the deep expert's gradients are what is released; choose "
            "how with --set privacy.method=..."
        )
    return fit_private(load(data), *budget, recipe, told=told)


def show_private(content: dict[str, Any]) -> None:
    """Print the budget beside NDCG@10, and what the guarantee covers."""
    from penchant.privacy.fitting import in_words

    for line in in_words(content):
        say(line)
