"""The command that shows a user's interests, and takes what the user says of them."""

from typing import Annotated, Any

import typer

from penchant.cli.data import Json
from penchant.cli.models import Run
from penchant.cli.output import emit, number, say, table, working
from penchant.cli.worded import InWords, Llm, model_of, show_named
from penchant.errors import ConfigError


def add(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(interests)


def interests(
    run: Run,
    user: Annotated[str, typer.Option("--user", help="A user of the run.")],
    mute: Annotated[
        list[str] | None, typer.Option(help="An interest whose items no list holds.")
    ] = None,
    boost: Annotated[
        list[str] | None, typer.Option(help="ID=FACTOR: odds of its items, times this.")
    ] = None,
    reset: Annotated[
        list[str] | None, typer.Option(help="An interest to leave as the events have it.")
    ] = None,
    delete: Annotated[
        list[str] | None, typer.Option(help="An interest to erase, its events with it.")
    ] = None,
    in_words: InWords = False,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """Show what a user is interested in; mute, boost or delete an interest."""
    from penchant.model import load, save_controls
    from penchant.updating import erase

    with working(f"loading {run}") as told:
        model = load(run)
        told("finding interests")
        said = [(one, 0.0) for one in mute or []]
        said += [_boosted(text) for text in boost or []]
        said += [(one, 1.0) for one in reset or []]
        erased: list[dict[str, Any]] = []
        for one, factor in said:
            model = model.steer(user, one, factor)
        if said:
            save_controls(model, run)
        for one in delete or []:
            rows = model.interests(user).named(one).rows
            told(f"erasing {len(rows):,} events")
            model, receipt = erase(model.steer(user, one, 1.0), user, rows)
            erased.append({"interest": one, **receipt.to_dict()})
        if erased:
            model.save(run)
        found = model.interests(user)
    content = found.to_dict()
    if in_words:
        from penchant.language.naming import named

        words = named(found, model.dataset.catalogue, model_of(llm))
        content["worded"] = words.to_dict()
    if as_json:
        emit(content | ({"erased": erased} if erased else {}))
        return
    show_interests(content)
    if in_words:
        show_named(content["worded"])
    for gone in erased:
        say(
            f"{gone['interest']}: {gone['events']:,} events erased; solved again: "
            f"{gone['solved']:,} of {gone['columns']:,} columns"
        )
        say(f"until the next fit as they were: {', '.join(gone['left'])}")


def show_interests(content: dict[str, Any]) -> None:
    """Print interests, the weightiest first."""
    rows = [
        (
            one["id"],
            one["label"],
            f"{one['weight']:.0%}",
            {0: "muted", 1: ""}.get(one["factor"], f"x{number(one['factor'], 1)}"),
            str(one["events"]),
            _shares(one["behaviors"]),
            _shares(one["domains"]),
            (one["last"] or "")[:10],
        )
        for one in content["interests"]
    ]
    names = ("id", "interest", "weight", "", "events", "by behavior", "by domain", "last active")
    several = {name for one in content["interests"] for name in one["domains"]}
    told = {3: any(row[3] for row in rows), 6: len(several) > 1, 7: any(row[7] for row in rows)}
    shown = [n for n in range(len(names)) if told.get(n, True)]
    cells = [[row[n] for n in shown] for row in rows]
    table(f"Interests of user {content['user']}", [names[n] for n in shown], cells, left=2)
    for one in content["interests"]:
        say(f"{one['id']} because of: {', '.join(one['titles'][:5])}")
    if content["strays"] > 0.005:
        say(f"in none of them: {content['strays']:.0%} of the weight of events")


def _shares(of: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in of.items())


def _boosted(text: str) -> tuple[str, float]:
    one, _, factor = text.partition("=")
    try:
        return one, float(factor)
    except ValueError:
        raise ConfigError(f"expected --boost ID=FACTOR, such as {one}=2, received {text}") from None
