"""How well each item fits a text: by its content's embedding, by its tags, and by its words."""

import re
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.data.dataset import Catalogue, Histories
from penchant.data.io.assembler import TOKEN_PREFIXES
from penchant.data.text_query import TextQuery
from penchant.errors import MissingExtraError, PenchantError, UnreadableError
from penchant.features.encoders.base import Encoder
from penchant.features.encoders.registry import encoder_of
from penchant.features.item_content import sources
from penchant.features.kernels import Rows, tag_rows, unit_rows
from penchant.recommendation.text_search.parsing import parse_query
from penchant.recommendation.text_search.slots import (
    ActiveQuery,
    BlendedScores,
    blend_queries,
    queries_in,
)
from penchant.recommendation.text_search.tokens import words
from penchant.types import Floats, Ints

TEXTS = ("text", "summary")
"""Modalities whose encoder reads a query as it reads an item."""

_TAGS = 2.0  # deviations of closeness of tags, against one of closeness of texts
_WORDS = 6.0  # for an item that holds every word: as far as the nearest of some thousand texts
_COMMONEST = 5000  # tags whose names are read
_KEPT = 256  # texts whose relevance is cached
_LONGEST = 2000  # characters of an item's text whose words count
_SMALL = frozenset(
    """a about an and any anything are as at be but by can do find for from give good great has have
    i in is it like looking me more my of on or please recommend same show similar some something
    than that the then there these this to tonight today want watch we what which with would
    you""".split()  # noqa: SIM905
)
"""Words of a question that say nothing of what is wanted, where other words do."""


@dataclass(frozen=True)
class TextMatcher:
    """Matches texts with the items of a catalogue; its index is built with the first text.

    content  unit rows of the items by modality, (N, D), as the model has them
    """

    catalogue: Catalogue
    content: Mapping[str, Rows]
    cache: "OrderedDict[str, Floats]" = field(default_factory=OrderedDict, compare=False)
    lock: Any = field(default_factory=Lock, compare=False)

    def __reduce__(self) -> Any:
        """A copy, or what a pickle holds, has a cache and a lock of its own."""
        return type(self), (self.catalogue, self.content)

    def relevance(self, text: str) -> Floats:
        """How well each item fits a text, (N,): larger is better, in deviations over all items.

        The sum of three: the cosine of the text's embedding with the item's in each modality of
        text, centered as the items are; the cosine of the item's tags, weighed by idf, with the
        tags whose names are nearer to the text than tags are on average; and 6 s^2, where s is the
        share of the text's words, weighed by idf, that the item's title, description and tags
        hold. The first and the second are in deviations from the mean over all items, the second
        doubled. Without an encoder that can be loaded, a tag is near only where it is named. What
        the text rules out ("without horror") fits worse than anything else.
        """
        key = " ".join(text.split())
        with self.lock:  # also while it is read, so that what is needed is made once
            if key not in self.cache:
                self.cache[key] = self._read(key)
                self.cache[key].setflags(write=False)
            self.cache.move_to_end(key)
            while len(self.cache) > _KEPT:
                self.cache.popitem(last=False)
            return self.cache[key]

    def blend(
        self,
        scores: Floats,
        queries: Sequence[ActiveQuery],
        weight: float,
        by_popularity: Ints | None = None,
    ) -> tuple[BlendedScores, list[ActiveQuery]]:
        """``blend_queries`` of some queries, and those of them that took places.

        A text that only rules something out takes no places. What is ruled out by a text that has
        the whole list is left out of it.
        """
        for query in queries:
            if query.share == 1:
                excluded = parse_query(query.text, self.catalogue).excluded_tags
                if excluded:
                    scores = np.where(self._tagged(excluded), -np.inf, scores)
        part = [query for query in queries if parse_query(query.text, self.catalogue).text]
        fits = [self.relevance(query.text) for query in part]
        shares = [query.share for query in part]
        return blend_queries(scores, fits, shares, weight, by_popularity), part

    def _read(self, text: str) -> Floats:
        query = parse_query(text, self.catalogue)
        fit = self._fit(query.text) if query.text else np.zeros(len(self.catalogue))
        if query.excluded_tags:
            fit[self._tagged(query.excluded_tags)] = fit.min() - 10 * (1 + fit.max() - fit.min())
        return fit

    def _tagged(self, tags: Sequence[str]) -> NDArray[np.bool_]:
        """Which items have one of some tags, (N,)."""
        return np.array([not {*tags}.isdisjoint(of) for of in self.catalogue.tags])

    def _fit(self, text: str) -> Floats:
        total = _WORDS * self.word_overlap(text) ** 2
        for name in TEXTS:
            feature = self.catalogue.features.get(name)
            made = None if feature is None else _embedded(feature.encoder, text)
            if feature is not None and made is not None:
                direction = ((made - feature.center) @ feature.basis).astype(np.float64)
                direction /= max(float(np.linalg.norm(direction)), 1e-12)
                total += _deviations(self.content[name] @ direction)
        if self.tags is not None:
            total += _TAGS * _deviations(self.tags @ self.tag_relevance(text))
        return total

    def tag_relevance(self, text: str) -> Floats:
        """How far each tag is nearer to a text than tags are on average, (T,), at least 0.

        A tag whose words are all in the text is as near as can be.
        """
        given = {*words(text)}
        named = np.array([bool(own) and own <= given for own in self.tag_words])
        cosines = np.zeros(len(named))
        names = self.tag_names
        if names is not None:
            made = _embedded(self.encoder, text)
            if made is not None:
                cosines[: len(names)] = names @ (made / max(float(np.linalg.norm(made)), 1e-12))
        cosines[named] = 1.0
        above: Floats = np.maximum(cosines - cosines.mean(), 0.0)
        return above

    def word_overlap(self, text: str) -> Floats:
        """The share of a text's words, weighed by idf, that each item holds, (N,).

        A word that no item holds does not count.
        """
        index, idf = self.index
        given = list(dict.fromkeys(words(text)))
        given = [word for word in given if word not in _SMALL] or given
        known = [index[word] for word in given if word in index]
        overlap = np.zeros(len(self.catalogue))
        if not known:
            return overlap
        for number in known:
            rows = self.postings.indices[slice(*self.postings.indptr[number : number + 2])]
            overlap[rows] += idf[number]
        overlap /= max(float(idf[known].sum()), 1e-12)
        return overlap

    @cached_property
    def terms(self) -> tuple[str | None, ...]:
        """The word of each token that is one of a query's, (T,); empty where none is."""
        first = TOKEN_PREFIXES["query"]
        ids = self.catalogue.tokens.ids
        terms = [name.removeprefix(first) if name.startswith(first) else None for name in ids]
        return tuple(terms) if any(terms) else ()

    def queries(self, histories: Histories) -> tuple[TextQuery, ...]:
        """The searches among the events of histories; see ``queries_in``."""
        return queries_in(histories, self.terms) if self.terms else ()

    @cached_property
    def encoder(self) -> str | None:
        """The encoder that reads tags: that of the items' texts, else the one that is there."""
        for name in TEXTS:
            if name in self.catalogue.features:
                return self.catalogue.features[name].encoder
        return "universal"

    @cached_property
    def tags(self) -> sparse.csr_array | None:
        """Unit rows of the items' tags, (N, T) float64; None where there are none."""
        if not any(self.catalogue.tags):
            return None
        return unit_rows(tag_rows(self.catalogue.tags))[:, self._common[1]].astype(np.float64)

    @cached_property
    def _common(self) -> tuple[list[str], NDArray[np.int64]]:
        """The names of the tags that are read, the most frequent first, and their columns."""
        counted = Counter(tag for of in self.catalogue.tags for tag in set(of))
        column = {tag: place for place, tag in enumerate(sorted(counted))}
        names = [tag for tag, _ in counted.most_common(_COMMONEST)]
        return names, np.array([column[tag] for tag in names], np.int64)

    @cached_property
    def tag_words(self) -> list[set[str]]:
        """The words of each tag's name."""
        return [{*words(name)} for name in self._common[0]]

    @cached_property
    def tag_names(self) -> Floats | None:
        """Unit rows of the tags' names, (T, E); None without an encoder."""
        encoder, names = _encoder(self.encoder), self._common[0]
        if encoder is None or not names:
            return None
        rows = np.zeros((len(names), encoder.width))
        for start in range(0, len(names), encoder.batch):
            batch = [_readable(name) for name in names[start : start + encoder.batch]]
            rows[start : start + len(batch)] = encoder.encode(batch)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return rows

    @cached_property
    def index(self) -> tuple[dict[str, int], Floats]:
        """The number of each word of the items, and its idf = log2(N / items that hold it)."""
        counted = np.diff(self.postings.indptr)
        return self._held[0], np.log2(max(len(self.catalogue), 2) / np.maximum(counted, 1))

    @cached_property
    def postings(self) -> sparse.csr_array:
        """Which items hold each word, (W, N)."""
        numbers, rows, columns = self._held
        shape = len(numbers), len(self.catalogue)
        return sparse.csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=shape)

    @cached_property
    def _held(self) -> tuple[dict[str, int], list[int], list[int]]:
        numbers: dict[str, int] = {}
        rows, columns = [], []
        texts = sources(self.catalogue, "text")
        tags = self.catalogue.tags or ((),) * len(texts)
        for item, (text, of) in enumerate(zip(texts, tags, strict=True)):
            for word in {*words((text or "")[:_LONGEST]), *words(" ".join(of))}:
                rows.append(numbers.setdefault(word, len(numbers)))
                columns.append(item)
        return numbers, rows, columns


def _deviations(values: Floats) -> Floats:
    """Values less their mean, over their deviation; zeros where all are equal."""
    values = np.asarray(values, np.float64)
    deviations: Floats = (values - values.mean()) / max(float(values.std()), 1e-12)
    return deviations


def _embedded(made: str | None, text: str) -> NDArray[np.float32] | None:
    """A text's row by an encoder, (E,); None where it cannot be read."""
    encoder = _encoder(made)
    if encoder is None:
        return None
    try:
        row: NDArray[np.float32] = encoder.encode([encoder.prepare(encoder.load(text))])[0]
    except UnreadableError:
        return None
    return row


_loading = Lock()


def _encoder(made: str | None) -> Encoder | None:
    """A loaded encoder of texts; None where it cannot be loaded."""
    with _loading:
        return None if made is None else _loaded(made)


@cache
def _loaded(made: str) -> Encoder | None:
    try:
        encoder = encoder_of("text", made)
        assert encoder.key
    except (MissingExtraError, PenchantError):
        return None
    return encoder


def _readable(name: str) -> str:
    """A tag's name as a text: "sci_fi/robots" as "sci fi robots"."""
    return " ".join(re.split(r"[\s_/|,;:]+", name)) or name
