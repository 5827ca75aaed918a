"""The command ``penchant ingest``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Json, KeyFile, Pseudonyms, RecipeFile, Sets
from penchant.cli.views.console import emit, say, working
from penchant.config import Recipe


def ingest(
    events: Annotated[Path, typer.Argument(help="Events: CSV, TSV, JSONL, Parquet or a folder.")],
    out: Annotated[Path, typer.Option(help="The DATA directory to write.")],
    items: Annotated[Path | None, typer.Option(help="Items: titles, tags, prices ...")] = None,
    users: Annotated[Path | None, typer.Option(help="Users and their attributes.")] = None,
    relations: Annotated[Path | None, typer.Option(help="Who follows whom.")] = None,
    impressions: Annotated[
        Path | None, typer.Option(help="What was shown to whom, and whether it was clicked.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="A TOML file of column names.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of text: utf-8, latin-1, gbk ...")] = None,
    strict: Annotated[bool, typer.Option(help="Make every finding an error.")] = False,
    pseudonyms: Pseudonyms = None,
    tombstones: Annotated[
        Path | None, typer.Option(help="Drop who was forgotten: a DATA directory, or its file.")
    ] = None,
    key: KeyFile = None,
    recipe: RecipeFile = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Read raw files, clean them, report what was found, and write a DATA directory."""
    from penchant.data.ingest import ingest as run
    from penchant.data.tombstones import read_tombstones
    from penchant.storage.signing_key import key_of

    settings = Recipe.load(recipe, sets).cleaning
    with working(f"reading {events}"):
        report = run(
            events,
            out,
            items=items,
            users=users,
            relations=relations,
            impressions=impressions,
            mapping=mapping,
            settings=settings,
            strict=strict,
            encoding=encoding,
            pseudonyms=None if pseudonyms is None else key_of(pseudonyms, say),
            tombstones=None if tombstones is None else read_tombstones(tombstones),
            key=None if key is None else key_of(key),
        )
    if as_json:
        emit({"out": str(out), **report.to_dict()})
        return
    for line in report.lines():
        say(line)
    say(f"written to {out}; next: penchant fit {out} --out RUN")
