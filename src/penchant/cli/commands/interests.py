"""The command ``penchant interests``."""

from typing import Annotated, Any

import typer

from penchant.cli.options import Json, Llm, OneUser, Run, Worded, language_model
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.interests import show_interests, show_named
from penchant.errors import ConfigError, counted


def interests(
    run: Run,
    user: OneUser,
    mute: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="List no items of this interest; may be repeated."),
    ] = None,
    boost: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID=FACTOR",
            help="Multiply the odds of its items, such as 21ef5d=2; may be repeated.",
        ),
    ] = None,
    reset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID", help="Undo --mute and --boost of this interest; may be repeated."
        ),
    ] = None,
    delete: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID", help="Erase this interest and its events from the run; may be repeated."
        ),
    ] = None,
    worded: Worded = False,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """Show what a user is interested in; mute, boost or delete an interest.

    Changes are saved in the run.

    Examples
    --------
    penchant interests run/ --user ann
    penchant interests run/ --user ann --boost 21ef5d=2 --mute 83385a
    """
    from penchant.recommendation import load, save_controls
    from penchant.training.update import without_events

    with working(f"loading {run}") as progress:
        model = load(run)
        progress("finding interests")
        factors = [(interest, 0.0) for interest in mute or []]
        factors += [_boosted(text) for text in boost or []]
        factors += [(interest, 1.0) for interest in reset or []]
        for interest, factor in factors:
            model = model.with_interest_factor(user, interest, factor)
        if factors:
            save_controls(model.controls, run)
        erased: list[dict[str, Any]] = []
        for interest in delete or []:
            rows = model.interests(user).by_id(interest).rows
            progress(f"erasing {counted(len(rows), 'event')}")
            model, receipt = without_events(
                model.with_interest_factor(user, interest, 1.0), user, rows
            )
            erased.append({"interest": interest, **receipt.to_dict()})
        if erased:
            model.save(run)
        profile = model.interests(user)
    content = profile.to_dict()
    if worded:
        from penchant.llm.tasks.interest_names import name_interests

        names = name_interests(profile, model.dataset.catalogue, language_model(llm))
        content["worded"] = names.to_dict()
    if as_json:
        emit(content | ({"erased": erased} if erased else {}))
        return
    show_interests(content)
    if worded:
        show_named(content["worded"])
    for gone in erased:
        say(
            f"{gone['interest']}: {counted(gone['events'], 'event')} erased; recomputed: "
            f"{gone['solved']:,} of {counted(gone['columns'], 'column')}"
        )
        say(f"unchanged until the next fit: {', '.join(gone['left'])}")


def _boosted(text: str) -> tuple[str, float]:
    interest, _, factor = text.partition("=")
    try:
        return interest, float(factor)
    except ValueError:
        raise ConfigError(
            f"expected --boost ID=FACTOR, such as {interest}=2, received {text}"
        ) from None
