"""The command ``penchant demo``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Json
from penchant.cli.views.console import emit, working


def demo(
    out: Annotated[Path, typer.Option(help="Where the data and the run are written.")] = Path(
        "penchant-demo"
    ),
    users: Annotated[int, typer.Option(help="Users of the generated world.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it afterwards, console and all.")
    ] = False,
    port: Annotated[int, typer.Option(help="For --serve; 0 takes a free one.")] = 8000,
    as_json: Json = False,
) -> None:
    """Run the whole job on a generated world: clean, fit, evaluate, recover, explain."""
    from penchant.cli.demo import demo as run
    from penchant.cli.views.demo import show

    with working("generating a world") as progress:
        result = run(out, users=users, seed=seed, progress=progress)
    emit(result.to_dict()) if as_json else show(result)
    if serve:
        from penchant.cli.commands.serve import serve as served

        served(result.folder / "run", port=port, workers=1, open_=True)
