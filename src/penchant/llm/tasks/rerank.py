"""Listwise re-ranking by a language model, for users of whom few events are known.

A model may obey what an item's text says, and no list of phrases tells such texts apart. So it is
not trusted, it is bounded: ``bounded_borda`` moves no item further than its reach, whatever the
reply. A second question without the text, to see whether an item moves by it, would cost as much
again and prove less: a model that obeys can do so in both. ``texts=False`` shows no text at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, create_model

from penchant.config import Settings, parse
from penchant.data.dataset import Catalogue, Histories
from penchant.data.hashing import hashes
from penchant.errors import LanguageModelError, counted
from penchant.llm.client import LanguageModel
from penchant.llm.client.prompts import prompt
from penchant.llm.client.sanitize import plain
from penchant.recommendation import Model
from penchant.recommendation.rerank import Reranked
from penchant.recommendation.results import Recommendation
from penchant.types import Ints

_WORD = 40  # characters of a tag, and of a behavior's name
_TAGS = 8


class ReorderSettings(Settings):
    """Whose lists are re-ranked, and by what.

    below  users with fewer events than this, and at least one
    pool   how many of the recommender's best are put in order
    shown  how many of the latest events are told
    bound  of two items that the recommender has side by side, how far apart their texts can put
           them, in places; no item moves further than ``reach`` from the recommender's place
    texts  whether titles are shown; without them, tags and how often items were taken
    """

    below: Annotated[int, Field(ge=2)] = 5
    pool: Annotated[int, Field(ge=2, le=100)] = 20
    shown: Annotated[int, Field(ge=1, le=100)] = 10
    bound: Annotated[int, Field(ge=1)] = 11
    texts: bool = True

    @property
    def reach(self) -> int:
        """How far an item moves at most, up or down.

        With one text an item stands at most so far above the recommender's place, with another at
        most so far below it: 2 * reach <= bound - 1. A neighbor adds the one place between them.
        """
        return (self.bound - 1) // 2


class Order(BaseModel):
    """What a model replies: numbers of the candidates, the best first."""

    order: list[int]


def order_schema(n: int) -> type[Order]:
    """The reply about n candidates: its schema ends it after n numbers, so that no model runs on.

    A reply that is longer all the same is read, and what it has too much is dropped and counted.
    """
    numbers: Any = Field(json_schema_extra={"maxItems": n})
    return create_model("Order", __base__=Order, order=(list[int], numbers))


@dataclass(frozen=True)
class NewOrder:
    """How a model orders n items that a recommender has in places 0 to n - 1.

    places    the recommender's places in their new order
    invented  numbers of the reply that no item has; ``repeated``: that it had named already
    left_out  items that it did not name: they follow in the recommender's order
    failed    why there is no reply; the order is then the recommender's
    """

    places: tuple[int, ...]
    invented: int = 0
    repeated: int = 0
    left_out: int = 0
    failed: str | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it."""
        if self.failed is not None:
            return (f"the recommender's order stands, since no reply could be used: {self.failed}",)
        if not self.invented + self.repeated + self.left_out:
            return ()
        return (
            f"of the model's reply, {self.invented} unknown and {self.repeated} repeated numbers "
            f"were dropped; items that it left out, in the recommender's order: {self.left_out}",
        )


@dataclass(frozen=True)
class LanguageReranking:
    """A list, whether a model had a say in its order, and what a person should know of that.

    Scores are the recommender's, so they need not fall from place to place.
    """

    found: Recommendation
    used: bool
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> dict[str, object]:
        """Whether the model ordered the list, as JSON types."""
        return {"used": self.used, "notes": list(self.notes)}


class LanguageReranker:
    """Puts a recommender's best items in order by a language model."""

    def __init__(self, model: LanguageModel, settings: ReorderSettings | None = None) -> None:
        self.model = model
        self.settings = settings or ReorderSettings()

    def __call__(self, known: Model, given: Histories, items: Ints) -> NewOrder:
        """Order item rows (n,), best first, for one history.

        Identifiers stay here: the model is shown numbers, in an order drawn by a hash of the
        history. Where it fails, the order is as it was, and says why.
        """
        own = tuple(range(len(items)))
        if len(items) < 2:
            return NewOrder(own)
        shown = shuffle(known.dataset.catalogue, given, items)
        data = self.prompt_data(known, given, items[shown])
        try:
            question = prompt("reorder", data, about_users=True)
            reply = self.model.ask(question, order_schema(len(items)))
        except LanguageModelError as error:
            return NewOrder(own, failed=str(error))
        named = [number for number in reply.order if 1 <= number <= len(items)]
        once = list(dict.fromkeys(named))
        liked = [int(shown[number - 1]) for number in once]
        rest = sorted(set(own) - set(liked))
        return NewOrder(
            bounded_borda([*liked, *rest], self.settings.reach),
            invented=len(reply.order) - len(named),
            repeated=len(named) - len(once),
            left_out=len(rest),
        )

    def prompt_data(self, known: Model, given: Histories, items: Ints) -> dict[str, object]:
        """The data of the prompt, for one history and the candidates in the order shown."""
        catalogue, events = known.dataset.catalogue, given.events
        about = np.flatnonzero(events.item >= 0)[-self.settings.shown :]
        names = [plain(behavior.name, _WORD) for behavior in catalogue.behaviors]
        past = [
            {"behavior": names[events.behavior[at]], **self._item(catalogue, int(events.item[at]))}
            for at in about
        ]
        candidates = [
            {"number": number, **self._item(catalogue, int(item))}
            for number, item in enumerate(items, 1)
        ]
        if not self.settings.texts:
            for row, item in zip(candidates, items, strict=True):
                row["taken"] = int(known.popularity[item])
        return {"events": past, "candidates": candidates}

    def _item(self, catalogue: Catalogue, item: int) -> dict[str, object]:
        tags = catalogue.tags[item] if catalogue.tags else ()
        row: dict[str, object] = {"tags": [plain(tag, _WORD) for tag in tags[:_TAGS]]}
        title = catalogue.title(item)
        if self.settings.texts and title is not None:
            row["title"] = plain(title)
        return row


def shuffle(catalogue: Catalogue, given: Histories, items: Ints) -> Ints:
    """Places of the items (n,) in the order shown: by a hash of history and item.

    It depends on neither the recommender's order nor any text, so a number says nothing.
    """
    events, ids = given.events, catalogue.items.ids
    past = zip(events.item.tolist(), events.behavior.tolist(), strict=True)
    text = "\0".join(f"{ids[item]}\0{behavior}" for item, behavior in past if item >= 0)
    seed = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return np.argsort(hashes(f"reorder {seed}", [ids[item] for item in items], 0), kind="stable")


def bounded_borda(liked: Sequence[int], reach: int) -> tuple[int, ...]:
    """A Borda count of two orders of n items, in which no item moves further than ``reach``.

    Items are named by their places in the recommender's order, 0 to n - 1; ``liked`` is the
    model's order of them. The Borda count of an item is the sum of its places in both, the least
    first, ties to the recommender. Places p = 0, 1, ... are filled one after the other:

    * item p - reach takes place p if it is still left, for it may go down no further;
    * else the least count among what is left of items 0 to p + reach, for no other may come up
      so far. Something is left: these are p + reach + 1 items (or all n), and p are placed.

    So item i stands in places i - reach to i + reach, whatever ``liked`` is. Here the model wants
    the last of six items first and the first last:

    >>> bounded_borda([5, 1, 2, 3, 4, 0], reach=2)
    (1, 2, 0, 5, 3, 4)

    Item 5 has come up to 5 - 2 = 3 and item 0 has gone down to 0 + 2. The farthest that one item's
    place with one reply and with another can differ is twice the reach:

    >>> from itertools import permutations
    >>> every = [bounded_borda(liked, 2) for liked in permutations(range(6))]
    >>> [(min(p), max(p)) for p in ([one.index(item) for one in every] for item in range(6))]
    [(0, 2), (0, 3), (0, 4), (1, 5), (2, 5), (3, 5)]
    """
    count = {item: item + place for place, item in enumerate(liked)}
    left = sorted(count, key=lambda item: (count[item], item))
    order = []
    for place in range(len(liked)):
        due = place - reach
        item = due if due in left else next(item for item in left if item <= place + reach)
        left.remove(item)
        order.append(item)
    return tuple(order)


def why_unchanged(known: Model, model: LanguageModel | None) -> str | None:
    """Why a run's lists are not re-ranked by this model, in a sentence; None where they are."""
    if model is None:
        return (
            "not re-ranked: no language model is configured; name one with --llm FILE, or with "
            "PENCHANT_LLM_URL and PENCHANT_LLM_MODEL"
        )
    outcome = known.report.reorder
    how = "measure it with penchant evaluate RUN --reorder"
    if outcome is None:
        return f"not re-ranked: whether that helps was not measured for this run; {how}"
    if outcome.model != model.name:
        return f"not re-ranked: measured with {outcome.model}, not with {model.name}; {how}"
    if outcome.behavior != known.dataset.target:
        return f"not re-ranked: measured for {outcome.behavior!r} only"
    if not outcome.wins:
        low, value, high = outcome.low, outcome.difference, outcome.high
        return (
            f"not re-ranked: {model.name} did not improve the lists; the difference of NDCG@10 on "
            f"{outcome.cases:,} cases is {value:+.4f} [{low:+.4f}, {high:+.4f}]"
        )
    return None


def candidates_needed(known: Model, model: LanguageModel | None, k: int) -> int:
    """How long a list ``rerank_list`` needs, to give k: as long as the pool where it re-ranks."""
    return k if why_unchanged(known, model) is not None else max(k, _settings(known).pool)


def rerank_list(
    found: Recommendation,
    known: Model,
    given: Histories,
    model: LanguageModel | None,
    k: int = 10,
) -> LanguageReranking:
    """The first k of a list for one history, put in order by a model where the run says it wins.

    ``found`` is best as long as ``candidates_needed`` says: what is not in it cannot come up. It is
    re-ranked with the settings that won, for a user with events, and fewer than ``below``. A list
    by rules stays as it is: the rules come last, and exploration keeps its probabilities.
    """
    why = why_unchanged(known, model) or _unsuited(found, known, given)
    if why is not None or model is None:
        return LanguageReranking(
            _first(found, found.items, k), False, () if why is None else (why,)
        )
    settings = _settings(known)
    pool, rest = found.items[: settings.pool], found.items[settings.pool :]
    rows = known.dataset.catalogue.items.rows([row.item for row in pool])
    ordered = LanguageReranker(model, settings)(known, given, rows)
    items = (*(pool[place] for place in ordered.places), *rest)
    return LanguageReranking(_first(found, items, k), ordered.failed is None, ordered.notes)


def _unsuited(found: Recommendation, known: Model, given: Histories) -> str | None:
    """Why this list is not re-ranked; None where it is."""
    if isinstance(found, Reranked):
        return "not re-ranked: the list follows rules, which come last"
    events, below = int(given.lengths[0]), _settings(known).below
    if not events:
        return "not re-ranked: the user has no events for a model to read"
    if events >= below:
        return (
            f"not re-ranked: the user has {counted(events, 'event')}; re-ranking is for fewer than "
            f"{below}"
        )
    return None


def _settings(known: Model) -> ReorderSettings:
    settings = known.report.reorder.settings if known.report.reorder else {}
    return parse(ReorderSettings, dict(settings), "report of the run, reorder")


def _first(found: Recommendation, items: Sequence[Any], k: int) -> Recommendation:
    """The list with its first k items in this order; one by rules as it is."""
    if isinstance(found, Reranked):
        return found
    return replace(found, items=tuple(items[:k]), short=len(items) < k)
