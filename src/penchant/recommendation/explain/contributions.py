"""A score by the events of a history: of the transition expert an exact sum, over interests too."""

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from penchant.data.dataset import Histories
from penchant.data.io.assembler import TOKEN_PREFIXES
from penchant.features.kernels import sparse_or_dense
from penchant.models.transition.recommender import Transition
from penchant.models.transition.side_information import OPENINGS
from penchant.recommendation.fitted import FittedModel
from penchant.recommendation.interests import Interest, Interests
from penchant.types import Floats, Ints

OPENED = (*(f"a history of up to {length} events" for length in OPENINGS), "a longer history")
TOGETHER = "together"
"""What carries a reason besides content: that people take both."""

_PAST = {
    "buy": "bought",
    "cart": "put {} into your cart",
    "click": "clicked",
    "follow": "followed",
    "like": "liked",
    "listen": "listened to",
    "play": "played",
    "purchase": "bought",
    "rate": "rated",
    "read": "read",
    "save": "saved",
    "search": "searched for",
    "share": "shared",
    "tag": "tagged",
    "view": "looked at",
    "watch": "watched",
}


class Reason(NamedTuple):
    """What one past event adds to a score, or what stands beside the history.

    about         the item or token of the event, or the attribute of the user
    behavior      of the event; "attribute", "opening" for the length of the history, or "friend"
                  for the event of a friend
    age           its position from the end of the history, the latest being 1; 0 for what has none
    contribution  signed, in the units of the score
    share         of the sum of absolute contributions, signed, from -1 to 1
    carried       what ties it to the item: "together", or the modality that says most
    interest      the id of the interest that the event is of
    """

    about: str
    title: str | None
    behavior: str
    age: int
    contribution: float
    share: float
    carried: str | None = None
    interest: str | None = None


class Share(NamedTuple):
    """What an interest, or a modality, adds to a score, signed, and its share of all, from -1 to 1.

    ``id`` is None for what belongs to no interest.
    """

    id: str | None
    label: str
    contribution: float
    share: float


class Ties(NamedTuple):
    """What ties a past to one item: a column of B (E + S,), and cells of each kind (E,)."""

    column: Floats
    cells: dict[str, Floats]


@dataclass(frozen=True)
class Past:
    """One history as the transition expert reads it, for the explanation of any item.

    Without such an expert an event adds what the model's own score loses without it.
    """

    model: FittedModel
    given: Histories
    interests: Interests | None

    @classmethod
    def of(cls, model: FittedModel, given: Histories, user: str | None) -> "Past":
        """Of a user or of a bare history; without what the user has muted."""
        if model.transition is None:
            return cls(model, given, None)
        interests = model.interests_of(given, user)
        muted = [one.rows for one in interests.clusters if one.factor == 0]
        if muted:
            kept = np.ones(len(given.events), bool)
            kept[np.concatenate(muted)] = False
            given = given.keep(kept)
            interests = model.interests_of(given, user)
        return cls(model, given, interests)

    @property
    def expert(self) -> Transition | None:
        return self.model.transition

    @cached_property
    def groups(self) -> tuple[Interest, ...]:
        """The interests of the history; none without a transition expert."""
        return () if self.interests is None else self.interests.clusters

    def factor(self, item: int) -> float:
        """By which boosted interests multiply an item's odds."""
        if self.interests is None:
            return 1.0
        shares = self.interests.shares(np.array([item]))[0]
        factors = np.array([one.factor for one in self.groups])
        return float(np.exp(shares @ np.log(np.where(factors > 0, factors, 1.0))))

    @cached_property
    def scores(self) -> Floats:
        """Of all items, (N,)."""
        found: Floats = (self.expert or self.model.recommender).score(self.given)[0]
        return found

    @cached_property
    def interest(self) -> list[str | None]:
        """The id of each event's interest."""
        of: list[str | None] = [None] * len(self.given.events)
        for one in self.groups:
            for row in one.rows.tolist():
                of[row] = one.id
        return of

    @cached_property
    def side_weights(self) -> tuple[Ints, Floats]:
        """Predictors (S,) and weights (S,) of what stands beside the history."""
        if self.expert is None:
            return np.zeros(0, np.int64), np.zeros(0)
        sides = self.expert.side_inputs(self.given).tocoo()
        return sides.col, sides.data

    @cached_property
    def ties(self) -> dict[int, Ties]:
        """What has been read for items so far; ``read`` fills it."""
        return {}

    def read(self, items: Ints) -> None:
        """Read what ties the past to some items, all at once."""
        expert = self.expert
        if expert is None:
            parts = self.model.recommender.contributions(self.given, items)
            self.ties.update((item, Ties(parts[:, i], {})) for i, item in enumerate(items.tolist()))
            return
        predictors = expert.predictors.rows(self.given.events)
        rows = np.concatenate([predictors, self.side_weights[0]])
        columns = expert.whole[rows][:, items].toarray()
        cells = {TOGETHER: expert.cross[predictors][:, items].toarray()}
        about = self.given.events.item
        for name, of in self.model.content.items():
            near = sparse_or_dense(of[np.maximum(about, 0)] @ of[items].T)
            cells[name] = expert.alpha(name) * near * (about >= 0)[:, None]
        for place, item in enumerate(items.tolist()):
            mine = {name: of[:, place] for name, of in cells.items()}
            self.ties[item] = Ties(columns[:, place], mine)

    def parts(self, item: int) -> tuple[Floats, Floats]:
        """What each event (E,), and each thing beside the history (S,), adds to an item's score."""
        if item not in self.ties:
            self.read(np.array([item]))
        column, events = self.ties[item].column, len(self.given.events)
        if self.expert is None:
            return column, self.side_weights[1]
        own = self.expert.weights(self.given, item) * column[:events]
        return own, self.side_weights[1] * column[events:]

    def reasons(self, item: int, most: int | None = None) -> tuple[Reason, ...]:
        """The parts of an item's score by name, the largest first; the ``most`` largest."""
        own, beside = self.parts(item)
        catalogue = self.model.dataset.catalogue
        mass = float(np.abs(own).sum() + np.abs(beside).sum()) or 1.0
        first = self.expert.predictors.side_offset if self.expert else 0
        named = (*OPENED, *catalogue.attributes.ids)
        order = np.argsort(-np.abs(np.concatenate([own, beside])), kind="stable")
        found: list[Reason] = []
        for place in order[:most].tolist():
            if place >= len(own):
                p, part = (
                    int(self.side_weights[0][place - len(own)]),
                    float(beside[place - len(own)]),
                )
                if p >= first:
                    kind = "attribute" if p - first >= len(OPENED) else "opening"
                    found.append(Reason(named[p - first], None, kind, 0, part, part / mass))
                elif part:
                    name, title = catalogue.items.ids[p], catalogue.title(p)
                    found.append(Reason(name, title, "friend", 0, part, part / mass))
                continue
            if not own[place]:
                continue
            part = float(own[place])
            about, title, behavior = self.named(place)
            found.append(
                Reason(
                    about,
                    title,
                    behavior,
                    age=len(own) - place,
                    contribution=part,
                    share=part / mass,
                    carried=self.carried(place, item),
                    interest=self.interest[place],
                )
            )
        return tuple(found)

    def named(self, place: int) -> tuple[str, str | None, str]:
        """What an event is about, by identifier and title, and its behavior."""
        catalogue, events = self.model.dataset.catalogue, self.given.events
        row, behavior = int(events.item[place]), catalogue.behaviors[events.behavior[place]].name
        if row < 0:
            return catalogue.tokens.ids[events.token[place]], None, behavior
        return catalogue.items.ids[row], catalogue.title(row), behavior

    def carried(self, place: int, item: int) -> str | None:
        """What ties an event to an item most: "together", or a modality; None where unknown.

        By what the regression reads of the pair: the cell of C, and alpha times closeness.
        """
        cells = self.ties[item].cells
        return max(cells, key=lambda name: float(cells[name][place]), default=None)

    def by_interest(self, item: int) -> tuple[Share, ...]:
        """An item's score as a sum over interests; what belongs to none comes last."""
        if self.interests is None:
            return ()
        own, beside = self.parts(item)
        of: defaultdict[str | None, float] = defaultdict(float)
        for name, part in zip(self.interest, own.tolist(), strict=True):
            of[name] += part
        of[None] += float(beside.sum())
        mass = sum(map(abs, of.values())) or 1.0
        labels = {one.id: one.label for one in self.groups}
        names = sorted(of, key=lambda name: (name is None, -of[name]))
        return tuple(
            Share(name, labels.get(name or "", "none of them"), of[name], of[name] / mass)
            for name in names
        )


def sentence(reasons: tuple[Reason, ...], interests: tuple[Share, ...]) -> str:
    """Why, for a person: the two events that add most, and the interest that most comes from."""
    speaking = {one.about: one for one in reversed(reasons) if one.share >= 0.05}
    cited = sorted(speaking.values(), key=lambda one: -one.contribution)[:2]
    said = [_clause(one) for one in cited]
    if not said:
        return "not because of your past: nothing in it speaks for this"
    if len(said) > 1 and all(clause.startswith("you ") for clause in said):
        said[1] = said[1].removeprefix("you ")
        if cited[0].behavior == cited[1].behavior and said[1].endswith(_about(cited[1])):
            said[1] = _about(cited[1])  # "bought A and B"
    text = f"because {' and '.join(said)}"
    main = max(interests, key=lambda one: one.contribution, default=None)
    if main is not None and main.id is not None and main.share >= 0.5:
        text += f"; mostly your interest in {main.label}"
    return text


def done(behavior: str) -> str:
    """What was done, without what it was done to.

    >>> done("view_item"), done("cart"), done("swipe")
    ('looked at', 'put into your cart', 'swipe')
    """
    return (_past(behavior) or behavior).replace(" {}", "")


def _past(behavior: str) -> str | None:
    """The past of a behavior, or of the last word of its name that is known; None without one."""
    words = [behavior, *reversed(re.split(r"[\W_]+", behavior.lower()))]
    return next((_PAST[word] for word in words if word in _PAST), None)


def _about(reason: Reason) -> str:
    """What a reason is about, a token without what says of which kind it is."""
    if reason.title is None and reason.about.startswith(tuple(TOKEN_PREFIXES.values())):
        return reason.about.partition(":")[2]
    return reason.title or reason.about


def _clause(reason: Reason) -> str:
    """One reason as a clause.

    >>> _clause(Reason("tea", None, "event", 1, 0.5, 1.0))
    'of tea in your history'
    """
    about = _about(reason)
    if reason.behavior == "attribute":
        return f"of {about}"
    if reason.behavior == "opening":
        return "many begin with it"
    if reason.behavior == "friend":
        return f"a friend chose {about}"
    if reason.behavior == "event":  # the name where the data says none
        return f"of {about} in your history"
    verb = _past(reason.behavior)
    if verb is None:
        return f"of your {reason.behavior} event on {about}"
    return f"you {verb.format(about)}" if "{}" in verb else f"you {verb} {about}"
