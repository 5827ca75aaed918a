"""Updates and deletions: a user's contribution is subtracted or added, and few columns solved.

The sums after an update are those of a fit on all events, bit for bit, and so is B: a column is
solved again where anything that it reads has changed, and stays where nothing has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from penchant.data.dataset import Dataset
from penchant.data.merge import MergedDataset, merge, pruned
from penchant.data.merge import without_users as dataset_without
from penchant.data.user_attributes import attribute_rows, select_attributes
from penchant.data.vocabulary import Vocabulary
from penchant.errors import ConfigError
from penchant.features.item_content import encode_changed
from penchant.models.base import DataChange, Recommender
from penchant.models.private import SPENDS
from penchant.recommendation import Model
from penchant.storage.json_records import JsonRecord
from penchant.storage.signing_key import SigningKey, load_key
from penchant.types import Ints, Progress

EXACT = ("events and histories", "statistics", "solution", "popularity")
OF_FUSION = ("deep expert", "weights of the fusion")
"""What an update of a fusion leaves as it was, beside LEFT."""
LEFT = ("chosen settings", "cleaning thresholds", "evaluation", "calibration")


@dataclass(frozen=True)
class Receipt(JsonRecord):
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


def update(
    model: Model, new: Dataset, progress: Progress | None = None, *, key: SigningKey | None = None
) -> tuple[Model, Receipt]:
    """Take new events, users and items into a model, as if it had been fitted on all of them.

    Events of users who were erased from the model are left out.

    Parameters
    ----------
    model
        It stays as it is; a new one comes back.
    new
        The new events alone; of equal times they come after the old ones. Items and users may be
        new, or have a new description.
    progress
        Takes a line on each step.
    key
        The key of the model's tombstones; by default that of PENCHANT_KEY_FILE or of the user's
        settings. A model from which nobody was erased needs none.

    Returns
    -------
    Model
        The model with its settings on all events.
    Receipt
        What is as a fit on all events, and what is not: in a fusion the deep expert stands as it
        was trained.

    Raises
    ------
    DataError
        For a behavior that the model lacks.
    ConfigError
        For another key than that of the tombstones, and for a private run.

    Examples
    --------
    >>> import penchant
    >>> old = penchant.from_columns(user=["ann", "ann"], item=["tea", "cup"], timestamp=[1, 2])
    >>> new = penchant.from_columns(user=["bo"], item=["tea"], timestamp=[3])
    >>> model, _ = penchant.update(penchant.fit(old, model="transition"), new)
    >>> model
    Model(transition, 2 users, 2 items)
    """
    tombstones = model.dataset.tombstones
    if tombstones:
        erased = tombstones.among(new.users.ids, key or load_key())
        new = dataset_without(new, new.users.rows(erased))
    return with_new_data(model, new, progress)


def with_new_data(
    model: Model, new: Dataset, progress: Progress | None = None
) -> tuple[Model, Receipt]:
    """The algebra of ``update``, whoever the new events are of."""
    merged = merge(model.dataset, new)
    both, read = encode_changed(merged.dataset, model.dataset.catalogue, merged.items, progress)
    both = _named(model, both)
    merged = replace(merged, dataset=both)
    acting = np.unique(both.users.rows(new.users.ids[user] for user in np.unique(new.events.user)))
    changed = np.union1d(acting, _changed_attributes(model.dataset, both, merged.users))
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


def without_users(model: Model, users: Sequence[str]) -> tuple[Model, Receipt]:
    """Take users' parts out of a model: its algebra alone, on which ``penchant.forget`` stands.

    The catalogue and the settings stay. No tombstone is left, and neither the calibrations nor a
    fusion's weights are fitted again; the receipt names what is left.

    Raises ConfigError for a user that is not known.
    """
    data = model.dataset
    gone = np.unique(data.users.rows(users))
    if len(gone) and gone[0] < 0:
        strange = next(user for user in users if user not in data.users)
        raise data.unknown_user(strange)
    left = dataset_without(data, gone)
    items, tokens = np.arange(len(data.catalogue)), np.arange(len(data.catalogue.tokens))
    left = _named(model, left)
    # an attribute may fall into other groups where fewer users have it
    place = left.users.rows(data.users.ids)
    changed_users = _changed_attributes(data, left, place)
    friends = np.setdiff1d(_befriended(data, gone), gone)
    after = np.union1d(place[friends], changed_users[changed_users >= 0]).astype(np.int64)
    before = np.union1d(gone, data.users.rows(left.users.ids[user] for user in after))
    before = before.astype(np.int64)
    merged = MergedDataset(left, items, tokens, np.zeros(0, np.int64))
    renewed, solved = _renewed(model, merged, before, after)
    controls = {user: said for user, said in model.controls.items() if user not in set(users)}
    profiles = {user: text for user, text in model.profiles.items() if user not in set(users)}
    renewed = replace(renewed, controls=controls, profiles=profiles)
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


def without_events(model: Model, user: str, rows: Ints) -> tuple[Model, Receipt]:
    """The model as if some events of a user had never been; ``rows`` are places in the history.

    The receipt names what is left, as that of ``without_users``.

    Raises ConfigError for a user that is not known.
    """
    data = model.dataset
    if user not in data.users:
        raise data.unknown_user(user)
    one = data.users.rows([user])
    kept = np.ones(len(data.events), bool)
    kept[np.searchsorted(data.events.user, one[0]) + rows] = False
    left = data.with_events(data.events.take(kept))
    items, tokens = np.arange(len(data.catalogue)), np.arange(len(data.catalogue.tokens))
    changed = np.union1d(one, _befriended(data, one)).astype(np.int64)
    merged = MergedDataset(left, items, tokens, np.arange(len(data.users)))
    renewed, solved = _renewed(model, merged, changed, changed)
    # a text that was made of these events goes with them; the user's own words are theirs
    left_over = {u: text for u, text in model.profiles.items() if u != user or text.edited}
    renewed = replace(renewed, profiles=left_over)
    gone = len(data.events) - len(left.events)
    columns = len(data.catalogue)
    return renewed, Receipt(0, gone, 0, len(changed), solved, columns, left=standing(model))


def standing(model: Model) -> tuple[str, ...]:
    """What an update leaves as it was."""
    return (*LEFT, *OF_FUSION) if model.recommender.experts else LEFT


def _named(model: Model, both: Dataset) -> Dataset:
    """The merged dataset with the attributes that the recipe takes, the old ones among them.

    A model that was fitted without any takes none before its next fit.
    """
    if not len(model.dataset.catalogue.attributes):
        return both
    named, _ = select_attributes(both, model.recipe.users)
    old, new = model.dataset.catalogue.attributes, named.catalogue.attributes
    if set(new.ids) <= set(old.ids):
        return replace(named, catalogue=both.catalogue)
    joint = Vocabulary.of((*old.ids, *new.ids))
    return replace(named, catalogue=replace(named.catalogue, attributes=joint))


def _changed_attributes(old: Dataset, both: Dataset, users: Ints) -> Ints:
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


def _renewed(model: Model, merged: MergedDataset, before: Ints, after: Ints) -> tuple[Model, int]:
    """The model on the merged data, and how many columns were solved again.

    Raises ConfigError for a private run.

    ``before`` and ``after`` are the users whose part in the sums is taken away and given: rows of
    the old data and of the merged. A row of -1 has no part.
    """
    if model.report.privacy is not None:
        raise ConfigError(SPENDS)
    seed = model.recipe.seed

    def change(target: str) -> DataChange:
        old, new = model.dataset.with_target(target), merged.dataset.with_target(target)
        return DataChange(old, replace(merged, dataset=new), before, after, seed)

    renewed, columns = model.recommender.updated(change(model.dataset.target))
    changed = _with_recommender(
        model, merged.dataset, renewed, lambda head, name: head.updated(change(name))[0]
    )
    if model.holdout_model is not None:
        moved = model.holdout_model.moved(merged.dataset, merged.items, merged.tokens)
        changed = replace(changed, holdout_model=moved)
    return _narrowed(changed), columns


def _with_recommender(
    model: Model,
    data: Dataset,
    recommender: Recommender,
    change: Callable[[Recommender, str], Recommender],
) -> Model:
    """The model of other data: its recommender, and the same ``change`` for the other behaviors."""
    old = model.recommender
    main = old.experts.get("transition", old)

    def other(name: str, head: Recommender) -> Recommender:
        def refit(expert: Recommender, before: Recommender | None) -> Recommender:
            assert before is not None
            return expert if before is main else change(before, name)  # one may serve both

        return recommender.for_target(data.with_target(name), refit, head)

    others = {name: other(name, head) for name, head in model.others.items()}
    return replace(model, dataset=data, recommender=recommender, others=others)


def _narrowed(model: Model) -> Model:
    """The model without the tokens and attributes that nobody has any more.

    They have no part in any sum; and as the vocabularies are read from the data, a saved run
    would not fit them.
    """
    named, _ = select_attributes(model.dataset, model.recipe.users)
    attributes = named.catalogue.attributes
    known = model.dataset.catalogue.attributes
    data, tokens = pruned(model.dataset, attributes if len(known) else known)
    if data is model.dataset:
        return model
    seed, place = model.recipe.seed, np.where(tokens, np.cumsum(tokens) - 1, -1)
    expert = model.recommender.remapped(data, place, seed)
    changed = _with_recommender(
        model, data, expert, lambda head, name: head.remapped(data.with_target(name), place, seed)
    )
    if model.holdout_model is None:
        return changed
    moved = model.holdout_model.moved(data, np.arange(len(data.catalogue)), place)
    return replace(changed, holdout_model=moved)
