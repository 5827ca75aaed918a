"""The command ``penchant forget``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Force, Json, KeyFile, Run, UserData, UserDatabase, vacant
from penchant.cli.services import subject_access
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.erasure import show_erased


def forget(
    run: Run,
    user: Annotated[
        list[str], typer.Option("--user", metavar="ID", help="ID of a user; may be repeated.")
    ],
    data: UserData = None,
    database: UserDatabase = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Another run, DATA folder or Parquet file with a column user; may be repeated.",
        ),
    ] = None,
    key: KeyFile = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Serve no deep expert until the next fit.")
    ] = False,
    deadline: Annotated[
        int,
        typer.Option(
            metavar="DAYS", min=0, help="Within how many days the run must be fitted again."
        ),
    ] = 30,
    receipt: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where the signed receipt is saved.", show_default="not saved"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the run without the users is saved.",
            show_default="the run itself",
        ),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Erase users from a run, with a signed receipt.

    The result is exact: the run is as if it had been fitted without them, but for what the output
    names, which waits for the next fit.

    Examples
    --------
    penchant forget run/ --user ann --data data/ --receipt ann.json
    """
    from penchant.privacy.erasure.erase import ErasurePlaces, erase
    from penchant.storage.signing_key import load_key

    if out is not None and out.resolve() != run.resolve():
        vacant(out, force)
    if receipt is not None:
        vacant(receipt, force, "--receipt")
    secret = load_key(key, None if as_json else say)
    with working(f"loading {run}") as progress:
        store = None if database is None else subject_access(database)
        places = ErasurePlaces(data, tuple(also or ()), store)
        erasure = erase(
            run, user, secret, places, out=out, strict=strict, days=deadline, progress=progress
        )
    if receipt is not None:
        receipt.write_text(json.dumps(erasure.receipt, indent=1) + "\n", encoding="utf-8")
    if as_json:
        emit({"run": str(out or run), **erasure.to_dict()})
    else:
        show_erased(erasure, receipt)
