"""The command ``penchant keys``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.options import Database, Json, default_database
from penchant.cli.services import open_store, service_parts
from penchant.cli.views.console import emit, say, table
from penchant.errors import ConfigError


def keys(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN", help="The run that the service serves.", show_default="see --database"
        ),
    ] = None,
    database: Database = None,
    new: Annotated[
        str | None,
        typer.Option("--add", metavar="NAME", help="Create a key with this name, such as website."),
    ] = None,
    scopes: Annotated[
        str, typer.Option(metavar="NAMES", help="What the new key opens: read,write,admin.")
    ] = "read",
    revoke: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Revoke the key with this ID."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List, create and revoke the API keys of a service.

    Examples
    --------
    penchant keys run/ --add website --scopes read,write
    """
    service_parts()
    from penchant.serve.api.api_keys import ApiKeys

    if run is None and database is None:
        raise ConfigError("expected a RUN or --database")
    store_keys = ApiKeys(open_store(database or default_database(run or Path())))
    secret = None
    if new is not None:
        secret = store_keys.add(new, set(filter(None, scopes.split(","))))
    if revoke is not None:
        store_keys.revoke(revoke)
    entries: list[dict[str, Any]] = [
        {**key._asdict(), "scopes": sorted(key.scopes)} for key in store_keys.list_all()
    ]
    if as_json:
        emit({"key": secret, "keys": entries})
        return
    rows = [
        (key["id"], key["name"], ", ".join(key["scopes"]), "revoked" if key["revoked"] else "")
        for key in entries
    ]
    table("Keys", ("id", "name", "scopes", ""), rows, left=4)
    if secret is not None:
        say(f"This key is shown only once: {secret}")
