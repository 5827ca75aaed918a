"""The command ``penchant enrich``."""

from typing import Annotated

import typer

from penchant.cli.options import Data, Json, Llm
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.enrichment import show_enriched
from penchant.errors import ConfigError, LanguageModelError


def enrich(
    data: Data,
    llm: Llm = None,
    items: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER", min=1, help="Only the first items, to try it.", show_default="all"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Let a language model add tags, a summary and an audience to each item.

    What was done is kept: interrupted, the same command goes on where it ended.

    Examples
    --------
    penchant enrich data/ --llm llm.toml --items 20
    """
    from penchant.llm.client.openai_chat import chat_of
    from penchant.llm.tasks.enrich_items import INTERRUPTED
    from penchant.llm.tasks.enrich_items import enrich as run

    model = chat_of(llm)
    if model is None:
        raise ConfigError(
            "expected a language model, received none; give --llm FILE, or set PENCHANT_LLM_URL "
            "and PENCHANT_LLM_MODEL"
        )
    at_once = model.settings.concurrent
    with working(f"enriching {data}") as progress:
        report = run(data, model, items=items, concurrent=at_once, progress=progress)
    content = report.to_dict()
    emit(content) if as_json else show_enriched(content)
    if report.stopped == INTERRUPTED:
        if not as_json:
            say("interrupted; what was done is kept: run the same command to go on")
        raise typer.Exit(130)
    if report.stopped or (report.failed and not report.done):
        raise LanguageModelError(
            f"{report.stopped or report.failed[-1][1]}; what was done is kept: run the same "
            "command to go on"
        )
    if not as_json:
        say(f"written to {data}; next: penchant fit {data} --out RUN")
