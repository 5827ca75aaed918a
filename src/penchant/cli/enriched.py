"""The command that has a language model describe items."""

from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.data import Json
from penchant.cli.models import Data
from penchant.cli.output import emit, say, working
from penchant.errors import ConfigError, LanguageModelError

Llm = Annotated[
    Path | None,
    typer.Option("--llm", help="A TOML file of a language model; default: PENCHANT_LLM_URL ..."),
]


def add(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(enrich)


def enrich(
    data: Data,
    llm: Llm = None,
    items: Annotated[
        int | None, typer.Option(min=1, help="The first so many items; default: all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Have a language model give each item tags, a summary and an audience; goes on if ended."""
    from penchant.language.enriching import INTERRUPTED
    from penchant.language.enriching import enrich as run
    from penchant.llm.chat import chat_of

    model = chat_of(llm)
    if model is None:
        raise ConfigError(
            "expected a language model, received none; give --llm FILE, or set PENCHANT_LLM_URL "
            "and PENCHANT_LLM_MODEL"
        )
    at_once = model.settings.concurrent
    with working(f"enriching {data}") as told:
        report = run(data, model, items=items, concurrent=at_once, told=told)
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


def show_enriched(content: dict[str, Any]) -> None:
    """Print the report of an enriching."""
    say(
        f"{content['items']:,} items: {content['done']:,} described now, {content['kept']:,} kept "
        f"from before, {content['textless']:,} without text, {content['failed']:,} failed, "
        f"{content['left']:,} not asked"
    )
    spent = content["spent"]
    money = f", {spent['money']:.4f} of money" if spent["money"] else ""
    say(
        f"{content['model']}: {spent['requests']:,} requests, {spent['cached']:,} replies from the "
        f"cache, {spent['read']:,} tokens read, {spent['written']:,} written, "
        f"{content['seconds']:.1f} s{money}"
    )
    if content["dropped"] or content["cut"]:
        say(
            f"of the replies, words left out: {content['dropped']:,}, texts cut: {content['cut']:,}"
        )
    for one in content["examples"]:
        say(f"failed: {one['item']}: {one['reason']}")
    if content["failed"] > len(content["examples"]):
        say(f"... and {content['failed'] - len(content['examples']):,} more")
