"""The command ``penchant recommend``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penchant.data.dataset import Histories
    from penchant.llm.tasks.rerank import Reordered
    from penchant.recommendation import Model

from typing import Annotated

import typer

from penchant.cli.options import (
    Count,
    Diversity,
    History,
    Json,
    ModelFile,
    Request,
    RulesFile,
    Run,
    Used,
    User,
    listed,
    model_of,
    rules_of,
)
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.items import show_items, show_ruled
from penchant.cli.views.rerank import show_reordered
from penchant.errors import ConfigError


def recommend(
    run: Run,
    user: User = None,
    history: History = None,
    everyone: Annotated[bool, typer.Option("--all", help="All users, into --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="A Parquet file, for --all.")] = None,
    k: Count = 10,
    behavior: Annotated[str | None, typer.Option(help="The behavior to predict.")] = None,
    domain: Annotated[str | None, typer.Option(help="Items of one domain only.")] = None,
    with_explanations: Annotated[
        bool, typer.Option("--explain", help="Add three reasons to each item.")
    ] = False,
    rules_file: RulesFile = None,
    diversity: Diversity = None,
    request: Request = "",
    reorder: Used = False,
    llm: ModelFile = None,
    as_json: Json = False,
) -> None:
    """List the best items for a user, for a history, or for all users."""
    from penchant.privacy.erasure.unlearn import notice
    from penchant.recommendation import load
    from penchant.recommendation.explain import with_reasons
    from penchant.recommendation.rerank import Reranked, reranked

    if sum([user is not None, history is not None, everyone]) != 1:
        raise ConfigError("expected one of --user, --history and --all")
    rules = rules_of(rules_file, diversity)
    if everyone and rules is not None:
        raise ConfigError("expected --rules and --diversity beside --user or --history, not --all")
    if reorder and (everyone or rules is not None):
        raise ConfigError("expected --reorder beside --user or --history, without rules")
    with working(f"loading {run}"):
        model = load(run)
    if everyone:
        if out is None:
            raise ConfigError("expected --out FILE.parquet beside --all")
        _everyone(model.with_target(behavior), out, k, domain, as_json)
        return
    given = listed(history)
    asked: dict[str, Any] = {"history": given, "k": k, "domain": domain, "behavior": behavior}
    past = model.histories(given or [])[0] if user is None else model.dataset.history(user)
    said: dict[str, Any] = {}
    if reorder:
        ordered = reordered_list(model, past, asked, user, llm)
        found, said = ordered.found, {"reordered": ordered.said}
    elif rules is None:
        found = model.recommend(user, **asked)
    else:
        found = reranked(model, user, **asked, rules=rules, request=request)
    if with_explanations:
        found = with_reasons(model.with_target(behavior), found, past)
    content = found.to_dict() | said
    if as_json:
        emit(content)
        return
    if (flag := notice(model)) is not None:
        say(f"note: {flag}")
    who = f"user {user}" if user is not None else "this history"
    show_items(f"For {who}, source: {found.source}", content["items"])
    if reorder:
        show_reordered(said["reordered"])
    if user is not None and user not in model.dataset.users:
        say(f"note: user {user!r} is not known to the run; these are the popular items")
    if isinstance(found, Reranked):
        show_ruled(found)
    if found.unknown:
        say(f"note: not in the catalogue: {', '.join(found.unknown)}")
    if found.short:
        say(f"note: only {len(found.items)} items are left to recommend")


def _everyone(model: Any, out: Path, k: int, domain: str | None, as_json: bool) -> None:
    import numpy as np

    from penchant.storage.database import write_parquet

    names = np.array(model.dataset.users.ids, object)
    items = np.array([*model.dataset.catalogue.items.ids, None], object)
    named = ("user", "item", "rank", "score", "probability", "source")
    columns: dict[str, list[Any]] = {name: [] for name in named}
    with working("recommending for all users", len(names)) as progress:
        for block in model.recommend_all(k, domain=domain):
            listed = block.items >= 0
            row, place = np.nonzero(listed)
            columns["user"].append(names[block.users[row]])
            columns["item"].append(items[block.items[listed]])
            columns["rank"].append(place + 1)
            columns["score"].append(block.scores[listed])
            columns["probability"].append(block.probability[listed])
            source = np.where(block.popular[listed], "popular", model.family).astype(object)
            if block.asked is not None:
                source[block.asked[listed] != None] = "asked"  # noqa: E711  # of each cell
            columns["source"].append(source)
            progress(int(block.users[-1]) + 1, len(names))
    write_parquet(out, {name: np.concatenate(parts) for name, parts in columns.items()})
    rows = sum(len(part) for part in columns["rank"])
    if as_json:
        emit({"out": str(out), "users": len(names), "rows": rows})
    else:
        say(f"{rows:,} rows for {len(names):,} users written to {out}")


def reordered_list(
    model: "Model", given: "Histories", asked: dict[str, Any], user: str | None, file: Path | None
) -> "Reordered":
    """The list of a user or a history, as ``Model.recommend`` takes it, with re-ranking."""
    from penchant.llm.tasks.rerank import reordered, wanted

    llm, k = model_of(file), asked["k"]
    head = model.with_target(asked["behavior"])
    found = model.recommend(user, **asked | {"k": wanted(head, llm, k)})
    return reordered(found, head, given, llm, k)
