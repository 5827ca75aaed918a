"""The command line: ``penchant COMMAND``; each prints for a person, or one JSON document."""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import typer

from penchant.cli.commands.ask import ask
from penchant.cli.commands.benchmark import benchmark
from penchant.cli.commands.demo import demo
from penchant.cli.commands.enrich import enrich
from penchant.cli.commands.evaluate import evaluate
from penchant.cli.commands.explain import explain
from penchant.cli.commands.export_user import export_user
from penchant.cli.commands.federate import federate
from penchant.cli.commands.fit import fit
from penchant.cli.commands.forget import forget
from penchant.cli.commands.ingest import ingest
from penchant.cli.commands.interests import interests
from penchant.cli.commands.keys import keys
from penchant.cli.commands.mcp import mcp
from penchant.cli.commands.profile import profile
from penchant.cli.commands.pseudonym import pseudonym
from penchant.cli.commands.receipt import receipt
from penchant.cli.commands.recommend import recommend
from penchant.cli.commands.serve import serve
from penchant.cli.commands.similar import similar
from penchant.cli.commands.update import update
from penchant.cli.help import DocumentedCommand, PanelGroup
from penchant.cli.views.console import errors
from penchant.errors import PenchantError

app = typer.Typer(
    name="penchant",
    help="A recommender that fuses what people did, where, and what the items are.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=PanelGroup,
    context_settings={"max_content_width": 100},
)
_PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Data": (demo, ingest),
    "Model": (fit, evaluate, benchmark),
    "Use": (recommend, similar, explain, interests, update),
    "Serve": (serve, keys, mcp),
    "Privacy": (forget, receipt, export_user, pseudonym, federate),
    "Language models": (ask, enrich, profile),
}
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(cls=DocumentedCommand, rich_help_panel=_panel)(_command)


def _version(wanted: bool) -> None:
    if wanted:
        from penchant import __version__  # read from the distribution, so only when it is asked for

        print(f"penchant {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """A recommender that fuses what people did, where, and what the items are."""


def _note(message: Warning | str, *_: Any) -> None:
    """Print a warning, such as that a setting has a new name, as one line on stderr."""
    errors.print(f"note: {message}", markup=False, highlight=False, soft_wrap=True)


def main() -> None:
    """Run the command line; an error of the input is one line on stderr and exit code 1."""
    warnings.showwarning = _note  # type: ignore[assignment]
    try:
        app()
    except PenchantError as error:
        errors.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        sys.exit(0)
