"""What a question asks for and what it rules out, read without a language model."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from penchant.data.dataset import Catalogue
from penchant.recommendation.text_search.tokens import words

_NOT = re.compile(
    r"[,;(]?\s*(?<!\w)(?:but\s+|and\s+|please\s+|aber\s+|mais\s+)?(?:i\s+)?"
    r"(?:(?:don['’]?t|do\s+not|does\s+not|never)(?:\s+(?:want|like|show|need|have))?"
    r"(?:\s+(?:me|any))?|anything\s+but|not(?!\s+(?:only|sure|just))|no|nor|without|neither"
    r"|except(?:\s+for)?|other\s+than|nothing\s+with"
    r"|keine?[rsnm]?|nicht(?!\s+nur)|ohne|nie|sans|jamais|ni|pas\s+de|pas|sin|senza|sem|non|не|без)"
    r"\s+(?P<what>[^,.;!?()]+?)(?=\s+(?:but|sondern|mais|pero|aber|he|she|it|they|i)\s|[,.;!?()]|$)"
    r"\)?|\bpas\s+d['’](?P<after>[^,.;!?()]+)",
    re.IGNORECASE,
)
_ASKED = re.compile(r"\bwhy\s+not\b", re.IGNORECASE)  # which rules nothing out
_PARTS = re.compile(
    r"\s+(?:and|or|nor|no|not|und|oder|et|ou|y|o|ni|noch)\s+|[,/&]\s*", re.IGNORECASE
)


class Understood(NamedTuple):
    """A question in parts.

    text   what is wanted, in words; empty where everything may come but what is ruled out
    none   tags that no item of the list may have
    domain that the items are of; None for any
    unmet  words that were ruled out and are no tag of the catalogue: they rule nothing out
    """

    text: str
    none: tuple[str, ...] = ()
    domain: str | None = None
    unmet: tuple[str, ...] = ()


def understood(text: str, catalogue: Catalogue) -> Understood:
    """A question split at its negations: "not horror", "without guns or blood", "ohne Krimis".

    What follows a negation, up to the next comma or stop, is ruled out where it names tags of the
    catalogue.
    """
    text = _ASKED.sub(" ", text)
    out = [
        part
        for found in _NOT.finditer(text)
        for part in _PARTS.split((found["what"] or found["after"]).strip())
        if part.strip()
    ]
    none, unmet = named_tags(out, catalogue)
    wanted = re.sub(r"\s+([,.;!?])", r"\1", " ".join(_NOT.sub(" ", text).split()))
    wanted = wanted.strip(" ,;.!?()")
    wanted = re.sub(r"^(?:but|sondern|mais|pero|aber)\s+", "", wanted, flags=re.IGNORECASE)
    return Understood(wanted, none, None, unmet)


def named_tags(
    phrases: Sequence[str], catalogue: Catalogue
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tags that phrases name, and the phrases that name none.

    A phrase names the tags all of whose words it holds; where there are none, those that hold all
    of its words ("guns" of "guns and ammunition").
    """
    tags = {tag: {*words(tag)} for tag in sorted({tag for of in catalogue.tags for tag in of})}
    found: list[str] = []
    unmet = []
    for phrase in phrases:
        said = {*words(phrase)}
        mine = [tag for tag, of in tags.items() if of and of <= said]
        mine = mine or [tag for tag, of in tags.items() if said and said <= of]
        found += mine
        if not mine:
            unmet.append(phrase.strip())
    return _once(found), _once(unmet)


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
