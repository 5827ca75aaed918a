"""Explanations: the score of the transition expert as an exact sum over past events."""

from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from penchant.data.dataset import Histories
from penchant.errors import ConfigError
from penchant.listing import Ranked, Recommendation
from penchant.model import Model, unknown_item
from penchant.models.sides import OPENINGS

L = TypeVar("L", bound=Recommendation)
OPENED = (*(f"a history of up to {length}" for length in OPENINGS), "a longer history")


class Reason(NamedTuple):
    """What one past event adds to a score, or what stands beside the history.

    about         the item or token of the event, or the attribute of the user
    behavior      of the event; "attribute", "opening" for the length of the history, or "friend"
                  for the event of a friend
    age           its position from the end of the history, the latest being 1; 0 for what has none
    contribution  signed, in the units of the score
    share         of the sum of absolute contributions, signed, from -1 to 1
    """

    about: str
    title: str | None
    behavior: str
    age: int
    contribution: float
    share: float


class Explanation(NamedTuple):
    """A score of the transition expert, and the events that it is the sum of, strongest first.

    In a fusion it is that expert's part; what the others add is not told here.

    residue  the score less the sum of all contributions: rounding, and nothing else
    """

    user: str | None
    item: str
    title: str | None
    score: float
    reasons: tuple[Reason, ...]
    residue: float

    def to_dict(self) -> dict[str, Any]:
        """The explanation as JSON types."""
        content = self._asdict()
        content["reasons"] = [reason._asdict() for reason in self.reasons]
        return content


def explain(
    model: Model, item: str, *, user: str | None = None, history: list[str] | None = None
) -> Explanation:
    """Why an item has its score for a user, or for a history of items, oldest first.

    score = sum over events e of w(behavior) decay^(age - 1) B[e, item], so each event has its
    signed part, and events past the window have none. Raises ConfigError for an item that is not
    known, and for a model that is not a sum over events.
    """
    row = int(model.dataset.catalogue.items.rows([item])[0])
    if row < 0:
        raise unknown_item(item, model.dataset)
    if (user is None) == (history is None):
        raise ConfigError("expected a user or a history, one of the two")
    given = model.histories(history or [])[0] if user is None else model.dataset.history(user)
    return _explained(model, given, row, user)


def with_reasons(model: Model, listed: L, given: Histories) -> L:
    """The list with up to three reasons for each item that the model scored."""
    rows = []
    for ranked in listed.items:
        if ranked.source == model.family:
            item = int(model.dataset.catalogue.items.rows([ranked.item])[0])
            found = _explained(model, given, item, listed.user).reasons[:3]
            ranked = Ranked(*ranked[:-1], tuple(reason._asdict() for reason in found))
        rows.append(ranked)
    return replace(listed, items=tuple(rows))


def _explained(model: Model, given: Histories, row: int, user: str | None) -> Explanation:
    expert, catalogue = model.transition, model.dataset.catalogue
    if expert is None:
        raise ConfigError(
            f"expected a run with a transition expert, whose scores are sums over events, "
            f"received {model.family!r}; fit with --model transition"
        )
    events = given.events
    column = expert.whole[:, [row]].toarray().ravel()
    parts = expert.weights(given, row) * column[expert.predictors.rows(events)]
    total = float(expert.score(given)[0, row])
    sides = expert.beside(given).tocoo()
    beside = sides.data * column[sides.col]
    first = expert.predictors.before_sides
    named = (*OPENED, *catalogue.attributes.ids)
    mass = float(np.abs(parts).sum() + np.abs(beside).sum()) or 1.0

    def reason(item: int, token: str, behavior: str, age: int, part: float) -> Reason:
        about, title = (
            (catalogue.items.ids[item], catalogue.title(item)) if item >= 0 else (token, None)
        )
        return Reason(about, title, behavior, age, float(part), float(part / mass))

    found = [
        reason(
            int(events.item[e]),
            catalogue.tokens.ids[events.token[e]] if events.token[e] >= 0 else "",
            catalogue.behaviors[events.behavior[e]].name,
            len(parts) - e,
            parts[e],
        )
        for e in np.flatnonzero(parts).tolist()
    ]
    for p, part in zip(sides.col.tolist(), beside.tolist(), strict=True):
        if p >= first:
            kind = "attribute" if p - first >= len(OPENED) else "opening"
            found.append(reason(-1, named[p - first], kind, 0, part))
        elif part:
            found.append(reason(p, "", "friend", 0, part))
    reasons = tuple(sorted(found, key=lambda one: -abs(one.contribution)))
    whole = float(parts.sum() + beside.sum())
    residue = total - whole if np.isfinite(total) else 0.0
    name, title = catalogue.items.ids[row], catalogue.title(row)
    return Explanation(user, name, title, total if np.isfinite(total) else 0.0, reasons, residue)
