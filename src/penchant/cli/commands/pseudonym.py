"""The command ``penchant pseudonym``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Json
from penchant.cli.views.console import emit
from penchant.errors import ConfigError


def pseudonym(
    user: Annotated[
        str, typer.Argument(metavar="USER", help="ID of a user, as the original files have it.")
    ],
    key: Annotated[
        Path,
        typer.Option(
            "--key", metavar="FILE", help="The key that penchant ingest --pseudonyms was given."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Print the pseudonym of a user.

    Examples
    --------
    penchant pseudonym ann --key ids.key
    """
    from penchant.data.cleaning.pseudonyms import pseudonym as pseudonym_of
    from penchant.storage.signing_key import load_key

    if not key.is_file():
        raise ConfigError(f"expected the key file of --pseudonyms at {key}, found none")
    name = pseudonym_of(user, load_key(key))
    emit({"user": user, "pseudonym": name}) if as_json else print(name)
