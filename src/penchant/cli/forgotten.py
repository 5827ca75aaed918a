"""The commands for the people in the data: forget, receipt, export-user, pseudonym."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.data import Json, KeyFile
from penchant.cli.models import Run
from penchant.cli.online import Database
from penchant.cli.output import emit, say, working
from penchant.errors import ConfigError, DataError, MissingExtraError

Data = Annotated[Path | None, typer.Option(help="The DATA directory that the run is fitted on.")]


def add(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (forget, receipt, export_user, pseudonym):
        app.command()(command)


def forget(
    run: Run,
    user: Annotated[list[str], typer.Option("--user", help="A user; may be repeated.")],
    data: Data = None,
    database: Database = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="A further run, DATA directory or Parquet file with a column user."),
    ] = None,
    key: KeyFile = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Serve no deep expert until the next fit.")
    ] = False,
    deadline: Annotated[int, typer.Option(min=0, help="Days until the next fit is due.")] = 30,
    receipt: Annotated[Path | None, typer.Option(help="Where the signed receipt goes.")] = None,
    out: Annotated[Path | None, typer.Option(help="Default: the run itself.")] = None,
    as_json: Json = False,
) -> None:
    """Erase users from a run, exactly: as if it had been fitted without them; with a receipt."""
    from penchant.data.keyed import key_of
    from penchant.privacy.erasure import Places, erase

    secret = key_of(key, None if as_json else say)
    with working(f"loading {run}") as told:
        store = None if database is None else _store(database)
        places = Places(data, tuple(also or ()), store)
        done, content = erase(
            run, user, secret, places, out=out, strict=strict, days=deadline, told=told
        )
    if receipt is not None:
        receipt.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    counted = done.receipt
    if as_json:
        emit({"run": str(out or run), **counted.to_dict(), "receipt": content})
        return
    say(
        f"{counted.users:,} users and {counted.events:,} events erased; solved again: "
        f"{counted.solved:,} of {counted.columns:,} columns"
    )
    for place, rows in content["erased"].items():
        if place != "run":
            listed = ", ".join(f"{count:,} of {name}" for name, count in rows.items())
            say(f"erased from {place}: {listed or 'nothing'}")
    say(f"as if they had never been: {', '.join(done.receipt.exact)}")
    if done.redone:
        say(f"fitted again without them: {', '.join(done.redone)}")
    say(f"until the next fit as they were: {', '.join(done.left)}; it is due by {done.deadline}")
    if content["still_held"]:
        say(f"still holding them: {', '.join(content['still_held'])}")
    where = f"in {receipt}" if receipt is not None else "not kept: --receipt FILE keeps it"
    say(f"receipt signed with the key {content['key']}, {where}")


def receipt(
    file: Annotated[Path, typer.Argument(help="A receipt, as --receipt and DELETE give it.")],
    key: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Say whether a receipt is as it was signed: valid, altered, or of another key."""
    from penchant.data.keyed import default_path, key_of
    from penchant.privacy.receipts import read_receipt, verdict

    content = read_receipt(file)
    place = default_path() if key is None else key
    if not place.is_file():  # a key that is made now has signed nothing
        raise ConfigError(f"expected the key {content.get('key')} at {place}, found no file there")
    found = verdict(content, key_of(place))
    emit({"receipt": str(file), "verdict": found}) if as_json else say(f"{file}: {found}")
    if found != "valid":
        raise typer.Exit(1)


def export_user(
    run: Run,
    user: Annotated[str, typer.Option("--user", help="The user who asks.")],
    data: Data = None,
    database: Database = None,
    out: Annotated[Path | None, typer.Option(help="A JSON file; default: the screen.")] = None,
) -> None:
    """All that is held about one user, as JSON: in a run, in DATA and in a service's store."""
    from penchant.model import load
    from penchant.privacy.subject import gathered, in_directory

    with working(f"loading {run}"):
        model = load(run)
    rows = {} if data is None else in_directory(data, user)
    kept: dict[str, Any] = {}
    if database is not None:
        store = _store(database)
        kept = store.held(user)
        store.close()
    found = gathered(user, {str(run): model}, kept, rows)
    if out is None:
        emit(found)
        return
    try:
        out.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}") from error
    say(f"all that is held about {user} is in {out}")


def pseudonym(
    user: Annotated[str, typer.Argument(help="A user's identifier, as the files have it.")],
    key: Annotated[Path, typer.Option("--key", help="The key file of --pseudonyms.")],
    as_json: Json = False,
) -> None:
    """Print what stands for a user where data was ingested with --pseudonyms."""
    from penchant.data.keyed import key_of
    from penchant.data.pseudonyms import pseudonym as made

    if not key.is_file():
        raise ConfigError(f"expected the key file of --pseudonyms at {key}, found none")
    found = made(user, key_of(key))
    emit({"user": user, "pseudonym": found}) if as_json else print(found)


def _store(address: str) -> Any:
    """The store of a service, which must be there already."""
    try:
        from penchant.serve.subject import Held
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "sqlalchemy", "serve") from error
    return Held.opened(address)
