"""Two datasets as one: new events, users, items and tokens beside the old ones."""

from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penchant.data.dataset import Catalogue, Dataset, Events
from penchant.data.vocabulary import Vocabulary
from penchant.errors import DataError
from penchant.types import Ints, Mask


@dataclass(frozen=True)
class MergedDataset:
    """The joint dataset, and where the rows of the first one have gone."""

    dataset: Dataset
    items: Ints
    tokens: Ints
    users: Ints


def merge(old: Dataset, new: Dataset) -> MergedDataset:
    """All events of both; the new ones come after old ones of the same time.

    An item, or user, of both keeps its old title, tags and columns where the new has none of its
    own. The features of a new item are zero: who encodes items fills them in. Raises DataError for
    a behavior that the old dataset lacks, and where the two do not mean the same by time.
    """
    if new.time != old.time:
        raise DataError(
            f"expected events with time {old.time!r}, received {new.time!r}; give the timestamps "
            "of the new events in the manner of the old ones"
        )
    names = [behavior.name for behavior in old.catalogue.behaviors]
    unknown = sorted({b.name for b in new.catalogue.behaviors} - set(names))
    if unknown:
        raise DataError(
            f"expected behaviors among {', '.join(names)}, received {', '.join(unknown)}; a new "
            "behavior needs a new fit"
        )
    a, b = old.catalogue, new.catalogue
    items, from_a, from_b = _union(a.items, b.items)
    tokens, token_a, token_b = _union(a.tokens, b.tokens)
    users, user_a, user_b = _union(old.users, new.users)
    domains = tuple(sorted({*a.domains, *b.domains}))
    domain_a, domain_b = (_rows(c.domains, domains) for c in (a, b))
    behavior_b = _rows([x.name for x in b.behaviors], names)
    item_domain = np.full(len(items), -1)
    item_domain[from_b] = _remap(domain_b, b.domain)
    old_domain = _remap(domain_a, a.domain)
    item_domain[from_a] = np.where(old_domain >= 0, old_domain, item_domain[from_a])
    first = 1 + int(old.events.row.max(initial=-1))
    old_rows = _RowMaps(user_a, from_a, token_a, np.arange(len(a.behaviors)), domain_a)
    new_rows = _RowMaps(user_b, from_b, token_b, behavior_b, domain_b)
    titles = _cells(len(items), from_a, a.titles, from_b, b.titles)
    tags = _cells(len(items), from_a, a.tags, from_b, b.tags)
    catalogue = Catalogue(
        items,
        a.behaviors,
        domains,
        item_domain,
        tokens,
        titles if a.titles or b.titles else (),
        tuple(x or () for x in tags) if a.tags or b.tags else (),
        _columns(len(items), from_a, a.columns, from_b, b.columns),
        {name: feature.remapped(from_a, len(items)) for name, feature in a.features.items()},
        a.attributes,
        a.counted,
    )
    joint = replace(
        old,
        catalogue=catalogue,
        users=users,
        events=(old_rows.events(old.events) + new_rows.events(new.events, first)).sorted(),
        held_out=None if old.held_out is None else old_rows.events(old.held_out),
        attributes=_columns(len(users), user_a, old.attributes, user_b, new.attributes),
        relations=np.unique(np.concatenate([user_a[old.relations], user_b[new.relations]]), axis=0),
    )
    return MergedDataset(joint, from_a, token_a, user_a)


def without_users(dataset: Dataset, gone: Ints) -> Dataset:
    """The dataset as if these users (rows) had never been: no events, no attributes, no row."""
    left = np.setdiff1d(np.arange(len(dataset.users)), gone)
    place = np.full(len(dataset.users) + 1, -1)
    place[left] = np.arange(len(left))

    def remaining(events: Events) -> Events:
        events = events.take(place[events.user] >= 0)
        return replace(events, user=place[events.user])

    return replace(
        dataset,
        users=Vocabulary(tuple(dataset.users.ids[user] for user in left)),
        events=remaining(dataset.events),
        held_out=None if dataset.held_out is None else remaining(dataset.held_out),
        attributes={name: cells[left] for name, cells in dataset.attributes.items()},
        relations=place[dataset.relations[(place[dataset.relations] >= 0).all(axis=1)]],
    )


def pruned(dataset: Dataset, attributes: Vocabulary) -> tuple[Dataset, Mask]:
    """The dataset with these attributes, without the tokens of no event; which tokens stay, (T,).

    So it is read again from a directory. The very same dataset where nothing changes.
    """
    catalogue = dataset.catalogue
    parts = [dataset.events, *([] if dataset.held_out is None else [dataset.held_out])]
    used = np.zeros(len(catalogue.tokens), bool)
    for events in parts:
        used[events.token[events.token >= 0]] = True
    if used.all() and attributes.ids == catalogue.attributes.ids:
        return dataset, used
    place = np.where(used, np.cumsum(used) - 1, -1)
    tokens = Vocabulary(tuple(compress(catalogue.tokens.ids, used)))
    moved = [replace(events, token=_remap(place, events.token)) for events in parts]
    return (
        replace(
            dataset,
            catalogue=replace(catalogue, tokens=tokens, attributes=attributes),
            events=moved[0],
            held_out=None if dataset.held_out is None else moved[1],
        ),
        used,
    )


def _union(a: Vocabulary, b: Vocabulary) -> tuple[Vocabulary, Ints, Ints]:
    if all(name in a for name in b.ids):
        return a, np.arange(len(a)), a.rows(b.ids)
    both = Vocabulary.of((*a.ids, *b.ids))
    return both, both.rows(a.ids), both.rows(b.ids)


def _rows(names: tuple[str, ...] | list[str], among: tuple[str, ...] | list[str]) -> Ints:
    return np.array([list(among).index(name) for name in names], np.int64)


def _remap(rows: Ints, values: Ints) -> Ints:
    """``rows[values]``, where -1 stays -1."""
    return np.append(rows, -1)[values]


@dataclass(frozen=True)
class _RowMaps:
    """Where the rows of one dataset have gone in the joint one, by field of its events."""

    user: Ints
    item: Ints
    token: Ints
    behavior: Ints
    domain: Ints

    def events(self, events: Events, first: int = 0) -> Events:
        """Events by the joint rows, with source rows from ``first`` on."""
        moved = {name: _remap(rows, getattr(events, name)) for name, rows in vars(self).items()}
        return Events(**moved, time=events.time, value=events.value, row=events.row + first)


def _cells(
    size: int, into_a: Ints, a: tuple[Any, ...], into_b: Ints, b: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Cells of both; where b has one, it is the newer."""
    cells: list[Any] = [None] * size
    for into, values in ((into_a, a), (into_b, b)):
        for row, value in zip(into, values, strict=False):
            if value is not None and value != ():
                cells[row] = value
    return tuple(cells)


def _columns(
    size: int,
    into_a: Ints,
    a: dict[str, NDArray[np.object_]],
    into_b: Ints,
    b: dict[str, NDArray[np.object_]],
) -> dict[str, NDArray[np.object_]]:
    columns = {}
    for name in {**a, **b}:
        cells = np.empty(size, object)
        cells[:] = _cells(size, into_a, tuple(a.get(name, ())), into_b, tuple(b.get(name, ())))
        columns[name] = cells
    return columns
