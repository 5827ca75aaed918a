"""The command ``penchant benchmark``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Data, Json, RecipeFile, Sets, Verbose
from penchant.cli.views.benchmark import show_benchmark
from penchant.cli.views.console import emit, working
from penchant.config import Recipe


def benchmark(
    data: Data,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Models to compare, such as popularity,ease,transition.",
            show_default="all that are installed",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How test events are chosen, such as leave-one-out.",
            show_default="the one that suits the data",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Seed of everything random.")] = 0,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Add rows of models fitted on the validation events too."),
    ] = False,
    recipe: RecipeFile = None,
    sets: Sets = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the JSON document to this file too."),
    ] = None,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Compare models on the same data, each tuned and tested alike.

    Examples
    --------
    penchant benchmark data/
    penchant benchmark data/ --models popularity,item-knn,transition --verbose
    """
    from penchant.data.io.load import load
    from penchant.training.benchmark import benchmark as run

    settings = Recipe.load(recipe, [f"seed={seed}", *(sets or [])])
    names = [name.strip() for name in models.split(",")] if models else None
    with working(f"loading {data}") as progress:
        result = run(
            load(data), names, protocol=protocol, recipe=settings, refit=refit, progress=progress
        )
    content = result.to_dict()
    if out is not None:
        text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        out.write_text(text, encoding="utf-8")
    emit(content) if as_json else show_benchmark(content, verbose)
