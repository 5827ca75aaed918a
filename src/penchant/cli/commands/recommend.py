"""The command ``penchant recommend``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penchant.cli.commands.recommend_all import recommend_all
from penchant.cli.options import (
    Behavior,
    Count,
    Diversity,
    Domain,
    History,
    Json,
    Llm,
    Reorder,
    Request,
    RulesFile,
    Run,
    User,
    history_items,
    language_model,
    rules_from,
)
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.items import show_items, show_ruled
from penchant.cli.views.rerank import show_reordered
from penchant.errors import ConfigError, counted

if TYPE_CHECKING:
    from penchant.data.dataset import Histories
    from penchant.llm.tasks.rerank import LanguageReranking
    from penchant.recommendation import Model


def recommend(
    run: Run,
    user: User = None,
    history: History = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="For all users, into the file of --out.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --all: the Parquet file to write."),
    ] = None,
    k: Count = 10,
    behavior: Behavior = None,
    domain: Domain = None,
    with_explanations: Annotated[
        bool, typer.Option("--explain", help="Add up to three reasons to each item.")
    ] = False,
    rules_file: RulesFile = None,
    diversity: Diversity = None,
    request: Request = "",
    reorder: Reorder = False,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """List the best items for a user, for a history or for all users.

    Examples
    --------
    penchant recommend run/ --user ann --explain
    penchant recommend run/ --history tea,cup -k 5
    penchant recommend run/ --all --out lists.parquet
    """
    from penchant.privacy.erasure.unlearn import notice
    from penchant.recommendation import load
    from penchant.recommendation.explain import with_reasons
    from penchant.recommendation.rerank import Reranked

    if sum([user is not None, history is not None, everyone]) != 1:
        raise ConfigError("expected one of --user, --history and --all")
    rules = rules_from(rules_file, diversity)
    if everyone and rules is not None:
        raise ConfigError("expected --rules and --diversity beside --user or --history, not --all")
    if reorder and (everyone or rules is not None):
        raise ConfigError("expected --reorder beside --user or --history, without rules")
    with working(f"loading {run}"):
        model = load(run)
    if everyone:
        if out is None:
            raise ConfigError("expected --out FILE.parquet beside --all")
        recommend_all(model.with_target(behavior), out, k, domain, as_json)
        return
    items = history_items(history)
    query: dict[str, Any] = {"history": items, "k": k, "domain": domain, "behavior": behavior}
    past = model.histories(items or [])[0] if user is None else model.dataset.history(user)
    reordering: dict[str, Any] = {}
    if reorder:
        ordered = _reordered(model, past, query, user, llm)
        listed, reordering = ordered.found, {"reordered": ordered.status}
        if with_explanations:
            listed = with_reasons(model.with_target(behavior), listed, past)
    else:
        listed = model.recommend(
            user, **query, rules=rules, request_id=request, explain=with_explanations
        )
    content = listed.to_dict() | reordering
    if as_json:
        emit(content)
        return
    if (flag := notice(model.report)) is not None:
        say(f"note: {flag}")
    who = f"user {user}" if user is not None else "this history"
    show_items(f"For {who}, source: {listed.source}", content["items"])
    if reorder:
        show_reordered(content["reordered"])
    if user is not None and user not in model.dataset.users:
        say(f"note: user {user} is not in the run; these are the popular items")
    if isinstance(listed, Reranked):
        show_ruled(listed)
    if listed.unknown:
        say(f"note: not in the catalogue: {', '.join(listed.unknown)}")
    if listed.short:
        say(f"note: only {counted(len(listed.items), 'item')} left to recommend")


def _reordered(
    model: "Model", past: "Histories", query: dict[str, Any], user: str | None, llm: Path | None
) -> "LanguageReranking":
    """The list of a user or a history, as ``Model.recommend`` takes it, with re-ranking."""
    from penchant.llm.tasks.rerank import candidates_needed, rerank_list

    language, k = language_model(llm), query["k"]
    head = model.with_target(query["behavior"])
    listed = model.recommend(user, **query | {"k": candidates_needed(head, language, k)})
    return rerank_list(listed, head, past, language, k)
