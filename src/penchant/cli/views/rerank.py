"""Lists that a language model re-ranked, and how good they are."""

from typing import TYPE_CHECKING, Any

from penchant.cli.views.console import interval, number, say, table

if TYPE_CHECKING:
    pass


def show_judged(found: dict[str, Any]) -> None:
    """Print what ``judge_run`` found."""
    below = found["settings"]["below"]
    who = f"{found['cases']:,} users with fewer than {below} events"
    if found["shortened"]:
        who = f"{found['cases']:,} users, cut to their latest {below - 1} events"
    rows = [
        (
            name,
            interval(found["without"][name]),
            interval(found["with"][name]),
            f"{of['value']:+.4f} [{of['low']:+.4f}, {of['high']:+.4f}]",
        )
        for name, of in found["less"].items()
    ]
    title = f"{found['model']} on {who} ({found['protocol']}); mean and 95 % interval"
    table(title, ("metric", "without", "with", "difference, paired"), rows)
    cost = found["cost"]
    own = ", ".join(f"{name} {value}" for name, value in found["settings"].items())
    say(f"settings: {own}")
    say(
        f"{cost['requests']:,} requests, {cost['cached']:,} kept from before; tokens: "
        f"{cost['read']:,} read, {cost['written']:,} written; {cost['seconds']:.1f} s of waiting; "
        f"cost {number(cost['money'])}"
    )
    dropped = [f"{found[name]:,} {name.replace('_', ' ')}" for name in ("invented", "repeated")]
    say(
        f"replies that failed: {found['failed']:,}; numbers dropped: {', '.join(dropped)}; items "
        f"left out: {found['left_out']:,}"
    )
    if found["wins"]:
        say("it wins, for the interval lies above 0: lists of such users are re-ranked")
    elif found["low"] > 0:
        say("too few cases to call it a win: lists stay as they are")
    else:
        say("it does not win, for the interval does not lie above 0: lists stay as they are")


def show_reordered(said: dict[str, Any]) -> None:
    """Print whether a model had a say in a list, or why not."""
    if said["used"]:
        say("note: the order is also by a language model; scores are the recommender's")
    for note in said["notes"]:
        say(f"note: {note}")
