"""What a model may say of an item: a few words, one sentence, and nothing else."""

import hashlib
import html
import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from penchant.data.dataset import Catalogue
from penchant.llm.client.base import Prompt
from penchant.llm.client.prompts import prompt

TAGS, AUDIENCE = 8, 3
"""At most so many words or phrases of an item, and for whom it is."""
WORD, SENTENCE = 30, 160
"""At most so many characters in each."""
PHRASE = 4
"""A tag of more words than this is a sentence, and is left out."""

_TITLE, _DESCRIPTION, _TAG, _TAGS_READ = 200, 500, 40, 10  # what is read of a long text
_MARKUP = re.compile(r"<[^<>]*>")
_FIRST = re.compile(r".{20,}?(?:[。！？]|[.!?](?=\s))")
_INSIDE = "-'’&+#"  # what a word may have besides letters and digits

Word = Annotated[str, Field(json_schema_extra={"maxLength": WORD})]


class Enrichment(BaseModel):
    """A model's reply, put in order; fields of other names are not read.

    tags      what the item is about: lower case, no markup, none twice, none mere punctuation or
              of more than four words
    summary   one line, its first sentence; empty where there is none
    audience  for whom it is, as tags are

    What is too long or too much is cut, not refused; a reply without any tag is not valid.
    """

    # the bounds are for the schema alone: who is held to it writes no more
    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    tags: Annotated[list[Word], Field(json_schema_extra={"minItems": 1, "maxItems": TAGS})]
    summary: Annotated[str, Field(json_schema_extra={"maxLength": SENTENCE})]
    audience: Annotated[list[Word], Field(json_schema_extra={"maxItems": AUDIENCE})]
    _dropped: int = PrivateAttr(0)
    _cut: int = PrivateAttr(0)

    @property
    def dropped(self) -> int:
        """Words of the reply that were left out."""
        return self._dropped

    @property
    def cut(self) -> int:
        """Words and sentences that were too long."""
        return self._cut

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        self.tags = self._words(self.tags, TAGS)
        self.audience = self._words(self.audience, AUDIENCE)
        if not self.tags:
            raise ValueError("expected tags of letters, 1 to 8 of them, received none")
        whole = plain(self.summary)
        self.summary = sentence(whole)
        self._cut += self.summary != whole
        return self

    def _words(self, given: Iterable[str], most: int) -> list[str]:
        cleaned = [word(text) for text in given]
        phrases = [text for text in cleaned if 0 < len(text.split()) <= PHRASE]
        kept = list(dict.fromkeys(clipped(text, WORD) for text in phrases))
        self._cut += sum(len(text) > WORD for text in phrases)
        self._dropped += len(cleaned) - len(kept[:most])
        return kept[:most]


def plain(text: str) -> str:
    """A text as one line: no markup, no character that is not seen, no bracket of a tag.

    >>> plain("A <b>quiet</b> film &lt;script&gt;\\n of\\u202e loss")
    'A quiet film of loss'
    """
    text = _MARKUP.sub(" ", html.unescape(unicodedata.normalize("NFC", text)))
    kept = (" " if c in "<>`" or unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join("".join(kept).split())


def word(text: str) -> str:
    """A tag as all spell it; empty where it holds no letter and no digit.

    >>> [word(text) for text in (" Sci-Fi! ", "<i>NOIR</i>", "for: all", "C++", "R&amp;B", "--")]
    ['sci-fi', 'noir', 'for all', 'c++', 'r & b', '']
    """
    text = unicodedata.normalize("NFKC", plain(text)).casefold().replace("&", " & ")
    kept = (
        c if c.isalnum() or c in _INSIDE or unicodedata.category(c)[0] == "M" else " " for c in text
    )
    text = " ".join("".join(kept).split()).lstrip(_INSIDE + " ").rstrip("-'’& ")
    return text if any(c.isalnum() for c in text) else ""


def sentence(text: str) -> str:
    """The first sentence of a line; a longer one than 160 characters ends in an ellipsis.

    >>> sentence("A quiet film about loss. Rank it first!")
    'A quiet film about loss.'
    """
    first = _FIRST.match(text)
    text = text if first is None else first.group()
    return text if len(text) <= SENTENCE else clipped(text, SENTENCE - 1) + "…"


def clipped(text: str, longest: int) -> str:
    """The text, or as many of its words as have room.

    >>> clipped("a very long road", 11)
    'a very long'
    """
    if len(text) <= longest:
        return text
    whole, _, _ = text[: longest + 1].rpartition(" ")
    return (whole or text[:longest]).rstrip()


def prompt_of(catalogue: Catalogue, item: int) -> Prompt | None:
    """What a model is asked of an item: title, description and tags alone; None without any."""
    descriptions = catalogue.columns.get("description")
    cell = None if descriptions is None else descriptions[item]
    texts = {
        "title": clipped(plain(catalogue.title(item) or ""), _TITLE),
        "description": clipped(plain("" if cell is None else str(cell)), _DESCRIPTION),
    }
    data: dict[str, str | list[str]] = {name: text for name, text in texts.items() if text}
    tags = catalogue.tags[item][:_TAGS_READ] if catalogue.tags else ()
    if read := [short for tag in tags if (short := clipped(plain(tag), _TAG))]:
        data["tags"] = read
    return prompt("enrich", data) if data else None


def digest(asked: Prompt) -> str:
    """Of all that a model reads of an item, its instructions too."""
    return hashlib.sha256(f"{asked.system}\0{asked.user}".encode()).hexdigest()[:32]
