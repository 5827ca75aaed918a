"""Online evaluation: what was clicked."""

from typing import Any

from penchant.cli.views.console import number, say, table
from penchant.errors import counted

_VALUES = {
    "logged": "what was shown",
    "ips": "the run, IPS",
    "snips": "the run, SNIPS",
    "gain": "the run (IPS) minus what was shown",
}


def show_online(content: dict[str, Any]) -> None:
    """Print what ``evaluate_online`` found."""
    say(
        f"a click is a {' or '.join(content['behaviors'])} event that carries the request ID of "
        "a list"
    )
    counts = ("users", "lists", "impressions", "clicks")
    rows = [
        (variant["variant"], *(f"{variant[name]:,}" for name in counts), *_bounds(variant, "rate"))
        for variant in content["variants"]
    ]
    title = "Clicks by variant; clicks per impression with 95 % interval"
    table(title, ("variant", *counts, "rate", "low", "high"), rows)
    for pair in content["differences"]:
        value, low, high = _bounds(pair, "difference")
        say(f"{pair['variant']} minus {pair['baseline']}: {value} [{low}, {high}]")
    if content["slots"]:
        say(
            f"{counted(content['slots'], 'position')} explored for "
            f"{counted(content['slot_users'], 'user')}, {content['slots_clicked']:,} clicked; the "
            f"run would choose what was shown in {content['slots_agreeing']:,} "
            f"({content['agreeing_clicked']:,} clicked): an effective sample of "
            f"{content['ess']:,.0f}"
        )
        rows = [(label, *_bounds(content, name)) for name, label in _VALUES.items()]
        table("Clicks per explored position", ("policy", "value", "low", "high"), rows)
    for note in content["notes"]:
        say(f"note: {note}")


def _bounds(entry: dict[str, Any], name: str) -> tuple[str, str, str]:
    value, low, high = (number(entry[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return value, low, high
