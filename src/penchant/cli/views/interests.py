"""A user's interests, and their names."""

from typing import Any

from penchant.cli.views.console import number, say, table


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
    if content["unassigned"] > 0.005:
        say(f"in none of them: {content['unassigned']:.0%} of the weight of events")


def _shares(of: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in of.items())


def show_named(worded: dict[str, Any]) -> None:
    """Print interests in words."""
    for one in worded["interests"]:
        say(f"{one['id']} {one['name']}: {one['sentence']}")
    show_note(worded["note"])


def show_note(note: str | None) -> None:
    """Print what became of a model, where there is anything to tell."""
    if note is not None:
        say(f"note: {note}")
