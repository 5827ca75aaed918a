"""The command ``penchant pseudonym``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Json
from penchant.cli.views.console import emit
from penchant.errors import ConfigError


def pseudonym(
    user: Annotated[str, typer.Argument(help="A user's identifier, as the files have it.")],
    key: Annotated[Path, typer.Option("--key", help="The key file of --pseudonyms.")],
    as_json: Json = False,
) -> None:
    """Print what stands for a user where data was ingested with --pseudonyms."""
    from penchant.data.cleaning.pseudonyms import pseudonym as made
    from penchant.storage.signing_key import key_of

    if not key.is_file():
        raise ConfigError(f"expected the key file of --pseudonyms at {key}, found none")
    found = made(user, key_of(key))
    emit({"user": user, "pseudonym": found}) if as_json else print(found)
