"""A transition expert on changed data: contributions replaced, and few columns solved again."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from penchant.config import TransitionSettings
from penchant.data.dataset import Dataset
from penchant.data.merge import MergedDataset
from penchant.features.kernels import new_item_content
from penchant.models.base import DataChange
from penchant.models.transition.cold_start import cold_columns
from penchant.models.transition.side_information import OPENINGS, SideInformation
from penchant.models.transition.solver import changed_columns, contents, solve, system
from penchant.models.transition.statistics import Predictors, Statistics, statistics
from penchant.types import Ints

if TYPE_CHECKING:
    from penchant.models.transition.recommender import Transition

Solution = tuple[sparse.sparray, Statistics, int]
"""B, the sums that it solves, and how many of its columns were solved."""


def solve_changed(expert: "Transition", change: DataChange) -> Solution:
    """What the transition expert is on the changed data, and how many columns were solved again."""
    old, merged, data = change.before, change.merged, change.merged.dataset
    settings = expert.settings
    old_rows = _predictor_rows(old, merged)
    shape = len(Predictors.of(data.catalogue)), len(data.catalogue)
    before = expert.statistics.reindex(old_rows, *shape)
    new = np.setdiff1d(np.arange(shape[1]), merged.items)
    rows = None
    if not len(change.leaving) + len(change.coming):
        rows = new_item_content(old.catalogue, data.catalogue, merged.items, new)
    if rows is not None:
        found = cold_columns(expert.statistics, expert.cold_start_context, settings, rows).tocoo()
        fresh = sparse.csr_array((found.data, (old_rows[found.row], new[found.col])), shape)
        B = _moved(expert.B, old_rows, merged.items, shape, new) + fresh
        return B, before, len(new)
    after = before - _sums(old, change.leaving, settings).reindex(old_rows, *shape)
    after = after + _sums(data, change.coming, settings)
    first = contents(old, settings)
    second = first
    described = old.catalogue is not data.catalogue
    if described or not np.array_equal(old.event_counts > 0, data.event_counts > 0):
        first = {name: content.moved(merged.items, shape[1]) for name, content in first.items()}
        second = contents(data, settings)
    counts = np.zeros(shape[1], np.int64)
    counts[merged.items] = old.event_counts
    systems = (
        system(before, first, settings, counts),
        system(after, second, settings, data.event_counts),
    )
    columns = changed_columns(*systems, settings.candidates, described)
    fresh = solve(systems[1], settings.candidates, columns)
    B = _moved(expert.B, old_rows, merged.items, shape, columns) + fresh
    return B, after, len(columns)


def _sums(dataset: Dataset, users: Ints, settings: TransitionSettings) -> Statistics:
    """What some users contribute; a user row of -1 contributes nothing."""
    mine = np.isin(dataset.events.user, users)
    events, sides = dataset.events.take(mine), SideInformation.of(dataset)
    return statistics(events, dataset.catalogue, settings, dataset.time, dataset.target, sides)


def _predictor_rows(old: Dataset, merged: MergedDataset) -> Ints:
    """Where each predictor of the old dataset stands in the merged one."""
    catalogue = merged.dataset.catalogue
    items, tokens = len(catalogue), len(catalogue.tokens)
    predictors = Predictors.of(old.catalogue)
    negative = predictors.negative
    shifts = [items + tokens + place * items for place in range(len(negative))]
    attributes = catalogue.attributes.rows(old.catalogue.attributes.ids)
    first = Predictors.of(catalogue).side_offset
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
