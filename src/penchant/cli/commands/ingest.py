"""The command ``penchant ingest``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import (
    Force,
    Json,
    KeyFile,
    Pseudonyms,
    RecipeFile,
    Sets,
    Verbose,
    vacant,
)
from penchant.cli.views.cleaning import show_cleaning
from penchant.cli.views.console import emit, say, working
from penchant.config import Recipe


def ingest(
    events: Annotated[
        Path,
        typer.Argument(
            metavar="EVENTS",
            help="Who did what with which item: a CSV, TSV, JSONL or Parquet file, or a folder.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The DATA folder that is written.")],
    items: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Items with titles, tags, prices ..."),
    ] = None,
    users: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Users with attributes, such as country."),
    ] = None,
    relations: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who follows or knows whom: two users."),
    ] = None,
    impressions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Which items were shown to whom, and whether they were clicked."
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Which column is which, a TOML file, where the names differ from user, item, "
            "behavior and timestamp.",
            show_default="names as they are",
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Encoding of the text files, such as latin-1 or gbk.",
            show_default="utf-8",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop with an error at the first problem found.")
    ] = False,
    pseudonyms: Pseudonyms = None,
    tombstones: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Leave out users who were forgotten, as listed in this DATA folder or file.",
            show_default="those of --out",
        ),
    ] = None,
    key: KeyFile = None,
    recipe: RecipeFile = None,
    sets: Sets = None,
    force: Force = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Read files of events and items, clean them and write a DATA folder.

    Examples
    --------
    penchant ingest events.csv --items items.csv --out data/
    penchant ingest events.csv --mapping columns.toml --out data/ --set cleaning.bots=drop
    """
    from penchant.data.ingest import ingest as run
    from penchant.data.tombstones import read_tombstones
    from penchant.storage.signing_key import load_key

    vacant(out, force)
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
            pseudonyms=None if pseudonyms is None else load_key(pseudonyms, say),
            tombstones=None if tombstones is None else read_tombstones(tombstones),
            key=None if key is None else load_key(key),
        )
    if as_json:
        emit({"out": str(out), **report.to_dict()})
        return
    show_cleaning(report, verbose)
    say(f"written to {out}; next: penchant fit {out} --out RUN")
