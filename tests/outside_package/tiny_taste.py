"""A package that knows Penchant, and that Penchant does not: of everything the least that works."""

from dataclasses import dataclass

import numpy as np

from penchant.config import Settings
from penchant.features.encoders.text import TextEncoder
from penchant.models.base import Family, Recommender


class CompanionSettings(Settings):
    """What can be set of companions."""

    shrinkage: float = 5.0


@dataclass(frozen=True)
class Companions(Recommender):
    """Scores an item by how often it stands in a history with those of this one.

    together  (N, N) cosines of the items' users
    liked     which behaviors count, (A,)
    """

    together: np.ndarray
    liked: np.ndarray
    settings: CompanionSettings

    name = "companions"
    settings_type = CompanionSettings
    space = {"shrinkage": (1.0, 5.0, 25.0)}  # noqa: RUF012

    @classmethod
    def fit(cls, dataset, settings, seed):
        liked = np.array([behavior.polarity > 0 for behavior in dataset.catalogue.behaviors])
        used = cls.taken(dataset.events, dataset.events.user, len(dataset.users), dataset, liked)
        target = dataset.events.behavior == dataset.catalogue.behavior(dataset.target)
        weight = np.where(target, 2.0, 1.0)
        wanted = cls.taken(
            dataset.events, dataset.events.user, len(dataset.users), dataset, liked, weight
        )
        together = used.T @ wanted
        np.fill_diagonal(together, 0)
        length = np.sqrt((used**2).sum(axis=0))
        return cls(together / (np.outer(length, length) + settings.shrinkage), liked, settings)

    @classmethod
    def restore(cls, arrays, dataset, settings):
        return cls(arrays["together"], arrays["liked"].astype(bool), settings)

    @staticmethod
    def taken(events, owner, rows, dataset, liked, weight=None):
        kept = (events.item >= 0) & liked[events.behavior]
        x = np.zeros((rows, len(dataset.catalogue)))
        weight = np.ones(len(kept)) if weight is None else weight
        np.maximum.at(x, (owner[kept], events.item[kept]), weight[kept])
        return x

    def score(self, histories):
        events = histories.events
        kept = (events.item >= 0) & self.liked[events.behavior]
        x = np.zeros((len(histories), len(self.together)))
        x[histories.owner[kept], events.item[kept]] = 1.0
        # each row is a product of its own, so batches cannot change it
        return np.array([row @ self.together for row in x]).reshape(x.shape)

    def arrays(self):
        return {"together": self.together, "liked": self.liked.astype(np.int64)}


FAMILY = Family.of(Companions)


class Letters(TextEncoder):
    """How often each of 32 kinds of letters stands in a text."""

    name = "letters"
    key = "letters 1"
    width = 32

    def __init__(self, limit="1000"):
        super().__init__(int(limit))

    def encode(self, batch):
        rows = np.zeros((len(batch), self.width), np.float32)
        for row, text in zip(rows, batch, strict=True):
            np.add.at(row, [ord(letter) % self.width for letter in text], 1)
        return rows


def first_is_right(ranked):
    """1 where the first item of a case's list is one of its true ones."""
    hits = [
        ranked.lists[case, 0] in ranked.truth[start:stop]
        for case, (start, stop) in enumerate(zip(ranked.indptr, ranked.indptr[1:], strict=False))
    ]
    return np.array(hits, np.float64)


def by_name(items, model, history):
    """The list in the order of the items' identifiers."""
    return sorted(items, key=lambda row: row.item)
