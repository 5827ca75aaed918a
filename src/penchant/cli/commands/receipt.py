"""The command ``penchant receipt``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Json, KeyFile
from penchant.cli.views.console import emit, say
from penchant.errors import ConfigError


def receipt(
    file: Annotated[Path, typer.Argument(help="A receipt, as --receipt and DELETE give it.")],
    key: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Say whether a receipt is as it was signed: valid, altered, or of another key."""
    from penchant.privacy.erasure.receipts import read_receipt, verdict
    from penchant.storage.signing_key import default_path, key_of

    content = read_receipt(file)
    place = default_path() if key is None else key
    if not place.is_file():  # a key that is made now has signed nothing
        raise ConfigError(f"expected the key {content.get('key')} at {place}, found no file there")
    found = verdict(content, key_of(place))
    emit({"receipt": str(file), "verdict": found}) if as_json else say(f"{file}: {found}")
    if found != "valid":
        raise typer.Exit(1)
