"""The command ``penchant similar``."""

from typing import Annotated

import typer

from penchant.cli.options import Count, Json, Run
from penchant.cli.views.console import emit, working
from penchant.cli.views.items import show_items


def similar(
    run: Run,
    item: Annotated[str, typer.Option("--item", help="An item of the run.")],
    k: Count = 10,
    as_json: Json = False,
) -> None:
    """List the items most like one."""
    from penchant.recommendation import load

    with working(f"loading {run}"):
        model = load(run)
    rows = [row._asdict() for row in model.similar(item, k)]
    if as_json:
        emit({"item": item, "items": rows})
        return
    show_items(f"Like {item}", rows)
