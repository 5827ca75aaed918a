"""How explanations are shown on the command line."""

from typing import Any

from penchant.cli.views.console import say, table
from penchant.errors import counted

_SHOWN = 10


def show_explanation(content: dict[str, Any]) -> None:
    """Print why an item has its score."""
    named = f"{content['item']} ({content['title']})" if content["title"] else content["item"]
    say(f"{named}: {content['sentence']}", "bold")
    rows = [
        (
            event["about"],
            event["title"] or "",
            event["behavior"],
            event["carried"] or "",
            str(event["age"]),
            *_part(event),
        )
        for event in content["reasons"][:_SHOWN]
    ]
    exact = bool(content["interests"])  # else no transition model: the score is no sum over events
    title = (
        f"The score of the transition model, {content['score']:.4f}, is the sum of these events"
        if exact
        else f"Of its score, {content['score']:.4f}, this much is lost without each event"
    )
    table(
        title,
        ("item", "title", "behavior", "related by", "events ago", "adds", "share"),
        rows,
        left=4,
    )
    rest = "rounding error of the sum" if exact else "what no event says alone"
    say(f"{rest}: {content['residue']:.1e}{_more(content['reasons'])}")
    if content["factor"] != 1:
        say(f"boosted interests multiply its odds by {content['factor']:.2f}")
    labeled = [(part["id"] or "", part["label"], *_part(part)) for part in content["interests"]]
    columns = ("id", "interest", "adds", "share")
    if exact:
        table("The same score by interest", columns, labeled, left=2)
    if content["parts"]:
        parts = [(part["label"], *_part(part)) for part in content["parts"]]
        title = "What each part adds to the log-odds, beside the mean of the 100 best items"
        table(title, ("part", "adds", "share"), parts)
    if content["deep"]:
        _show_deep(content["deep"])
    if without := content["without"]:
        cited = without["title"] or without["about"]
        say(
            f"without {cited} it would fall from rank {without['rank']:,} to "
            f"{without['removed']:,}; with that event masked its score falls by "
            f"{without['deleted']:.4f}"
        )


def _show_deep(deep: dict[str, Any]) -> None:
    rows = [
        (event["about"], event["title"] or "", event["behavior"], str(event["age"]), *_part(event))
        for event in deep["reasons"][:_SHOWN]
    ]
    title = (
        f"The logit of the sequence model, {deep['logit']:.2f}, of which {deep['baseline']:.2f} "
        "without any event; by integrated gradients"
    )
    table(title, ("item", "title", "behavior", "events ago", "adds", "share"), rows, left=3)
    say(f"error of the sum: {deep['residue']:.1e}{_more(deep['reasons'])}")


def _more(reasons: list[Any]) -> str:
    more = len(reasons) - _SHOWN
    return f" ({counted(more, 'more event')}: see --json)" if more > 0 else ""


def _part(part: dict[str, Any]) -> tuple[str, str]:
    return f"{part['contribution']:+.4f}", f"{part['share']:+.0%}"
