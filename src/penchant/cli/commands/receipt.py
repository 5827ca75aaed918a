"""The command ``penchant receipt``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Json, KeyFile
from penchant.cli.views.console import emit, say
from penchant.errors import ConfigError


def receipt(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A receipt, as penchant forget --receipt or DELETE /users/ID gives it.",
        ),
    ],
    key: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Check the signature of an erasure receipt.

    It is valid, altered, or signed with another key; the exit status is 0 where it is valid.

    Examples
    --------
    penchant receipt ann.json
    """
    from penchant.privacy.erasure.receipts import read_receipt, verdict
    from penchant.storage.signing_key import default_key_path, load_key

    content = read_receipt(file)
    place = default_key_path() if key is None else key
    if not place.is_file():  # a key that is made now has signed nothing
        raise ConfigError(f"expected the key {content.get('key')} at {place}, found no file there")
    outcome = verdict(content, load_key(place))
    emit({"receipt": str(file), "verdict": outcome}) if as_json else say(f"{file}: {outcome}")
    if outcome != "valid":
        raise typer.Exit(1)
