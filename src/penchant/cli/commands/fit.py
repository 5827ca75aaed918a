"""The command ``penchant fit``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import (
    Data,
    Delta,
    Epsilon,
    Json,
    RecipeFile,
    Sets,
)
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.run import show_run
from penchant.config import Recipe
from penchant.errors import ConfigError
from penchant.recommendation import Model
from penchant.types import Progress


def fit(
    data: Data,
    out: Annotated[Path, typer.Option(help="Where the run is saved.")],
    model: Annotated[
        str | None, typer.Option(help="Default: fusion with torch, else transition.")
    ] = None,
    epsilon: Epsilon = None,
    delta: Delta = 1e-6,
    recipe: RecipeFile = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Choose settings on validation, measure a twin on test, fit on all events, save."""
    from penchant.data.io.load import load
    from penchant.training.fit import fit as run

    chosen = Recipe.load(recipe, sets)
    with working(f"loading {data}") as progress:
        if epsilon is None:
            fitted = run(load(data), chosen, model=model, progress=progress)
        else:
            fitted = _fit_private(data, (epsilon, delta), model, chosen, progress)
        progress(f"saving {out}")
        fitted.save(out)
    content = {
        "run": str(out),
        "model": fitted.family,
        "settings": fitted.settings.model_dump(),
        **fitted.info,
    }
    if as_json:
        emit(content)
        return
    show_run(content)
    say(f"saved to {out}; next: penchant recommend {out} --user U")


def _fit_private(
    data: Path, budget: tuple[float, float], model: str | None, recipe: Recipe, progress: Progress
) -> Model:
    """A private model of a DATA directory, within (epsilon, delta).

    Raises ConfigError for a budget outside its intervals, before anything is read, and for a model
    that has no private form.
    """
    from penchant.data.io.load import load
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
    return fit_private(load(data), *budget, recipe, progress=progress)
