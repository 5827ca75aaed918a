"""The command ``penchant export-user``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.options import OneUser, Run, UserData, UserDatabase
from penchant.cli.services import subject_access
from penchant.cli.views.console import emit, say, working
from penchant.errors import DataError


def export_user(
    run: Run,
    user: OneUser,
    data: UserData = None,
    database: UserDatabase = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the JSON document here.", show_default="screen"),
    ] = None,
) -> None:
    """Export everything that is stored about one user, as JSON.

    It answers a request for access to personal data.

    Examples
    --------
    penchant export-user run/ --user ann --data data/ --out ann.json
    """
    from penchant.privacy.subject_access import collect, directory_rows
    from penchant.recommendation import load

    with working(f"loading {run}"):
        model = load(run)
    rows = {} if data is None else directory_rows(data, user)
    stored: dict[str, Any] = {}
    if database is not None:
        store = subject_access(database)
        stored = store.records(user)
        store.close()
    content = collect(user, {str(run): model}, stored, rows)
    if out is None:
        emit(content)
        return
    try:
        out.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}") from error
    say(f"everything stored about user {user} is in {out}")
