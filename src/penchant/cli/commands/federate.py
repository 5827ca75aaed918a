"""The command ``penchant federate``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Json, RecipeFile, Sets
from penchant.cli.views.console import emit, working
from penchant.cli.views.federation import show
from penchant.config import Recipe
from penchant.errors import ConfigError


def federate(
    data: Annotated[Path, typer.Argument(help="A DATA directory, as penchant ingest writes it.")],
    clients: Annotated[int, typer.Option(help="Among whom the users are shared out.")] = 20,
    secure: Annotated[
        bool, typer.Option("--secure", help="Mask the sums: the server sees their total alone.")
    ] = False,
    rounds: Annotated[
        int, typer.Option(help="Rounds of the deep expert; 0: one round of sums.")
    ] = 0,
    items: Annotated[int, typer.Option(help="Best sellers that the public block holds.")] = 500,
    block: Annotated[
        Path | None, typer.Option(help="The public block instead: an item on each line.")
    ] = None,
    clip: Annotated[float, typer.Option(help="With rounds: clip each client's change.")] = 0.0,
    noise: Annotated[float, typer.Option(help="With a clip: noise on the sum, in clips.")] = 0.0,
    recipe: RecipeFile = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Simulate a federation: each client keeps its users' events and sends sums or networks."""
    from penchant.data.io.load import load
    from penchant.privacy.federated import check_extra

    if secure and rounds:
        raise ConfigError("expected --secure with sums, or --rounds; the networks are not masked")
    if (clip or noise) and not (rounds and clip):
        raise ConfigError("expected --clip and --noise together with --rounds")
    check_extra()
    from penchant.privacy.federated.simulation import FederationOptions
    from penchant.privacy.federated.simulation import federate as run

    named = None
    if block is not None:
        named = [line.strip() for line in block.read_text("utf-8").splitlines() if line.strip()]
    options = FederationOptions(clients, items, named, secure, None, rounds, clip, noise)
    chosen = Recipe.load(recipe, sets)
    with working(f"loading {data}") as progress:
        found = run(load(data), options, chosen, progress)
    emit(found) if as_json else show(found)
