"""Updates and deletions: a user's contribution is subtracted or added, and few columns solved.

The sums after an update are those of a fit on all events, bit for bit, and so is B: a column is
solved again where anything that it reads has changed, and stays where nothing has.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from penchant.config import TransitionSettings
from penchant.content import described_anew
from penchant.data.dataset import Dataset, Ints, Told, Vocabulary
from penchant.data.merge import Merged, merge, without_users
from penchant.data.people import attribute_rows, described_users
from penchant.errors import ConfigError
from penchant.fitting import again
from penchant.model import Model
from penchant.models.base import Recommender
from penchant.models.cold import cold_columns
from penchant.models.features import Context
from penchant.models.fusion import Fusion, asked_for
from penchant.models.kernels import arrived
from penchant.models.sides import OPENINGS, Sides
from penchant.models.solve import solve, system, touched
from penchant.models.statistics import Predictors, Statistics, statistics
from penchant.models.transition import Transition, contents

EXACT = ("events and histories", "sums", "solution", "popularity")
LEFT = ("chosen settings", "cleaning thresholds", "evaluation", "calibration")


@dataclass(frozen=True)
class Receipt:
    """What an update or a deletion did.

    users, events, items   how many were added, or, for a deletion, erased
    changed_users          users whose contribution to the sums was replaced
    solved, columns        columns of the target's B that were solved again, of how many
    exact                  what now equals a fit on the remaining data
    left                   what stands as it was until the next fit
    notes                  what could not be read of new items, in words
    """

    users: int
    events: int
    items: int
    changed_users: int
    solved: int
    columns: int
    exact: tuple[str, ...] = EXACT
    left: tuple[str, ...] = LEFT
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The receipt as JSON types."""
        return asdict(self)


def update(model: Model, new: Dataset, told: Told | None = None) -> tuple[Model, Receipt]:
    """The model with further events, users and items, as if fitted on all with its settings.

    The receipt names what is not: in a fusion the deep expert stands as it was trained.

    ``new`` holds the new events alone; of equal times they come after the old ones. Items and
    users may be new or described anew. Raises DataError for a behavior that the model lacks.
    """
    merged = merge(model.dataset, new)
    both, read = described_anew(merged.dataset, model.dataset.catalogue, merged.items, told)
    both = _named(model, both)
    merged = replace(merged, dataset=both)
    acting = np.unique(both.users.rows(new.users.ids[user] for user in np.unique(new.events.user)))
    changed = np.union1d(acting, _told_anew(model.dataset, both, merged.users))
    changed = np.union1d(changed, _befriended(both, acting)).astype(np.int64)
    before = model.dataset.users.rows(both.users.ids[user] for user in changed)
    renewed, solved = _renewed(model, merged, before, changed)
    receipt = Receipt(
        len(both.users) - len(model.dataset.users),
        len(both.events) - len(model.dataset.events),
        len(both.catalogue) - len(model.dataset.catalogue),
        len(changed),
        solved,
        len(both.catalogue),
        left=standing(model),
        notes=read.notes,
    )
    return renewed, receipt


def forget(model: Model, users: Sequence[str]) -> tuple[Model, Receipt]:
    """The model as if these users had never been, with the catalogue and settings it has.

    The receipt names what is left: in a fusion the deep expert was trained on them until the next
    fit.

    Raises ConfigError for a user that is not known.
    """
    data = model.dataset
    gone = np.unique(data.users.rows(users))
    if len(gone) and gone[0] < 0:
        strange = next(user for user in users if user not in data.users)
        raise data.unknown_user(strange)
    left = without_users(data, gone)
    rows = np.arange(len(data.catalogue)), np.arange(len(data.catalogue.tokens))
    friends = np.setdiff1d(_befriended(data, gone), gone)
    before = np.union1d(gone, friends).astype(np.int64)
    after = left.users.rows(data.users.ids[user] for user in friends)
    merged = Merged(left, *rows, np.zeros(0, np.int64))
    renewed, solved = _renewed(model, merged, before, after)
    controls = {user: said for user, said in model.controls.items() if user not in set(users)}
    renewed = replace(renewed, controls=controls)
    receipt = Receipt(
        len(gone),
        len(data.events) - len(left.events),
        0,
        len(before),
        solved,
        len(data.catalogue),
        left=standing(model),
    )
    return renewed, receipt


def erase(model: Model, user: str, rows: Ints) -> tuple[Model, Receipt]:
    """The model as if some events of a user had never been; ``rows`` are places in the history.

    The receipt names what is left, as that of ``forget``. Raises ConfigError for a user that is
    not known.
    """
    data = model.dataset
    if user not in data.users:
        raise data.unknown_user(user)
    one = data.users.rows([user])
    kept = np.ones(len(data.events), bool)
    kept[np.searchsorted(data.events.user, one[0]) + rows] = False
    left = data.with_events(data.events.take(kept))
    same = np.arange(len(data.catalogue)), np.arange(len(data.catalogue.tokens))
    changed = np.union1d(one, _befriended(data, one)).astype(np.int64)
    merged = Merged(left, *same, np.arange(len(data.users)))
    renewed, solved = _renewed(model, merged, changed, changed)
    gone = len(data.events) - len(left.events)
    columns = len(data.catalogue)
    return renewed, Receipt(0, gone, 0, len(changed), solved, columns, left=standing(model))


def standing(model: Model) -> tuple[str, ...]:
    """What an update leaves as it was."""
    fused = isinstance(model.recommender, Fusion)
    return (*LEFT, "deep expert", "weights of the fusion") if fused else LEFT


def _named(model: Model, both: Dataset) -> Dataset:
    """The merged dataset with the attributes that the recipe takes, the old ones among them.

    A model that was fitted without any takes none before its next fit.
    """
    if not len(model.dataset.catalogue.attributes):
        return both
    named, _ = described_users(both, model.recipe.users)
    old, new = model.dataset.catalogue.attributes, named.catalogue.attributes
    if old.ids == new.ids:
        return replace(named, catalogue=both.catalogue)
    joint = Vocabulary.of((*old.ids, *new.ids))
    return replace(named, catalogue=replace(named.catalogue, attributes=joint))


def _told_anew(old: Dataset, both: Dataset, users: Ints) -> Ints:
    """Users of the merged data whose attributes or friends are others than before."""

    def known(of: Dataset, place: Ints) -> set[tuple[int, str | int]]:
        """Each user with each attribute by name, and with each friend by row."""
        who, what = attribute_rows(of)
        names = (of.catalogue.attributes.ids[row] for row in what)
        friends = place[of.relations].tolist()
        return {*zip(place[who].tolist(), names, strict=True), *map(tuple, friends)}

    changes = known(old, users) ^ known(both, np.arange(len(both.users)))
    return np.array(sorted({user for user, _ in changes}), np.int64)


def _befriended(dataset: Dataset, users: Ints) -> Ints:
    """Who has some users for friends, ascending rows."""
    return np.unique(dataset.relations[np.isin(dataset.relations[:, 1], users), 0])


def _renewed(model: Model, merged: Merged, before: Ints, after: Ints) -> tuple[Model, int]:
    """The model on the merged data, and how many columns were solved again.

    Raises ConfigError for a private run.

    ``before`` and ``after`` are the users whose part in the sums is taken away and given: rows of
    the old data and of the merged. A row of -1 has no part.
    """
    if model.info.get("privacy"):
        raise ConfigError(
            "each update or erasure of a private run is a release that spends of a budget: "
            "expected penchant fit with --epsilon and --delta, on the events as they are to be"
        )
    data, expert = merged.dataset, model.recommender
    solved: dict[int, tuple[Transition, int]] = {}  # behaviours may share one solution

    def moved(name: str | None) -> tuple[Transition, int]:
        head = model.aimed(name)
        assert head.transition is not None
        key = id(head.transition)
        if key not in solved:
            aimed = replace(merged, dataset=data.aimed(head.dataset.target))
            solved[key] = _solved(head.dataset, aimed, before, after, head.transition)
        return solved[key]

    columns = len(data.catalogue)
    if isinstance(expert, Fusion):
        transition, columns = moved(None)
        # the deep expert knows new events by reading them, and new items by their content
        sequence = expert.sequence.moved(data, merged.items, merged.tokens)
        renewed: Recommender = replace(
            expert, transition=transition, sequence=sequence, context=Context.of(data)
        )
    elif isinstance(expert, Transition):
        renewed, columns = moved(None)
    else:
        renewed = again(expert, data, model.recipe.seed)

    def other(name: str) -> Recommender:
        before = model.others[name]
        weights = before.weights if isinstance(before, Fusion) else None
        return asked_for(renewed, data.aimed(name), lambda _: moved(name)[0], weights)

    others = {name: other(name) for name in model.others}
    return replace(model, dataset=data, recommender=renewed, others=others), columns


def _solved(
    old: Dataset, merged: Merged, leaving: Ints, coming: Ints, expert: Transition
) -> tuple[Transition, int]:
    """The transition expert on the merged data, and how many columns were solved again."""
    data, settings = merged.dataset, expert.settings
    old_rows = _predictor_rows(old, merged)
    shape = len(Predictors.of(data.catalogue)), len(data.catalogue)
    before = expert.statistics.reindex(old_rows, *shape)
    new = np.setdiff1d(np.arange(shape[1]), merged.items)
    rows = None
    if not len(leaving) + len(coming):
        rows = arrived(old.catalogue, data.catalogue, merged.items, new)
    if rows is not None:
        found = cold_columns(expert.statistics, expert.around, settings, rows).tocoo()
        fresh = sparse.csr_array((found.data, (old_rows[found.row], new[found.col])), shape)
        B = _moved(expert.B, old_rows, merged.items, shape, new) + fresh
        return Transition.of(B, data, settings, before), len(new)
    after = before - _sums(old, leaving, settings).reindex(old_rows, *shape)
    after = after + _sums(data, coming, settings)
    first = contents(old, settings)
    second = first
    described = old.catalogue is not data.catalogue
    if described or not np.array_equal(old.met > 0, data.met > 0):
        first = {name: content.moved(merged.items, shape[1]) for name, content in first.items()}
        second = contents(data, settings)
    counts = np.zeros(shape[1], np.int64)
    counts[merged.items] = old.met
    systems = (
        system(before, first, settings, counts),
        system(after, second, settings, data.met),
    )
    columns = touched(*systems, settings.candidates, described)
    fresh = solve(systems[1], settings.candidates, columns)
    B = _moved(expert.B, old_rows, merged.items, shape, columns) + fresh
    return Transition.of(B, data, settings, after), len(columns)


def _sums(dataset: Dataset, users: Ints, settings: TransitionSettings) -> Statistics:
    """What some users contribute; a user row of -1 contributes nothing."""
    mine = np.isin(dataset.events.user, users)
    events, sides = dataset.events.take(mine), Sides.of(dataset)
    return statistics(events, dataset.catalogue, settings, dataset.time, dataset.target, sides)


def _predictor_rows(old: Dataset, merged: Merged) -> Ints:
    """Where each predictor of the old dataset stands in the merged one."""
    catalogue = merged.dataset.catalogue
    items, tokens = len(catalogue), len(catalogue.tokens)
    predictors = Predictors.of(old.catalogue)
    negative = predictors.negative
    shifts = [items + tokens + place * items for place in range(len(negative))]
    attributes = catalogue.attributes.rows(old.catalogue.attributes.ids)
    first = Predictors.of(catalogue).before_sides
    moved = [merged.items + shift for shift in shifts]
    sides = np.append(np.arange(len(OPENINGS) + 1), len(OPENINGS) + 1 + attributes)
    return np.concatenate([merged.items, items + merged.tokens, *moved, first + sides])


def _moved(
    B: sparse.csr_array, rows: Ints, items: Ints, shape: tuple[int, int], without: Ints
) -> sparse.csr_array:
    """B in a larger catalogue, without some columns."""
    B = B.tocoo()
    row, column = rows[B.row], items[B.col]
    kept = ~np.isin(column, without)
    return sparse.csr_array((B.data[kept], (row[kept], column[kept])), shape)
