"""The answer to a question in plain words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penchant.cli.views.console import say
from penchant.cli.views.items import show_items
from penchant.errors import counted

if TYPE_CHECKING:
    from penchant.recommendation.question import Question


def show_answer(
    content: dict[str, Any],
    question: "Question",
    who: str,
    unknown_items: Sequence[str],
    stranger: bool,
) -> None:
    """Print how the question was read, and the items that fit it."""
    read = question.parsed
    parts = [f"wanted: {read.text}"] if read.text else []
    parts += [f"not wanted: {', '.join(read.excluded_tags)}"] if read.excluded_tags else []
    parts += [f"domain: {read.domain}"] if read.domain else []
    parts = parts or ["nothing in it is known to the catalogue"]
    say(f"{'; '.join(parts)} (read by {question.model or 'matching words'})")
    for note in question.notes:
        say(f"note: {note}")
    rows = [item | {"because": None} for item in content["items"]]  # the line above says it
    show_items(f"For {who}", rows)
    others = [str(place) for place, item in enumerate(rows, 1) if item["source"] != "asked"]
    if read.text and others:
        say(f"note: nothing more fits; listed for other reasons: {', '.join(others)}")
    if unknown_items:
        say(f"note: not in the catalogue: {', '.join(unknown_items)}")
    if stranger:
        say(f"note: {who} is not in the run: what fits is listed by popularity")
    if content["short"]:
        say(f"note: only {counted(len(rows), 'item')} left to list")
