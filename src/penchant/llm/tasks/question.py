"""Questions read by a language model: what one asks for and what it rules out."""

from collections import Counter
from dataclasses import replace

from pydantic import BaseModel, Field

from penchant.data.dataset import Catalogue
from penchant.errors import LanguageModelError
from penchant.llm.client import LanguageModel
from penchant.llm.client.prompts import prompt
from penchant.recommendation.question import Question, parse_question, question_text
from penchant.recommendation.text_search import ParsedQuery

_TAGS = 200  # the most frequent ones, which a model is told


class _Reply(BaseModel):
    wanted: str = Field(max_length=300)
    avoid: list[str] = Field(max_length=20)
    domain: str | None


def read_question(text: str, catalogue: Catalogue, model: LanguageModel | None = None) -> Question:
    """A question, read by a language model where there is one, else by its negations.

    What the model rules out must be tags of the catalogue, and its domain one of the catalogue's:
    the rest is dropped, and a note counts it. Raises ConfigError for a text without a word.
    """
    if model is None:
        return parse_question(text, catalogue)
    text = question_text(text)
    try:
        return _read(text, catalogue, model)
    except LanguageModelError as error:
        plain = parse_question(text, catalogue)
        return replace(plain, notes=(f"read without a language model: {error}", *plain.notes))


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
