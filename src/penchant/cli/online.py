"""What lists did when they were shown: ``penchant evaluate RUN --online``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.output import emit, number, say, table, working
from penchant.errors import ConfigError, MissingExtraError

Database = Annotated[
    str | None,
    typer.Option(help="sqlite:///FILE or postgresql+psycopg://...; default: RUN.sqlite."),
]
Online = Annotated[
    bool, typer.Option("--online", help="By what a service showed and what was clicked.")
]

_SQLITE = "sqlite:///"
_VALUES = {
    "logged": "what was drawn",
    "ips": "the run, IPS",
    "snips": "the run, SNIPS",
    "gain": "the run (IPS) less what was drawn",
}


def evaluate_online(run: Path, database: str | None, as_json: bool) -> None:
    """Print clicks by arm, and what a run would have earned on the places that were drawn.

    Raises ConfigError where there is no store.
    """
    try:
        from penchant.serve.online import online
        from penchant.serve.store import Store
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "sqlalchemy", "serve") from error
    from penchant.cli.service import default_database

    address = database or default_database(run)
    file = Path(address.removeprefix(_SQLITE))
    if address.startswith(_SQLITE) and not file.exists():
        raise ConfigError(
            f"expected the store of a service, received {file}, which is not there; name it with "
            "--database"
        )
    store = Store(address)
    try:
        with working(f"reading {run} and its store"):
            content = {"run": str(run)} | online(run, store).to_dict()
    finally:
        store.close()
    emit(content) if as_json else show_online(content)


def show_online(content: dict[str, Any]) -> None:
    """Print what ``evaluate_online`` found."""
    say(f"a click: an event of {', '.join(content['behaviors'])} that carries the list's request")
    counts = ("users", "lists", "places", "clicks")
    rows = [
        (of["arm"], *(f"{of[name]:,}" for name in counts), *_bounds(of, "rate"))
        for of in content["arms"]
    ]
    title = "What was shown, by arm; clicks of a place with their 95 % interval"
    table(title, ("arm", *counts, "rate", "low", "high"), rows)
    for of in content["differences"]:
        value, low, high = _bounds(of, "difference")
        say(f"{of['arm']} less {of['against']}: {value} [{low}, {high}]")
    if content["slots"]:
        say(
            f"{content['slots']:,} places were drawn for {content['slot_users']:,} users, "
            f"{content['slots_clicked']:,} of them clicked; the run would choose what was drawn in "
            f"{content['slots_agreeing']:,} ({content['agreeing_clicked']:,} clicked), which weigh "
            f"as {content['ess']:,.0f} places"
        )
        rows = [(said, *_bounds(content, name)) for name, said in _VALUES.items()]
        table("Clicks of a drawn place", ("policy", "value", "low", "high"), rows)
    for note in content["notes"]:
        say(f"note: {note}")


def _bounds(of: dict[str, Any], name: str) -> tuple[str, str, str]:
    value, low, high = (number(of[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return value, low, high
