"""The command ``penchant export-user``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.commands.forget import Data
from penchant.cli.options import Database, Run
from penchant.cli.services import subject_access
from penchant.cli.views.console import emit, say, working
from penchant.errors import DataError


def export_user(
    run: Run,
    user: Annotated[str, typer.Option("--user", help="The user who asks.")],
    data: Data = None,
    database: Database = None,
    out: Annotated[Path | None, typer.Option(help="A JSON file; default: the screen.")] = None,
) -> None:
    """All that is held about one user, as JSON: in a run, in DATA and in a service's store."""
    from penchant.privacy.subject_access import gathered, in_directory
    from penchant.recommendation import load

    with working(f"loading {run}"):
        model = load(run)
    rows = {} if data is None else in_directory(data, user)
    kept: dict[str, Any] = {}
    if database is not None:
        store = subject_access(database)
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
