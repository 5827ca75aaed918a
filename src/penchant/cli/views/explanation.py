"""How explanations are shown on the command line."""

from typing import Any

from penchant.cli.views.console import say, table

_SHOWN = 10


def show_explanation(content: dict[str, Any]) -> None:
    """Print why an item has its score."""
    named = f"{content['item']} ({content['title']})" if content["title"] else content["item"]
    say(f"{named}: {content['sentence']}", "bold")
    rows = [
        (
            one["about"],
            one["title"] or "",
            one["behavior"],
            one["carried"] or "",
            str(one["age"]),
            *_part(one),
        )
        for one in content["reasons"][:_SHOWN]
    ]
    title = f"Transition score {content['score']:.4f}, the sum of these events"
    table(title, ("event", "title", "behavior", "tied by", "age", "part", "share"), rows, left=4)
    say(f"what the events do not add up to: {content['residue']:.1e}{_more(content['reasons'])}")
    if content["factor"] != 1:
        say(f"boosted interests multiply its odds by {content['factor']:.2f}")
    labeled = [(one["id"] or "", one["label"], *_part(one)) for one in content["interests"]]
    columns = ("id", "interest", "part", "share")
    table("The same score, the sum of these interests", columns, labeled, left=2)
    if content["parts"]:
        parts = [(one["label"], *_part(one)) for one in content["parts"]]
        table("Each part's log-odds, less its mean over the 100 best", ("part", "", "share"), parts)
    if content["deep"]:
        _show_deep(content["deep"])
    if without := content["without"]:
        cited = without["title"] or without["about"]
        say(
            f"without {cited}: from rank {without['rank']:,} to {without['removed']:,}; masked, "
            f"with all ages as they are, its score falls by {without['deleted']:.4f}"
        )


def _show_deep(deep: dict[str, Any]) -> None:
    rows = [
        (one["about"], one["title"] or "", one["behavior"], str(one["age"]), *_part(one))
        for one in deep["reasons"][:_SHOWN]
    ]
    title = (
        f"Sequence logit {deep['logit']:.2f}, {deep['baseline']:.2f} of it without any event; by "
        "integrated gradients"
    )
    table(title, ("event", "title", "behavior", "age", "part", "share"), rows, left=3)
    say(f"what the events do not add up to: {deep['residue']:.1e}{_more(deep['reasons'])}")


def _more(reasons: list[Any]) -> str:
    more = len(reasons) - _SHOWN
    return f" ({more} more events not shown; --json has all)" if more > 0 else ""


def _part(one: dict[str, Any]) -> tuple[str, str]:
    return f"{one['contribution']:+.4f}", f"{one['share']:+.0%}"
