"""The way of ``penchant recommend --all``: the lists of all users as a Parquet file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from penchant.cli.views.console import emit, say, working
from penchant.errors import counted

if TYPE_CHECKING:
    from penchant.recommendation import Model


def recommend_all(model: "Model", out: Path, k: int, domain: str | None, as_json: bool) -> None:
    """Write a row for each user and item: user, item, rank, score, probability, source."""
    import numpy as np

    from penchant.storage.database import write_parquet

    users = np.array(model.dataset.users.ids, object)
    items = np.array([*model.dataset.catalogue.items.ids, None], object)
    names = ("user", "item", "rank", "score", "probability", "source")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    with working("recommending for all users", len(users)) as progress:
        for block in model.recommend_all(k, domain=domain):
            listed = block.items >= 0
            row, place = np.nonzero(listed)
            columns["user"].append(users[block.users[row]])
            columns["item"].append(items[block.items[listed]])
            columns["rank"].append(place + 1)
            columns["score"].append(block.scores[listed])
            columns["probability"].append(block.probability[listed])
            source = np.where(block.popular[listed], "popular", model.family).astype(object)
            if block.queries is not None:
                source[block.queries[listed] != None] = "asked"  # noqa: E711  # of each cell
            columns["source"].append(source)
            progress(int(block.users[-1]) + 1, len(users))
    write_parquet(out, {name: np.concatenate(parts) for name, parts in columns.items()})
    rows = sum(len(part) for part in columns["rank"])
    if as_json:
        emit({"out": str(out), "users": len(users), "rows": rows})
    else:
        say(f"{counted(rows, 'row')} for {counted(len(users), 'user')} written to {out}")
