"""The bounded search: few settings, tried on validation events, one coordinate at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from penchant.config import SearchSettings, Settings
from penchant.data.dataset import Dataset
from penchant.data.hashing import hashes, uniform
from penchant.data.splitting.cases import Cases
from penchant.data.splitting.split import validation_part
from penchant.evaluation.evaluate import evaluate
from penchant.evaluation.fit_report import Trial
from penchant.models.base import Family, Recommender
from penchant.types import Ints, Progress

METRIC = "ndcg@10"

MOST = 10_000
"""Validation cases that a fusion or a calibration is fitted on at most: it has few weights."""

FEWEST = 50
"""Validation cases that a fusion asks for, or it leaves the transition expert alone; and that a
calibration is fitted on, or there are no probabilities."""


@dataclass(frozen=True)
class Found:
    """The settings that did best on validation, and all that was tried, in order.

    recommender   where the search itself was the fit: one training that validation stopped
    """

    settings: Any
    trials: tuple[Trial, ...]
    recommender: Recommender | None = None


def search(
    family: Family,
    start: Settings,
    dataset: Dataset,
    validation: Cases,
    bounds: SearchSettings,
    *,
    seed: int = 0,
    repeats: bool = False,
    progress: Progress | None = None,
) -> Found:
    """Climb from the start, one setting after another, while validation NDCG@10 rises.

    ``dataset`` holds the training events alone. Each setting of the family's space is moved up
    its ladder, then down, one step at a time, as long as that pays; no more than
    ``bounds.budget`` trials in all. The cases are those of the settings' share of users, at most
    ``bounds.users`` of them, drawn by a hash of their identifiers. A family that is watched is
    trained once instead, and these cases tell when to stop.
    """
    asked = validation.take(drawn(dataset, validation, bounds.users, seed))
    fit = family.fitter(dataset, seed)

    def ndcg(model: Recommender) -> float:
        found = evaluate(model, dataset.catalogue, asked, repeats=repeats, listed=False, seed=seed)
        return found.mean(METRIC)

    if family.watched:
        model = fit(start, watch=ndcg, progress=progress)
        changes = dict(_differences(start, model.settings))
        return Found(model.settings, (Trial(changes, ndcg(model)),), model)
    if bounds.budget == 1:
        return Found(start, ())
    trials: dict[str, Trial] = {}

    def value(settings: Settings) -> float:
        key = settings.model_dump_json()
        if key not in trials:
            if len(trials) >= bounds.budget:
                return -np.inf
            model = fit(changed(settings, family.cheap))
            trials[key] = Trial(dict(_differences(start, settings)), ndcg(model))
            if progress:
                what = ", ".join(f"{k} {v}" for k, v in trials[key].changes.items())
                progress(
                    f"{family.name}: trial {len(trials)} of at most {bounds.budget}: "
                    f"{what or 'as given'}: validation NDCG@10 {trials[key].ndcg:.4f}"
                )
        return trials[key].ndcg

    best, best_value = start, value(start)
    for name, ladder in ladders(family, dataset):
        for step in (1, -1):
            moved = False
            while (rung := _next(ladder, lookup(best, name, family, dataset), step)) is not None:
                tried = changed(best, {name: rung})
                if value(tried) <= best_value:
                    break
                best, best_value, moved = tried, value(tried), True
            if moved:
                break
    return Found(best, tuple(trials.values()))


def drawn(dataset: Dataset, cases: Cases, users: int, seed: int, part: int = 0) -> Ints:
    """Which validation cases of a share of users are read, ascending places.

    At most ``users``, drawn by a hash of their identifiers; all cases where the share is empty.
    """
    names = [dataset.users.ids[user] for user in cases.histories.users]
    mine = np.flatnonzero(validation_part(names, seed) == part)
    if len(mine) > users:
        place = uniform(hashes("search", [names[i] for i in mine], seed))
        mine = np.sort(mine[np.argsort(place, kind="stable")[:users]])
    return mine if len(mine) else np.arange(len(names))


def shared(dataset: Dataset, validation: Cases, part: int, seed: int) -> Cases:
    """The validation cases of one share of users, at most MOST; all where it is empty."""
    return validation.take(drawn(dataset, validation, MOST, seed, part))


def ladders(family: Family, dataset: Dataset) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The settings that are worth a search on this dataset, and the values of each."""
    catalogue = dataset.catalogue
    others = [b.name for b in catalogue.behaviors if b.polarity > 0 and b.name != dataset.target]
    for name, ladder in family.space.items():
        if name.startswith("content_weights."):
            own = [f"content_weights.{modality}" for modality in catalogue.modalities]
            if name.endswith("*"):
                mine = [key for key in own if key not in family.space]
            else:
                mine = [key for key in own if key == name]
            yield from ((key, ladder) for key in mine)
            continue
        needed = {
            "decay": dataset.time != "none",
            "reverse": dataset.time != "none",
            "cross_domain_weight": dataset.domains_unordered,
            "cold": catalogue.modalities,
            "friends": len(dataset.relations),
            "attributes": len(catalogue.attributes),
        }
        if not needed.get(name, True):
            continue
        if name.endswith(".*"):
            yield from ((name[:-1] + other, ladder) for other in others)
        elif others or not name.endswith("?"):
            yield name.rstrip("?"), ladder


def lookup(settings: Settings, name: str, family: Family, dataset: Dataset) -> Any:
    """The value of a setting; ``content_weights.tags`` is the entry of a dict."""
    field, _, key = name.partition(".")
    value = getattr(settings, field)
    if not key:
        return value
    return value[key] if key in value else family.entry(settings, name, dataset)


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """The settings with some values changed, checked anew."""
    content = settings.model_dump()
    for name, value in changes.items():
        field, _, key = name.partition(".")
        content[field] = {**content[field], key: value} if key else value
    return type(settings).model_validate(content)


def _next(ladder: tuple[Any, ...], value: Any, step: int) -> Any:
    """The next value up or down a ladder, or None; a value between two rungs has both beside it."""
    rungs = sorted(rung for rung in ladder if (rung - value) * step > 0)
    return None if not rungs else rungs[0] if step > 0 else rungs[-1]


def _differences(start: Settings, settings: Settings) -> Iterator[tuple[str, Any]]:
    before, after = start.model_dump(), settings.model_dump()
    for name, value in after.items():
        if value != before[name]:
            yield name, value
