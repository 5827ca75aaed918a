"""The command ``penchant federate``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Data, Json, RecipeFile, Sets
from penchant.cli.views.console import emit, working
from penchant.cli.views.federation import show
from penchant.config import Recipe
from penchant.errors import ConfigError


def federate(
    data: Data,
    clients: Annotated[
        int, typer.Option(metavar="NUMBER", help="Among how many clients the users are divided.")
    ] = 20,
    secure: Annotated[
        bool,
        typer.Option("--secure", help="Mask what clients send: the server sees only the total."),
    ] = False,
    rounds: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            help="Rounds of federated averaging of the sequence model; 0 trains the transition "
            "model in one round of exact statistics.",
        ),
    ] = 0,
    items: Annotated[
        int,
        typer.Option(metavar="NUMBER", help="How many best sellers the public list of items has."),
    ] = 500,
    block: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The public list of items instead, an item ID on each line.",
            show_default="best sellers",
        ),
    ] = None,
    clip: Annotated[
        float,
        typer.Option(
            metavar="NUMBER", help="With --rounds: longest update that a client sends; 0: any."
        ),
    ] = 0.0,
    noise: Annotated[
        float,
        typer.Option(
            metavar="NUMBER", help="With --clip: noise added to the total, in units of --clip."
        ),
    ] = 0.0,
    recipe: RecipeFile = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Simulate training in which each client keeps its users' events.

    Clients send statistics or network weights, never events. Nothing is saved: the result says
    what was sent, and how good the model is beside one that is trained on all events.

    Examples
    --------
    penchant federate data/ --clients 20 --secure
    penchant federate data/ --rounds 10 --clip 1 --noise 0.5
    """
    from penchant.data.io.load import load
    from penchant.privacy.federated import check_extra

    if secure and rounds:
        raise ConfigError(
            "expected --secure or --rounds, received both; network weights are not masked"
        )
    if (clip or noise) and not (rounds and clip):
        raise ConfigError("expected --clip and --noise together with --rounds")
    check_extra()
    from penchant.privacy.federated.simulation import FederationOptions
    from penchant.privacy.federated.simulation import federate as run

    public = None
    if block is not None:
        public = [line.strip() for line in block.read_text("utf-8").splitlines() if line.strip()]
    options = FederationOptions(clients, items, public, secure, None, rounds, clip, noise)
    settings = Recipe.load(recipe, sets)
    with working(f"loading {data}") as progress:
        content = run(load(data), options, settings, progress)
    emit(content) if as_json else show(content)
