"""The command ``penchant interests``."""

from typing import Annotated, Any

import typer

from penchant.cli.options import InWords, Json, Llm, Run, model_of
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.interests import show_interests, show_named
from penchant.errors import ConfigError


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
    from penchant.recommendation import load, save_controls
    from penchant.training.update import without_events

    with working(f"loading {run}") as progress:
        model = load(run)
        progress("finding interests")
        said = [(one, 0.0) for one in mute or []]
        said += [_boosted(text) for text in boost or []]
        said += [(one, 1.0) for one in reset or []]
        erased: list[dict[str, Any]] = []
        for one, factor in said:
            model = model.with_interest_factor(user, one, factor)
        if said:
            save_controls(model.controls, run)
        for one in delete or []:
            rows = model.interests(user).by_id(one).rows
            progress(f"erasing {len(rows):,} events")
            model, receipt = without_events(model.with_interest_factor(user, one, 1.0), user, rows)
            erased.append({"interest": one, **receipt.to_dict()})
        if erased:
            model.save(run)
        found = model.interests(user)
    content = found.to_dict()
    if in_words:
        from penchant.llm.tasks.interest_names import named

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


def _boosted(text: str) -> tuple[str, float]:
    one, _, factor = text.partition("=")
    try:
        return one, float(factor)
    except ValueError:
        raise ConfigError(f"expected --boost ID=FACTOR, such as {one}=2, received {text}") from None
