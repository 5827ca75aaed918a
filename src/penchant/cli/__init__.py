"""The command line: ``penchant COMMAND``; each prints for a person, or one JSON document."""

import sys

import typer

from penchant import __version__
from penchant.cli import (
    asked,
    data,
    enriched,
    federated,
    forgotten,
    interests,
    models,
    service,
    using,
    worded,
)
from penchant.cli.output import errors
from penchant.errors import PenchantError

app = typer.Typer(
    name="penchant",
    help="A recommender that fuses what people did, where, and what the items are.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (
    *(data, enriched, models, using, asked, forgotten, interests),
    *(worded, service, federated),
):
    module.add(app)


def _version(asked: bool) -> None:
    if asked:
        print(f"penchant {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """A recommender that fuses what people did, where, and what the items are."""


def main() -> None:
    """Run the command line; an error of the input is one line on stderr and exit code 1."""
    try:
        app()
    except PenchantError as error:
        errors.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        sys.exit(0)
