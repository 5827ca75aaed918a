"""The command ``penchant forget``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.options import Database, Json, KeyFile, Run
from penchant.cli.services import subject_access
from penchant.cli.views.console import emit, say, working
from penchant.errors import counted

Data = Annotated[Path | None, typer.Option(help="The DATA directory that the run is fitted on.")]


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
    from penchant.privacy.erasure.erase import ErasurePlaces, erase
    from penchant.storage.signing_key import key_of

    secret = key_of(key, None if as_json else say)
    with working(f"loading {run}") as progress:
        store = None if database is None else subject_access(database)
        places = ErasurePlaces(data, tuple(also or ()), store)
        erasure = erase(
            run, user, secret, places, out=out, strict=strict, days=deadline, progress=progress
        )
    content: Any = erasure.receipt
    if receipt is not None:
        receipt.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if as_json:
        emit({"run": str(out or run), **erasure.to_dict()})
        return
    say(
        f"{counted(erasure.users, 'user')} and {counted(erasure.events, 'event')} erased; solved "
        f"again: {erasure.solved:,} of {counted(erasure.columns, 'column')}"
    )
    for place, rows in content["erased"].items():
        if place != "run":
            removed = ", ".join(f"{count:,} of {name}" for name, count in rows.items())
            say(f"erased from {place}: {removed or 'nothing'}")
    say(f"as if they had never been there: {', '.join(erasure.exact)}")
    if erasure.refitted:
        say(f"fitted again without them: {', '.join(erasure.refitted)}")
    say(f"unchanged until the next fit: {', '.join(erasure.left)}; it is due by {erasure.deadline}")
    if content["still_held"]:
        say(f"still holding them: {', '.join(content['still_held'])}")
    where = f"in {receipt}" if receipt is not None else "not kept: --receipt FILE keeps it"
    say(f"receipt signed with the key {content['key']}, {where}")
