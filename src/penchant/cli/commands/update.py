"""The command ``penchant update``."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from penchant.cli.commands.update_from_service import update_from_service
from penchant.cli.options import (
    Force,
    Json,
    KeyFile,
    Pseudonyms,
    RecipeFile,
    Run,
    Sets,
    Strict,
    Verbose,
    vacant,
)
from penchant.cli.views.cleaning import show_cleaning
from penchant.cli.views.console import emit, say, working
from penchant.config import Recipe
from penchant.errors import ConfigError, counted


def update(
    run: Run,
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="New events: CSV, TSV, JSONL or Parquet."),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="New or changed items."),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Which column is which, a TOML file as for penchant ingest.",
            show_default="names as they are",
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Take new events and forgotten users from a service's database instead, such as "
            "sqlite:///run.sqlite.",
        ),
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=1,
            help="With --database: update again and again, after so many seconds.",
            show_default="once",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the updated run is saved.",
            show_default="the run itself",
        ),
    ] = None,
    pseudonyms: Pseudonyms = None,
    key: KeyFile = None,
    strict: Strict = False,
    recipe: RecipeFile = None,
    sets: Sets = None,
    force: Force = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Add new events and items to a run without fitting it again.

    Examples
    --------
    penchant update run/ --events today.csv --items new.csv
    penchant update run/ --database sqlite:///run.sqlite --every 3600
    """
    if database is not None:
        if events is not None or items is not None or out is not None:
            raise ConfigError("expected --database alone, or files beside --events and --items")
        update_from_service(run, database, every, as_json, key, strict)
        return
    if strict:
        raise ConfigError("expected --strict beside --database, which erases forgotten users")
    from penchant.data.ingest import ingest
    from penchant.data.io.load import load
    from penchant.data.readers.column_mapping import BehaviorSettings, DataMapping
    from penchant.recommendation import load as load_model
    from penchant.storage.signing_key import load_key
    from penchant.training.update import update as update_model

    if events is None and items is None:
        raise ConfigError("expected --events, --items or both, or the --database of a service")
    if out is not None and out.resolve() != run.resolve():
        vacant(out, force)
    cleaning = Recipe.load(recipe, sets).cleaning
    with working(f"loading {run}") as progress, TemporaryDirectory() as scratch:
        model = load_model(run)
        progress("reading what is new")
        before = model.dataset
        secret = load_key(key, say) if before.tombstones else None
        columns = DataMapping() if mapping is None else DataMapping.load(mapping)
        behaviors = {
            b.name: BehaviorSettings(strength=b.strength, polarity=b.polarity)
            for b in before.catalogue.behaviors
        }
        unchanged = {"time": before.time, "target": before.target, "behaviors": behaviors}
        columns = columns.model_copy(update=unchanged)
        data = Path(scratch) / "data"
        report = ingest(
            events,
            data,
            items=items,
            mapping=columns,
            settings=cleaning,
            pseudonyms=None if pseudonyms is None else load_key(pseudonyms, say),
            tombstones=before.tombstones,
            key=secret,
        )
        progress("updating")
        updated, receipt = update_model(model, load(data), progress, key=secret)
        progress("saving")
        updated.save(out or run)
    if as_json:
        emit({"run": str(out or run), **receipt.to_dict(), "cleaning": report.to_dict()})
        return
    show_cleaning(report, verbose)
    for note in receipt.notes:
        say(f"note: {note}")
    say(
        f"{counted(receipt.events, 'event')}, {counted(receipt.users, 'new user')}, "
        f"{counted(receipt.items, 'new item')} added; recomputed: {receipt.solved:,} of "
        f"{counted(receipt.columns, 'column')}"
    )
    say(f"as after a new fit: {', '.join(receipt.exact)}")
    say(f"unchanged until the next fit: {', '.join(receipt.left)}")
