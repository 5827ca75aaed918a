"""The command ``penchant keys``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.options import Database, Json, default_database
from penchant.cli.services import open_store, service_parts
from penchant.cli.views.console import emit, say, table
from penchant.errors import ConfigError


def keys(
    run: Annotated[Path | None, typer.Argument(help="The run whose store has the keys.")] = None,
    database: Database = None,
    new: Annotated[str | None, typer.Option("--add", help="Make a key of this name.")] = None,
    scopes: Annotated[str, typer.Option(help="read,write,admin: what it opens.")] = "read",
    revoke: Annotated[str | None, typer.Option(help="End the key of this id.")] = None,
    as_json: Json = False,
) -> None:
    """List, make and revoke the API keys of a service."""
    service_parts()
    from penchant.serve.api.api_keys import Keys

    if run is None and database is None:
        raise ConfigError("expected a RUN or --database")
    of = Keys(open_store(database or default_database(run or Path())))
    made = of.add(new, set(filter(None, scopes.split(",")))) if new is not None else None
    if revoke is not None:
        of.revoke(revoke)
    listed: list[dict[str, Any]] = [
        {**key._asdict(), "scopes": sorted(key.scopes)} for key in of.listed()
    ]
    if as_json:
        emit({"key": made, "keys": listed})
        return
    rows = [
        (key["id"], key["name"], ", ".join(key["scopes"]), "revoked" if key["revoked"] else "")
        for key in listed
    ]
    table("Keys", ("id", "name", "scopes", ""), rows, left=4)
    if made is not None:
        say(f"told this once: {made}")
