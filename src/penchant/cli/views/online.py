"""Online evaluation: what was clicked."""

from typing import Any

from penchant.cli.views.console import number, say, table

_VALUES = {
    "logged": "what was drawn",
    "ips": "the run, IPS",
    "snips": "the run, SNIPS",
    "gain": "the run (IPS) less what was drawn",
}


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
