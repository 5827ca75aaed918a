"""A question in a person's own words: what it asks for, what it rules out, and the list for it."""

from dataclasses import dataclass, replace
from typing import Any

from penchant.data.dataset import Catalogue, Histories
from penchant.data.text_query import TextQuery
from penchant.errors import ConfigError
from penchant.recommendation.request import ListRequest
from penchant.recommendation.rules import Rules
from penchant.recommendation.text_search import ParsedQuery, parse_query

_LONGEST = 1000  # characters of a question


@dataclass(frozen=True)
class Question:
    """A question and what it was understood to mean.

    text    as it was asked
    parsed  what it asks for and what it rules out
    model   the language model that parsed it; None where none did
    notes   what a reader should know of it
    """

    text: str
    parsed: ParsedQuery
    model: str | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "asked": self.text,
            "wanted": self.parsed.text,
            "without": list(self.parsed.excluded_tags),
            "domain": self.parsed.domain,
            "model": self.model,
            "notes": list(self.notes),
        }

    def applied_to(self, history: Histories) -> Histories:
        """A history whose list is to fit what is wanted, and nothing else that was searched for."""
        if not self.parsed.text:
            return history
        return replace(history, queries=(TextQuery(self.parsed.text, 0, 0, 1.0),))

    def narrowed(self, request: ListRequest) -> ListRequest:
        """A request without what the question rules out, within its domain."""
        rules = request.rules or Rules()
        excluded = tuple(dict.fromkeys((*rules.tags_none, *self.parsed.excluded_tags)))
        rules = rules.model_copy(update={"tags_none": excluded})
        return replace(request, rules=rules, domain=request.domain or self.parsed.domain)


def parse_question(text: str, catalogue: Catalogue) -> Question:
    """Parse a question by its negations, without a language model.

    Raises ConfigError for a text without a word.
    """
    text = question_text(text)
    parsed = parse_query(text, catalogue)
    notes = tuple(
        f"no tag of the catalogue says {word!r}: nothing is left out for it"
        for word in parsed.unknown_words
    )
    return Question(text, parsed, None, notes)


def question_text(text: str) -> str:
    """A question without needless blanks, cut at 1,000 characters.

    Raises ConfigError for a text without a word.
    """
    text = " ".join(text.split())[:_LONGEST]
    if not any(character.isalnum() for character in text):
        raise ConfigError(f"expected a question with a word in it, received {text!r}")
    return text
