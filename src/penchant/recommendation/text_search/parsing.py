"""What a text asks for and what it rules out, parsed without a language model."""

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


class ParsedQuery(NamedTuple):
    """A text split into what it asks for and what it rules out.

    text            what is wanted, in words; empty where only something is ruled out
    excluded_tags   tags that no item of the list may have
    domain          of the items; None for any
    unknown_words   words that were ruled out but are no tag of the catalogue
    """

    text: str
    excluded_tags: tuple[str, ...] = ()
    domain: str | None = None
    unknown_words: tuple[str, ...] = ()


def parse_query(text: str, catalogue: Catalogue) -> ParsedQuery:
    """Split a text at its negations: "not horror", "without guns or blood", "ohne Krimis".

    What follows a negation, up to the next comma or full stop, is ruled out where it names tags of
    the catalogue.
    """
    text = _ASKED.sub(" ", text)
    phrases = [
        phrase
        for negation in _NOT.finditer(text)
        for phrase in _PARTS.split((negation["what"] or negation["after"]).strip())
        if phrase.strip()
    ]
    excluded, unknown = named_tags(phrases, catalogue)
    wanted = re.sub(r"\s+([,.;!?])", r"\1", " ".join(_NOT.sub(" ", text).split()))
    wanted = wanted.strip(" ,;.!?()")
    wanted = re.sub(r"^(?:but|sondern|mais|pero|aber)\s+", "", wanted, flags=re.IGNORECASE)
    return ParsedQuery(wanted, excluded, None, unknown)


def named_tags(
    phrases: Sequence[str], catalogue: Catalogue
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tags that phrases name, and the phrases that name none.

    A phrase names the tags all of whose words it holds; where there are none, those that hold all
    of its words ("guns" of "guns and ammunition").
    """
    every = {tag for item_tags in catalogue.tags for tag in item_tags}
    tag_words = {tag: {*words(tag)} for tag in sorted(every)}
    named: list[str] = []
    unknown = []
    for phrase in phrases:
        given = {*words(phrase)}
        tags = [tag for tag, own in tag_words.items() if own and own <= given]
        tags = tags or [tag for tag, own in tag_words.items() if given and given <= own]
        named += tags
        if not tags:
            unknown.append(phrase.strip())
    return _once(named), _once(unknown)


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
