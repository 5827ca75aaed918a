"""The command ``penchant update``."""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from penchant.cli.options import Database, Json, KeyFile, Pseudonyms, RecipeFile, Run, Sets, Strict
from penchant.cli.services import open_store, service_parts
from penchant.cli.views.console import emit, say, working
from penchant.config import Recipe
from penchant.errors import ConfigError


def refresh(
    run: Path,
    database: str,
    every: float | None,
    as_json: bool,
    key: Path | None = None,
    strict: bool = False,
) -> None:
    """Take what came into a store into its run, once or again and again; workers follow."""
    service_parts()
    from penchant.serve.service.refresh import refresh as refreshed
    from penchant.storage.signing_key import key_of

    secret = key_of(key, say if not as_json else None)
    store = open_store(database)
    while True:
        with working(f"reading {run} and its store") as progress:
            found = refreshed(run, store, progress=progress, key=secret, strict=strict)
        if as_json:
            emit({"run": str(run), **found.to_dict()})
        else:
            added, gone = found.added, found.forgotten
            say(
                f"{added.events if added else 0:,} events, {added.items if added else 0:,} new "
                f"items, {gone.users if gone else 0:,} users forgotten; solved again: "
                f"{sum(one.solved for one in (added, gone) if one):,} columns"
            )
            if found.receipt is not None:
                say(f"a signed receipt of who was forgotten: {json.dumps(found.receipt)}")
            for one in (added, gone):
                if one is not None:
                    say(f"as a new fit would have them: {', '.join(one.exact)}")
                    say(f"until the next fit as they were: {', '.join(one.left)}")
                    break
        if every is None:
            return
        time.sleep(every)


def update(
    run: Run,
    events: Annotated[Path | None, typer.Option(help="New events.")] = None,
    items: Annotated[Path | None, typer.Option(help="New items, or old ones anew.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="A TOML file of column names.")] = None,
    database: Database = None,
    every: Annotated[
        float | None, typer.Option(min=1, help="With --database: again after so many seconds.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Default: the run itself.")] = None,
    pseudonyms: Pseudonyms = None,
    key: KeyFile = None,
    strict: Strict = False,
    recipe: RecipeFile = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Take new events and items into a run, from files or from a service's store."""
    if database is not None:
        if events is not None or items is not None or out is not None:
            raise ConfigError("expected --database alone, or files beside --events and --items")
        refresh(run, database, every, as_json, key, strict)
        return
    if strict:
        raise ConfigError("expected --strict beside --database, which takes out who was forgotten")
    from penchant.data.ingest import ingest
    from penchant.data.io.load import load
    from penchant.data.readers.column_mapping import BehaviorSettings, DataMapping
    from penchant.recommendation import load as load_model
    from penchant.storage.signing_key import key_of
    from penchant.training.update import update as updated

    if events is None and items is None:
        raise ConfigError("expected --events, --items or both, or the --database of a service")
    cleaning = Recipe.load(recipe, sets).cleaning
    with working(f"loading {run}") as progress, TemporaryDirectory() as scratch:
        model = load_model(run)
        progress("reading what is new")
        old = model.dataset
        secret = key_of(key, say) if old.tombstones else None
        described = DataMapping() if mapping is None else DataMapping.load(mapping)
        behaviors = {
            b.name: BehaviorSettings(strength=b.strength, polarity=b.polarity)
            for b in old.catalogue.behaviors
        }
        as_before = {"time": old.time, "target": old.target, "behaviors": behaviors}
        described = described.model_copy(update=as_before)
        data = Path(scratch) / "data"
        report = ingest(
            events,
            data,
            items=items,
            mapping=described,
            settings=cleaning,
            pseudonyms=None if pseudonyms is None else key_of(pseudonyms, say),
            tombstones=old.tombstones,
            key=secret,
        )
        progress("updating")
        renewed, receipt = updated(model, load(data), progress, key=secret)
        progress("saving")
        renewed.save(out or run)
    if as_json:
        emit({"run": str(out or run), **receipt.to_dict(), "cleaning": report.to_dict()})
        return
    for line in report.lines():
        say(line)
    for note in receipt.notes:
        say(f"note: {note}")
    say(
        f"{receipt.events:,} events, {receipt.users:,} new users, {receipt.items:,} new items; "
        f"solved again: {receipt.solved:,} of {receipt.columns:,} columns"
    )
    say(f"as a new fit would have them: {', '.join(receipt.exact)}")
    say(f"until the next fit as they were: {', '.join(receipt.left)}")
