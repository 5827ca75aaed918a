"""A question in a person's own words: what it asks for, what it rules out, and the list for it."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, Field

from penchant.data.dataset import Catalogue, Histories
from penchant.data.text_query import TextQuery
from penchant.errors import ConfigError, LanguageModelError
from penchant.llm.client import LanguageModel
from penchant.llm.client.prompts import prompt
from penchant.recommendation import Model
from penchant.recommendation.rerank import Reranked, Reranker, Rules
from penchant.recommendation.text_search import ParsedQuery, parse_query

_TAGS = 200  # the most frequent ones, which a model is told
_LONGEST = 1000  # characters of a question


class _Reply(BaseModel):
    wanted: str = Field(max_length=300)
    avoid: list[str] = Field(max_length=20)
    domain: str | None


@dataclass(frozen=True)
class Question:
    """A question as it was understood, by a model's name or None, with what is to be said of it."""

    asked: str
    read: ParsedQuery
    model: str | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        read = self.read
        return {
            "asked": self.asked,
            "wanted": read.text,
            "without": list(read.excluded_tags),
            "domain": read.domain,
            "model": self.model,
            "notes": list(self.notes),
        }

    def of(self, given: Histories) -> Histories:
        """The history of who asks, with what they want as all that the list is about."""
        said = (TextQuery(self.read.text, 0, 0, 1.0),) if self.read.text else given.queries
        return replace(given, queries=said)

    def within(self, rules: Rules) -> Rules:
        """Rules with what the question rules out."""
        none = tuple(dict.fromkeys((*rules.tags_none, *self.read.excluded_tags)))
        return rules.model_copy(update={"tags_none": none})


def question(text: str, catalogue: Catalogue, model: LanguageModel | None = None) -> Question:
    """A question, read by a language model where there is one, else by its negations.

    What the model rules out must be tags of the catalogue, and its domain one of the catalogue's:
    the rest is dropped, and a note counts it. Raises ConfigError for a text without a word.
    """
    text = " ".join(text.split())[:_LONGEST]
    if not any(character.isalnum() for character in text):
        raise ConfigError(f"expected a question with a word in it, received {text!r}")
    if model is not None:
        try:
            return _read(text, catalogue, model)
        except LanguageModelError as error:
            notes: tuple[str, ...] = (f"read without a language model: {error}",)
    else:
        notes = ()
    read = parse_query(text, catalogue)
    notes += tuple(
        f"no tag of the catalogue says {word!r}: nothing is left out for it"
        for word in read.unknown_words
    )
    return Question(text, read, None, notes)


def _read(text: str, catalogue: Catalogue, model: LanguageModel) -> Question:
    counted = Counter(tag for of in catalogue.tags for tag in set(of))
    shown = [tag for tag, _ in counted.most_common(_TAGS)]
    domains = list(catalogue.domains) if len(catalogue.domains) > 1 else []
    data = {"question": text, "tags": shown, "domains": domains}
    reply = model.ask(prompt("ask", data, about_users=True), _Reply)
    none = tuple(dict.fromkeys(tag for tag in reply.avoid if tag in counted))
    lost = len(set(reply.avoid) - set(none))
    domain = reply.domain if reply.domain in catalogue.domains else None
    lost += reply.domain is not None and bool(domains) and domain is None
    left = sum(1 for of in catalogue.tags if set(of).isdisjoint(none))
    if 3 * left < len(catalogue):  # it said the tags that it was told, not those of the question
        raise LanguageModelError(f"{model.name} ruled out most of the catalogue")
    wanted = " ".join(reply.wanted.split())
    if not wanted and not none and domain is None:
        raise LanguageModelError(
            f"{model.name}: expected something of the question, received none of it"
        )
    notes = (
        (f"{lost} tags or domains that the catalogue does not have were dropped",) if lost else ()
    )
    return Question(text, ParsedQuery(wanted, none, domain), model.name, notes)


def ask(
    model: Model,
    text: str,
    user: str | None = None,
    history: list[str] | None = None,
    *,
    k: int = 10,
    behavior: str | None = None,
    domain: str | None = None,
    rules: Rules | None = None,
    language: LanguageModel | None = None,
) -> tuple[Reranked, Question]:
    """The k items that fit a question, those that suit the user first, and how it was understood.

    Raises ConfigError as ``Model.recommend`` does.
    """
    if (user is None) == (history is None):
        raise ConfigError("expected a user or a history, one of the two")
    asked = question(text, model.dataset.catalogue, language)
    given = model.dataset.history(user) if user is not None else model.histories(history or [])[0]
    reranker = Reranker(model, asked.within(rules or Rules()))
    found = reranker(
        user,
        history,
        k=k,
        behavior=behavior,
        domain=domain or asked.read.domain,
        given=asked.of(given),
    )
    return found, asked
