"""A user's interests, and their names."""

from typing import Any

from penchant.cli.views.console import number, say, table


def show_interests(content: dict[str, Any]) -> None:
    """Print interests, the weightiest first."""
    rows = [
        (
            interest["id"],
            interest["label"],
            f"{interest['weight']:.0%}",
            {0: "muted", 1: ""}.get(interest["factor"], f"x{number(interest['factor'], 1)}"),
            str(interest["events"]),
            _shares(interest["behaviors"]),
            _shares(interest["domains"]),
            (interest["last"] or "")[:10],
        )
        for interest in content["interests"]
    ]
    names = ("id", "interest", "weight", "", "events", "by behavior", "by domain", "last active")
    several = {name for interest in content["interests"] for name in interest["domains"]}
    visible = {3: any(row[3] for row in rows), 6: len(several) > 1, 7: any(row[7] for row in rows)}
    shown = [n for n in range(len(names)) if visible.get(n, True)]
    cells = [[row[n] for n in shown] for row in rows]
    table(f"Interests of user {content['user']}", [names[n] for n in shown], cells, 2, names[5:7])
    for interest in content["interests"]:
        say(f"{interest['id']} because of: {', '.join(interest['titles'][:5])}")
    if content["unassigned"] > 0.005:
        say(f"in no interest: {content['unassigned']:.0%} of the weight of the events")


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def show_named(worded: dict[str, Any]) -> None:
    """Print interests in words."""
    for interest in worded["interests"]:
        say(f"{interest['id']} {interest['name']}: {interest['sentence']}")
    show_note(worded["note"])


def show_note(note: str | None) -> None:
    """Print a note, where there is one."""
    if note is not None:
        say(f"note: {note}")
