"""The interests of one user: how many there are, what they are called, how much each matters."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import linkage

from penchant.config import InterestSettings
from penchant.data.dataset import Catalogue, Dataset, Histories
from penchant.data.hashing import hashes
from penchant.errors import unknown
from penchant.recommendation.interests.item_space import ItemSpace
from penchant.types import Floats, Ints

_LATEST = 1000  # different items of a history that are looked at
_FEW = 2  # items that make an interest of a history that has an interest of so many
_WORDS = 2  # tags in a label
_COMMON = 0.3  # share of an interest's events that a tag must cover to name it


@dataclass(frozen=True)
class Interest:
    """A cluster of a user's events.

    id         lasting: made of the item of it that the user met first
    label      its most specific tags, else the title of its medoid
    weight     its share of the weight of all events, in (0, 1]
    items      of it, from the nearest to its center on; the first is the medoid
    titles     of these; the identifier where there is none
    events     how many events it holds
    behaviors, domains   share of its weight by behavior and by domain
    last       of its events: ISO time where time is a clock, else None
    factor     the user's setting: 0 muted, above 1 boosted
    rows       the places of its events in the history, and ``members`` the rows of its items
    center     its direction in the space of items, (D,)
    """

    id: str
    label: str
    weight: float
    items: tuple[str, ...]
    titles: tuple[str, ...]
    events: int
    behaviors: dict[str, float]
    domains: dict[str, float]
    last: str | None
    rows: Ints
    members: Ints
    center: Floats
    factor: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """The interest as JSON types."""
        names = ("id", "label", "weight", "factor", "events", "behaviors", "domains", "last")
        return {name: getattr(self, name) for name in names} | {
            "items": list(self.items),
            "titles": list(self.titles),
        }


@dataclass(frozen=True)
class Interests:
    """All interests of one history, the weightiest first.

    clusters    the interests
    unassigned  share of the weight of the events that belong to none
    space       of the items, in which they were found
    """

    user: str | None
    clusters: tuple[Interest, ...]
    unassigned: float
    space: ItemSpace

    def __len__(self) -> int:
        return len(self.clusters)

    def by_id(self, id: str) -> Interest:
        """An interest by its id; ConfigError lists those that there are."""
        for interest in self.clusters:
            if interest.id == id:
                return interest
        raise unknown("interest", id, [interest.id for interest in self.clusters] or ["none"])

    @property
    def weights(self) -> Floats:
        """What each weighs among them, (T,), sum 1."""
        weight = np.array([interest.weight for interest in self.clusters], np.float64)
        weight /= max(float(weight.sum()), 1e-300)
        return weight

    def shares(self, items: Ints) -> Floats:
        """How far each item belongs to each interest, (C, T); rows sum to 1, or to 0.

        In proportion to the square of its cosine with an interest's center, where that is
        positive.
        """
        if not self.clusters:
            return np.zeros((len(items), 0))
        centers = np.stack([interest.center for interest in self.clusters])
        shares: Floats = np.maximum(self.space.vectors[items] @ centers.T, 0) ** 2
        total = shares.sum(axis=1, keepdims=True)
        shares /= np.where(total > 0, total, 1.0)
        return shares

    def to_dict(self) -> dict[str, Any]:
        """The interests as JSON types."""
        return {
            "user": self.user,
            "interests": [interest.to_dict() for interest in self.clusters],
            "unassigned": self.unassigned,
        }


def interests_of(
    space: ItemSpace,
    dataset: Dataset,
    history: Histories,
    settings: InterestSettings,
    user: str | None = None,
) -> Interests:
    """The interests of a history: Ward clusters of its items, as many as differ.

    An event weighs its behavior's strength times decay^(age - 1), where time is an order.
    Negative events have no part. As in PinnerSage (Pal et al. 2020, section 4.2) the clusters are
    Ward's (1963), each has a medoid, and the data says how many there are: from the top, a cluster
    stays whole where its two halves are as near as items of one interest are.
    """
    events, catalogue = history.events, dataset.catalogue
    strength = np.array([b.strength * (b.polarity > 0) for b in catalogue.behaviors])
    weight = strength[events.behavior] * (events.item >= 0)
    if dataset.time != "none":
        weight = weight * settings.decay ** np.arange(len(events))[::-1]
    counted = np.flatnonzero(weight > 0)
    latest = np.sort(np.unique(events.item[counted][::-1], return_index=True)[1])[:_LATEST]
    items = np.unique(events.item[counted][::-1][latest])
    if not len(items):
        return Interests(user, (), 0.0, space)
    group = groups(space.vectors[items], space.threshold)
    cluster = np.full(len(events), -1)
    place = np.minimum(np.searchsorted(items, events.item[counted]), len(items) - 1)
    mine = items[place] == events.item[counted]
    cluster[counted[mine]] = group[place[mine]]
    mass = np.bincount(cluster[cluster >= 0], weight[cluster >= 0]) / weight.sum()
    size = np.bincount(group)
    real = (size >= _FEW) & (mass >= settings.least)
    if not real.any():
        real = size == size.max()
    clusters = [
        _interest(space, dataset, history, weight, np.flatnonzero(cluster == interest))
        for interest in np.flatnonzero(real)
    ]
    clusters.sort(key=lambda interest: (-interest.weight, interest.id))
    unassigned = max(0.0, 1.0 - float(sum(interest.weight for interest in clusters)))
    return Interests(user, tuple(clusters), unassigned, space)


def groups(vectors: Floats, near: float) -> Ints:
    """The cluster of each of n unit vectors (n, D), numbered from 0 by their first member.

    >>> groups(np.array([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6], [0.1, 0.995]]), near=0.75)
    array([0, 1, 0, 1])
    """
    n = len(vectors)
    if n == 1:
        return np.zeros(1, np.int64)
    tree = linkage(vectors, "ward")[:, :2].astype(int)
    members: list[list[int]] = [[place] for place in range(n)]
    for left, right in tree:
        members.append(members[left] + members[right])
    whole, cluster = [2 * n - 2], np.zeros(n, np.int64)
    first: list[int] = []
    while whole:
        node = whole.pop()
        if node >= n:
            left, right = tree[node - n]
            means = (vectors[members[side]].mean(axis=0) for side in (left, right))
            if float(np.dot(*means)) < near:
                whole += [left, right]
                continue
        cluster[members[node]] = len(first)
        first.append(min(members[node]))
    return np.argsort(np.argsort(first))[cluster]


def label(space: ItemSpace, catalogue: Catalogue, items: Ints, weights: Floats) -> str:
    """The name of some items, nearest to their center first (n,), with their weights (n,).

    The tags that say most about them: the share of the weight that a tag covers times its idf, of
    tags that cover 30 % at least. The title of the first item where there are none.
    """
    covered: Counter[str] = Counter()
    for item, weight in zip(items.tolist(), weights.tolist(), strict=True):
        for tag in set(catalogue.tags[item]) if catalogue.tags else ():
            covered[tag] += weight
    least = _COMMON * float(weights.sum())
    telling = {tag: of * space.idf.get(tag, 0.0) for tag, of in covered.items() if of >= least}
    best = sorted(telling, key=lambda tag: (-telling[tag], tag))[:_WORDS]
    first = int(items[0])
    return (
        " · ".join(tag for tag in best if telling[tag] > 0)
        or catalogue.title(first)
        or catalogue.items.ids[first]
    )


def _interest(
    space: ItemSpace,
    dataset: Dataset,
    history: Histories,
    weight: Floats,
    rows: Ints,
) -> Interest:
    events, catalogue = history.events, dataset.catalogue
    own = weight[rows]
    total = float(own.sum())
    members, place = np.unique(events.item[rows], return_inverse=True)
    each = np.bincount(place, own)
    vectors = space.vectors[members]
    center = each @ vectors
    length = float(np.sqrt((center**2).sum()))
    center = center / length if length > 0 else center
    order = np.argsort(-(vectors @ center), kind="stable")
    members, masses = members[order], np.asarray(each, np.float64)[order]

    def share(codes: Ints, names: list[str]) -> dict[str, float]:
        shares = np.bincount(codes[codes >= 0], own[codes >= 0], len(names)) / total
        order = np.argsort(-shares, kind="stable").tolist()
        return {names[row]: float(shares[row]) for row in order if shares[row] > 0}

    last = int(events.time[rows].max())
    clock = dataset.time == "clock" and last > 0
    ids = catalogue.items.ids
    code = int(hashes("interest", [ids[events.item[rows[0]]]], 0)[0])
    return Interest(
        f"{code & 0xFFFFFF:06x}",
        label(space, catalogue, members, masses),
        total / float(weight.sum()),
        tuple(ids[item] for item in members),
        tuple(catalogue.title(item) or ids[item] for item in members.tolist()),
        len(rows),
        share(events.behavior[rows], [b.name for b in catalogue.behaviors]),
        share(events.domain[rows], list(catalogue.domains)),
        datetime.fromtimestamp(last / 1000, UTC).isoformat() if clock else None,
        rows,
        members,
        center,
    )
