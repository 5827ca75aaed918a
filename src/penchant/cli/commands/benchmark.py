"""The command ``penchant benchmark``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Data, Json, RecipeFile, Sets
from penchant.cli.views.benchmark import show_benchmark
from penchant.cli.views.console import emit, working
from penchant.config import Recipe


def benchmark(
    data: Data,
    models: Annotated[str | None, typer.Option(help="Comma-separated; default: all.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Default: the dataset's.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    refit: Annotated[
        bool, typer.Option(help="Add rows fitted with the validation event too.")
    ] = False,
    recipe: RecipeFile = None,
    sets: Sets = None,
    out: Annotated[Path | None, typer.Option(help="Write the JSON document here too.")] = None,
    as_json: Json = False,
) -> None:
    """Search, fit and measure each model on one split, beside published rows."""
    import json

    from penchant.data.io.load import load
    from penchant.training.benchmark import benchmark as run

    chosen = Recipe.load(recipe, [f"seed={seed}", *(sets or [])])
    names = [name.strip() for name in models.split(",")] if models else None
    with working(f"loading {data}") as progress:
        found = run(
            load(data), names, protocol=protocol, recipe=chosen, refit=refit, progress=progress
        )
    content = found.to_dict()
    if out is not None:
        text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        out.write_text(text, encoding="utf-8")
    emit(content) if as_json else show_benchmark(content)
