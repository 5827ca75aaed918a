"""The command ``penchant fit``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Data, Force, Json, RecipeFile, Sets, Verbose, vacant
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.run import run_document, show_run
from penchant.config import Recipe
from penchant.errors import ConfigError
from penchant.recommendation import Model
from penchant.types import Progress


def fit(
    data: Data,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the run is saved.")],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What to fit: transition, sequence, ease, ... or package.module:Name of your own.",
            show_default="fusion with torch, else transition",
        ),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Fit with differential privacy and this budget, such as 2; no search of settings.",
            show_default="no differential privacy",
        ),
    ] = None,
    delta: Annotated[
        float,
        typer.Option(
            metavar="NUMBER",
            help="With --epsilon: chance that its bound fails; well below 1 / users.",
        ),
    ] = 1e-6,
    recipe: RecipeFile = None,
    sets: Sets = None,
    force: Force = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Learn from a DATA folder and save a run that recommends.

    Settings are tuned on validation events, the lists are evaluated on test events, and the model
    that is saved is then fitted on all events.

    Examples
    --------
    penchant fit data/ --out run/
    penchant fit data/ --out run/ --model transition --set search.budget=8
    """
    from penchant.data.io.load import load
    from penchant.training.fit import fit as run

    vacant(out, force)
    settings = Recipe.load(recipe, sets)
    with working(f"loading {data}") as progress:
        if epsilon is None:
            fitted = run(load(data), settings, model=model, progress=progress)
        else:
            fitted = _fit_private(data, epsilon, delta, model, settings, progress)
        progress(f"saving {out}")
        fitted.save(out)
    if as_json:
        emit(run_document(out, fitted))
        return
    show_run(fitted, verbose)
    say(f"saved to {out}; next: penchant recommend {out} --user ID")


def _fit_private(
    data: Path, epsilon: float, delta: float, model: str | None, recipe: Recipe, progress: Progress
) -> Model:
    """A private model of a DATA folder, within a budget.

    Raises ConfigError for a budget outside its intervals, before anything is read, and for a model
    that has no private form.
    """
    from penchant.data.io.load import load
    from penchant.privacy import Ledger, fit_private

    Ledger(epsilon, delta)
    if model == "sequence":
        method = recipe.privacy.model_copy(update={"method": "sequence"})
        recipe = recipe.model_copy(update={"privacy": method})
    elif model not in (None, "private", "transition"):
        raise ConfigError(
            f"expected no --model beside --epsilon, or sequence, received {model!r}: private "
            "training has forms of the transition and the sequence model alone; choose how with "
            "--set privacy.method=..."
        )
    return fit_private(load(data), epsilon, delta, recipe, progress=progress)
