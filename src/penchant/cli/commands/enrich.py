"""The command ``penchant enrich``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Data, Json
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.enrichment import show_enriched
from penchant.errors import ConfigError, LanguageModelError

Llm = Annotated[
    Path | None,
    typer.Option("--llm", help="A TOML file of a language model; default: PENCHANT_LLM_URL ..."),
]


def enrich(
    data: Data,
    llm: Llm = None,
    items: Annotated[
        int | None, typer.Option(min=1, help="The first so many items; default: all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Have a language model give each item tags, a summary and an audience; goes on if ended."""
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
            say("interrupted; what was done is kept: run it again to go on")
        raise typer.Exit(130)
    if report.stopped or (report.failed and not report.done):
        raise LanguageModelError(
            f"{report.stopped or report.failed[-1][1]}; what was done before is kept: run it again "
            "to go on"
        )
    if not as_json:
        say(f"written to {data}; next: penchant fit {data} --out RUN")
