"""The command ``penchant similar``."""

from penchant.cli.options import Count, Item, Json, Run
from penchant.cli.views.console import emit, working
from penchant.cli.views.items import show_items


def similar(
    run: Run,
    item: Item,
    k: Count = 10,
    as_json: Json = False,
) -> None:
    """List the items most like a given one.

    Examples
    --------
    penchant similar run/ --item tea
    """
    from penchant.recommendation import load

    with working(f"loading {run}"):
        model = load(run)
    rows = [row._asdict() for row in model.similar(item, k)]
    if as_json:
        emit({"item": item, "items": rows})
        return
    show_items(f"Most like {item}", rows)
