"""What a prompt says of interests and reasons, and what comes of a text that a model gives back."""

import re
from calendar import month_name
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

from penchant.data.dataset import Catalogue
from penchant.data.io.assembler import TOKEN_PREFIXES
from penchant.recommendation.interests import Interest

NO_MODEL = "no language model is configured: this is the text without one"
TITLE = 200
"""Characters of a title in a prompt."""

_TITLES = 6  # of an interest
_TAGS = 5
_ALIAS = "unnamed item"


@dataclass
class Aliases:
    """Numbers for items without a title, so that no identifier goes into a prompt."""

    catalogue: Catalogue
    given: list[str] = field(default_factory=list)

    def name(self, item: str, title: str | None = None) -> str:
        """How a prompt calls an item, or what else an event was about."""
        if item not in self.catalogue.items:
            kind = next(
                (prefix for prefix in TOKEN_PREFIXES.values() if item.startswith(prefix)), ""
            )
            return cut(title or item.removeprefix(kind), TITLE)
        title = title or self.catalogue.title(self.catalogue.items.index[item])
        return cut(title, TITLE) if title and title != item else self._number(item)

    def label(self, label: str) -> str:
        """How a prompt calls an interest's label, which may be an identifier."""
        row = self.catalogue.items.index.get(label)
        nameless = row is not None and self.catalogue.title(row) in (None, "", label)
        return self._number(label) if nameless else cut(label, TITLE)

    def _number(self, item: str) -> str:
        if item not in self.given:
            self.given.append(item)
        return f"{_ALIAS} {self.given.index(item) + 1}"

    def back(self, text: str) -> str:
        """The text with identifiers in the place of the numbers."""

        def item(alias: re.Match[str]) -> str:
            place = int(alias[1]) - 1
            return self.given[place] if 0 <= place < len(self.given) else alias[0]

        return re.sub(rf"\b{_ALIAS} (\d+)\b", item, text, flags=re.IGNORECASE)


class InterestEvidence(TypedDict):
    """What a prompt says of an interest; a saved profile keeps a digest of it.

    titles     of its items
    tags       of its items, in percent of the items; ``behaviors`` in percent of its events
    events     how many
    last       month of the last event
    share      percent of all that the user did
    """

    titles: list[str]
    tags: dict[str, int]
    behaviors: dict[str, int]
    events: int
    last: str | None
    share: int


@dataclass(frozen=True)
class Wording:
    """A text for a person.

    model   that wrote it; None where the text was written without one
    note    why it was; None where a model wrote the text
    """

    text: str
    model: str | None = None
    note: str | None = None

    def to_dict(self) -> dict[str, object]:
        """As JSON types."""
        return {"text": self.text, "model": self.model, "note": self.note}


def failure_note(error: Exception) -> str:
    """The note where a model failed."""
    return f"the language model gave no answer; this is the text without it: {str(error)[:400]}"


def refusal_note(reason: str) -> str:
    """The note where a text was not taken."""
    return f"the language model's text was refused; this is the text without it: {reason}"


def evidence(interest: Interest, catalogue: Catalogue, aliases: Aliases) -> InterestEvidence:
    """An interest as a prompt describes it: shares in whole percent, no identifier."""
    items = list(zip(interest.items, interest.titles, strict=True))[:_TITLES]
    return {
        "titles": [aliases.name(item, title if title != item else None) for item, title in items],
        "tags": tags(interest, catalogue),
        "behaviors": {name: round(100 * share) for name, share in interest.behaviors.items()},
        "events": interest.events,
        "last": month(interest.last),
        "share": round(100 * interest.weight),
    }


def tags(interest: Interest, catalogue: Catalogue) -> dict[str, int]:
    """The tags of an interest's items, in whole percent of the items, the most common first."""
    rows = interest.members.tolist() if catalogue.tags else []
    counts = Counter(cut(tag, TITLE) for row in rows for tag in set(catalogue.tags[row]))
    best = sorted(counts, key=lambda tag: (-counts[tag], tag))[:_TAGS]
    return {tag: round(100 * counts[tag] / len(rows)) for tag in best}


def parts(label: str) -> list[str]:
    """A label and the tags that it is made of."""
    return [label, *label.split(" · ")]


def month(at: str | None) -> str | None:
    """The month of an ISO time, in words.

    >>> month("2026-05-03T10:00:00+00:00")
    'May 2026'
    """
    if at is None:
        return None
    when = datetime.fromisoformat(at)
    return f"{month_name[when.month]} {when.year}"


def year(at: str | None) -> list[float]:
    """The year of an ISO time, as a number that a text may hold."""
    return [] if at is None else [float(datetime.fromisoformat(at).year)]


def cut(text: str, longest: int) -> str:
    """A text on one line, of no more characters than that.

    >>> cut("green  tea, loose", 10)
    'green tea…'
    """
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def join_names(names: Iterable[str]) -> str:
    """Names one after the other.

    >>> join_names(["A", "B", "C"])
    'A, B and C'
    """
    names = list(names)
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
