"""Whether a text says what it was made of and nothing else: items, numbers, sentences, form."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from penchant.data.dataset import Catalogue
from penchant.llm.tasks.word_lists import NUMBERS, ORDINARY, PRIVATE

LEAST = 4
"""Characters of a title or identifier that counts where it stands; a shorter one, in quotes."""

# a sign of a script that is written without spaces is a word of its own
_SIGNS = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNSPACED = f"{_SIGNS}\u1100-\u11ff"  # the latter are parts of Korean signs, taken apart
_WORD = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[^\W_])+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?P<percent>\s?(?:%|percent\b|per cent\b))?")
_ARTICLE = re.compile(r"^(.+), (the|a|an|le|la|les|l'|der|die|das|el|los|il)$", re.IGNORECASE)
_BRACKETS = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$")
_END = re.compile(r"[.!?\u3002]+(?=[\s\"')\]]|$)|(?<=[\u3002])")
_QUOTED = re.compile(
    r"[\"\u201c\u201d\u201e\u00ab\u2039\u300c\u300e]([^\"\u201c\u201d\u201e\u00ab\u00bb]+?)"
    r"[\"\u201c\u201d\u00bb\u203a\u300d\u300f]"
    r"|(?<![^\W_])['\u2018]([^'\u2018\u2019]+?)['\u2019](?![^\W_])"
)
_MARKUP = re.compile(
    r"<\s*[a-z/!?]|&#?\w+;|\*\*|__|`|^\s*(?:#|[-*\u2022] |>)|\]\s*[(\[]|\{\{|\\\w+\{", re.MULTILINE
)
_LINK = re.compile(
    r"\b[a-z][a-z+.-]*://|\bwww\.|\b(?:mailto|javascript|data):\S|"
    r"\b[\w-]+\.(?:com|net|org|io|example)\b"
)
_JOINERS = "\u200c\u200d"
_POINTS = frozenset(".!?\u3002")
_NAMED = "\x00"  # stands for a character of a name


class Facts(NamedTuple):
    """What a text may say.

    names     titles, labels and tags, as they were told
    numbers   counts and years; ``percents`` shares, in percent
    """

    names: tuple[str, ...]
    numbers: frozenset[float] = frozenset()
    percents: frozenset[float] = frozenset()


def merge_facts(several: Iterable[Facts]) -> Facts:
    """The facts of several as one."""
    names, numbers, percents = list[str](), set[float](), set[float]()
    for one in several:
        names += one.names
        numbers |= one.numbers
        percents |= one.percents
    return Facts(tuple(names), frozenset(numbers), frozenset(percents))


class Word(NamedTuple):
    """A word of a text that was made plain, and its characters from start to end."""

    text: str
    start: int
    end: int


def plain(text: str) -> str:
    """A text as it is compared: without case, accents and signs that nobody sees.

    >>> plain("AMÉLIE" + chr(0x200B))
    'amelie'
    """
    if text.isascii():
        return "".join(" " if one.isspace() else one for one in text.lower())
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(
        " " if one.isspace() else one
        for one in unicodedata.normalize("NFKD", decomposed)
        if unicodedata.category(one) not in ("Mn", "Cf")
    )


def words(text: str) -> list[Word]:
    """The words of a plain text; a sign of a script without spaces is a word."""
    return [Word(found.group(), *found.span()) for found in _WORD.finditer(text)]


def title_variants(title: str) -> Iterator[str]:
    """How an item is called: its title, without brackets at its end, its article at the front.

    >>> list(title_variants("Matrix, The (1999)"))
    ['Matrix, The (1999)', 'Matrix, The', 'The Matrix']
    """
    yield title
    bare = _BRACKETS.sub("", title)
    if bare and bare != title:
        yield bare
    if found := _ARTICLE.match(bare):
        yield f"{found[2]} {found[1]}"


class MentionIndex:
    """Titles and identifiers of a catalogue, found in a text by their first word."""

    def __init__(self, names: Iterable[str]) -> None:
        self.lengths: dict[str, tuple[int, ...]] = {}
        self.known: set[str] = set()
        lengths: dict[str, set[int]] = {}
        for name in names:
            split = [word.text for word in words(plain(name))]
            if split:
                self.known.add(" ".join(split))
                lengths.setdefault(split[0], set()).add(len(split))
        self.lengths = {first: tuple(sorted(of)) for first, of in lengths.items()}

    @classmethod
    def of(cls, catalogue: Catalogue) -> "MentionIndex":
        """Those of a catalogue, made once for it and kept beside it."""
        return catalogue.once(cls._made)

    @classmethod
    def _made(cls, catalogue: Catalogue) -> "MentionIndex":
        titles = (name for title in catalogue.titles if title for name in title_variants(title))
        return cls([*titles, *catalogue.items.ids])

    @classmethod
    def called(cls, names: Iterable[str]) -> "MentionIndex":
        """Those of some titles, however they are called."""
        return cls(name for given in names for name in title_variants(given))

    def within(self, text: str) -> bool:
        """Whether a text holds one of the names."""
        return next(self.found(words(plain(text))), None) is not None

    def found(self, tokens: list[Word]) -> Iterator[tuple[int, int]]:
        """Each run of words, [first, last), that is a name; short ones and all lengths too."""
        for first, word in enumerate(tokens):
            for length in self.lengths.get(word.text, ()):
                last = first + length
                if (
                    last <= len(tokens)
                    and " ".join(w.text for w in tokens[first:last]) in self.known
                ):
                    yield first, last


@dataclass(frozen=True)
class TextLimits:
    """What is asked of a text.

    longest    characters; ``sentences`` at most so many
    grounded   "name" where one of the facts' names must be in it, "word" where a word of one is
               enough, "" where neither is asked
    """

    longest: int
    sentences: int
    grounded: str = "name"


def refusal(text: str, facts: Facts, mentions: MentionIndex, check: TextLimits) -> str | None:
    """Why a text is refused, in words; None for one that says what it may."""
    seen = " ".join(text.split())
    if not seen:
        return "it is empty"
    if len(seen) > check.longest:
        return f"it has {len(seen):,} characters, {check.longest:,} are the most"
    if any(not one.isprintable() and one not in _JOINERS for one in seen):
        return "it holds characters that nobody sees"
    whole = plain(seen)
    if _MARKUP.search(plain_lines(text)):
        return "it holds markup"
    if _LINK.search(whole):
        return "it holds a link"
    tokens = words(whole)
    own = MentionIndex.called(facts.names)
    ends = {plain(name)[-1] for name in facts.names if plain(name)[-1:] in _POINTS}
    spans = [_span(whole, tokens[a:b], ends) for a, b in own.found(tokens)]
    reason = _foreign(whole, tokens, spans, own, mentions)
    if reason is not None:
        return reason
    bare = _without(whole, spans)
    reason = _number(bare, facts) or _private(bare)
    if reason is not None:
        return reason
    count = len([part for part in _END.split(bare) if _WORD.search(part) or _NAMED in part])
    if count > check.sentences:
        return f"it has {count} sentences, {check.sentences} are the most"
    return _bare(tokens, spans, facts, check.grounded)


def plain_lines(text: str) -> str:
    """A text as it is compared, line by line."""
    return "\n".join(plain(line) for line in text.splitlines())


def _span(whole: str, name: list[Word], ends: set[str]) -> tuple[int, int]:
    """Where a name of the facts stands, with the point that ends it where one of them has one."""
    end = name[-1].end
    return name[0].start, end + (whole[end : end + 1] in ends)


def _foreign(
    whole: str,
    tokens: list[Word],
    spans: list[tuple[int, int]],
    own: MentionIndex,
    mentions: MentionIndex,
) -> str | None:
    """What is named that is not of the facts."""
    for first, last in mentions.found(tokens):
        start, end = tokens[first].start, tokens[last - 1].end
        name = whole[start:end]
        if any(a <= start and end <= b for a, b in spans):
            continue
        short = len(name) < (2 if re.match(f"[{_SIGNS}]", name) else LEAST)
        ordinary = all(word.text in ORDINARY for word in tokens[first:last])
        numeric = all(word.text.isdecimal() for word in tokens[first:last])  # the numbers' concern
        if not (short or numeric or ordinary):
            return f"it names {name!r}, which is not among the facts"
    for found in _QUOTED.finditer(whole):
        inside = found[1] or found[2]
        start, end = found.start() + 1, found.end() - 1
        split = " ".join(word.text for word in words(inside))
        if any(a <= start and end <= b for a, b in spans):
            continue  # quotes within a title
        if split and split not in own.known:
            return f"it quotes {inside.strip()!r}, which is not among the facts"
    return None


def _without(whole: str, spans: list[tuple[int, int]]) -> str:
    """The text with a sign in the place of each character of a name of the facts."""
    signs = list(whole)
    for start, end in spans:
        signs[start:end] = _NAMED * (end - start)
    return "".join(signs)


def _number(bare: str, facts: Facts) -> str | None:
    for found in _NUMBER.finditer(bare):
        percent = found["percent"] is not None
        tokens = found.group().removesuffix(found["percent"] or "")
        if _value(tokens) not in (facts.percents if percent else facts.numbers):
            return f"it holds the number {found.group().strip()!r}, which is not among the facts"
    for word in words(bare):
        value = NUMBERS.get(word.text)
        if value is not None and value not in facts.numbers:
            return f"it holds the number {word.text!r}, which is not among the facts"
        if word.text == "half" and 50.0 not in facts.percents:
            return "it holds the number 'half', which is not among the facts"
    return None


def _value(text: str) -> float:
    """A number as it is written, with commas or points between thousands or before decimals.

    >>> _value("1,234"), _value("2.5"), _value("3,5")
    (1234.0, 2.5, 3.5)
    """
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text):
        return float(text.replace(",", ""))
    parts = re.split(r"[.,]", text)
    return float(parts[0] + "." + "".join(parts[1:])) if len(parts) > 1 else float(text)


def _private(bare: str) -> str | None:
    for word in words(bare):
        if PRIVATE.match(word.text):
            return f"it says {word.text!r} of a person, which is not among the facts"
    return None


def _bare(
    tokens: list[Word], spans: list[tuple[int, int]], facts: Facts, grounded: str
) -> str | None:
    """A text that rests on no fact."""
    if not grounded or not facts.names or spans:
        return None
    given = {word.text for name in facts.names for word in words(plain(name))}
    if grounded == "word" and any(len(w.text) > 2 and w.text in given for w in tokens):
        return None
    return "it names nothing of what it was given"
