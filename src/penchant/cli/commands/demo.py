"""The command ``penchant demo``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Force, Json, Verbose, vacant
from penchant.cli.views.console import emit, working


def demo(
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the data, the run and a report go.")
    ] = Path("penchant-demo"),
    users: Annotated[
        int, typer.Option(metavar="NUMBER", help="How many users the generated shop has.")
    ] = 2000,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Seed of everything random.")] = 0,
    serve: Annotated[
        bool, typer.Option("--serve", help="Then serve the run over HTTP, with its web console.")
    ] = False,
    port: Annotated[
        int, typer.Option(metavar="NUMBER", help="Port for --serve; 0 takes a free one.")
    ] = 8000,
    force: Force = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Try everything on a generated shop: clean, fit, compare, recommend, explain.

    It takes about a minute and needs no data of yours.

    Examples
    --------
    penchant demo
    penchant demo --serve
    """
    vacant(out, force)
    from penchant.cli.demo import demo as run
    from penchant.cli.views.demo import show

    with working("generating a shop") as progress:
        result = run(out, users=users, seed=seed, progress=progress)
    emit(result.to_dict()) if as_json else show(result, verbose)
    if serve:
        from penchant.cli.commands.serve import serve as serve_run

        serve_run(result.folder / "run", port=port, workers=1, open_=True)
