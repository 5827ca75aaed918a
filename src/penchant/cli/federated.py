"""Federated training, simulated on someone's own data: ``penchant federate``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.data import Json, RecipeFile, Sets
from penchant.cli.output import emit, interval, say, table, working
from penchant.config import Recipe
from penchant.errors import ConfigError

_SHOWN = 10


def add(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(federate)


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
    from penchant.data.store import load
    from penchant.privacy.federated import check_extra

    if secure and rounds:
        raise ConfigError("expected --secure with sums, or --rounds; the networks are not masked")
    if (clip or noise) and not (rounds and clip):
        raise ConfigError("expected --clip and --noise together with --rounds")
    check_extra()
    from penchant.privacy.federated.simulation import Options
    from penchant.privacy.federated.simulation import federate as run

    named = None
    if block is not None:
        named = [line.strip() for line in block.read_text("utf-8").splitlines() if line.strip()]
    options = Options(clients, items, named, secure, None, rounds, clip, noise)
    chosen = Recipe.load(recipe, sets)
    with working(f"loading {data}") as told:
        found = run(load(data), options, chosen, told)
    emit(found) if as_json else show(found)


def show(found: dict[str, Any]) -> None:
    """Print what a federation found."""
    say(
        f"{found['clients']:,} clients hold {found['users']:,} users and {found['events']:,} "
        f"events of {found['items']:,} public items"
    )
    if not found["block_is_public"]:
        say("the items are the best sellers here; name a list that is public with --block")
    sent = found["bytes_per_client"]
    what = "the network" if found["model"] == "sequence" else "sums"
    masked = ", masked" if found["secure"] else ""
    say(
        f"{found['answered']:,} clients sent {what}{masked}: {sent['least']:,} to "
        f"{sent['most']:,} bytes each, {found['seconds']:.1f} s in all"
    )
    if dropped := found["dropped"]:
        rows = [(one["client"], one["stage"], one["reason"]) for one in dropped[:_SHOWN]]
        title = f"{len(rows)} of {len(dropped)} clients that were dropped"
        table(title, ("client", "at", "because"), rows, left=3)
    else:
        say("no client was dropped")
    if of := found.get("bytes_of_catalogues"):
        told = ", ".join(f"{bytes_ / 1e6:,.0f} MB for {n:,} items" for n, bytes_ in of.items())
        say(f"bytes of a client's sums by the size of the block: {told}")
    if same := found.get("same_bits_as_central"):
        parts = ", ".join(f"{name} {'yes' if of else 'NO'}" for name, of in same.items())
        say(f"the same bits as the central fit: {parts}")
    if found.get("rho") is not None:
        say(f"spent: rho = {found['rho']:.4g} (zCDP of a whole client), the server being trusted")
    say(
        f"NDCG@10 of the federation: {interval(found['ndcg@10'])}; of the central fit on the same "
        f"block: {interval(found['central_ndcg@10'])}"
    )
