"""What a model is told of interests and reasons, and what comes of a text that it gives back."""

import re
from calendar import month_name
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penchant.data.dataset import Catalogue
from penchant.data.io.assembler import TOKENS
from penchant.recommendation.interests import Interest

NO_MODEL = "no language model is set up: these are the plain words"
TITLE = 200
"""Characters of a title that a model is told."""

_TITLES = 6  # of an interest
_TAGS = 5
_ALIAS = "unnamed item"


@dataclass
class Aliases:
    """Numbers for items without a title, so that no identifier goes into a prompt."""

    catalogue: Catalogue
    given: list[str] = field(default_factory=list)

    def name(self, item: str, title: str | None = None) -> str:
        """What a model is told of an item or of what an event was about besides."""
        if item not in self.catalogue.items:
            kind = next((prefix for prefix in TOKENS.values() if item.startswith(prefix)), "")
            return cut(title or item.removeprefix(kind), TITLE)
        title = title or self.catalogue.title(self.catalogue.items.index[item])
        return cut(title, TITLE) if title and title != item else self._number(item)

    def label(self, label: str) -> str:
        """What a model is told of an interest's label, which may be an identifier."""
        row = self.catalogue.items.index.get(label)
        nameless = row is not None and self.catalogue.title(row) in (None, "", label)
        return self._number(label) if nameless else cut(label, TITLE)

    def _number(self, item: str) -> str:
        if item not in self.given:
            self.given.append(item)
        return f"{_ALIAS} {self.given.index(item) + 1}"

    def back(self, text: str) -> str:
        """The text with identifiers in the place of the numbers."""

        def item(found: re.Match[str]) -> str:
            place = int(found[1]) - 1
            return self.given[place] if 0 <= place < len(self.given) else found[0]

        return re.sub(rf"\b{_ALIAS} (\d+)\b", item, text, flags=re.IGNORECASE)


@dataclass(frozen=True)
class Wording:
    """A text for a person.

    model   that wrote it; None where these are the plain words
    note    why they are; None where a model wrote the text
    """

    text: str
    model: str | None = None
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {"text": self.text, "model": self.model, "note": self.note}


def unanswered(error: Exception) -> str:
    """The note where a model failed."""
    return f"the language model gave no answer, these are the plain words: {str(error)[:400]}"


def refused(reason: str) -> str:
    """The note where a text was not taken."""
    return f"the language model's text was refused, these are the plain words: {reason}"


def evidence(one: Interest, catalogue: Catalogue, aliases: Aliases) -> dict[str, Any]:
    """An interest for a model: shares in whole percent, no identifier."""
    items = list(zip(one.items, one.titles, strict=True))[:_TITLES]
    return {
        "titles": [aliases.name(item, title if title != item else None) for item, title in items],
        "tags": tags(one, catalogue),
        "behaviors": {name: round(100 * share) for name, share in one.behaviors.items()},
        "events": one.events,
        "last": month(one.last),
        "share": round(100 * one.weight),
    }


def tags(one: Interest, catalogue: Catalogue) -> dict[str, int]:
    """The tags of an interest's items, in whole percent of the items, the most common first."""
    rows = one.members.tolist() if catalogue.tags else []
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
    """The year of an ISO time, as a number that may be told."""
    return [] if at is None else [float(datetime.fromisoformat(at).year)]


def cut(text: str, longest: int) -> str:
    """A text on one line, of no more characters than that.

    >>> cut("green  tea, loose", 10)
    'green tea…'
    """
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def listed(names: Iterable[str]) -> str:
    """Names one after the other.

    >>> listed(["A", "B", "C"])
    'A, B and C'
    """
    names = list(names)
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
