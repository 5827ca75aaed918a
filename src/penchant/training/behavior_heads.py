"""Models of the behaviors besides the target: one run serves browsing and buying."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from penchant.config import Recipe, SearchSettings, Settings
from penchant.data.arrays import ranges
from penchant.data.dataset import Dataset
from penchant.data.splitting.cases import Cases, Split
from penchant.data.splitting.protocols import LEAVE_ONE_NEW_OUT, default_protocol
from penchant.data.splitting.split import split
from penchant.errors import ConfigError, DataError
from penchant.evaluation.fit_report import ProbabilityReport
from penchant.evaluation.probabilities import evaluate_calibration
from penchant.models.base import Recommender
from penchant.models.calibration import Calibration
from penchant.training.holdout import Holdout
from penchant.training.tuning import FEWEST, search, shared
from penchant.types import Ints, Progress

SPACE = ("other_behavior_weight?", "behavior_weights.*")
"""Settings that may change from one behavior to the next: those of the transition expert."""

AHEAD = ("leave-one-out", LEAVE_ONE_NEW_OUT, "given", "time")
"""Protocols whose validation histories end before events that nothing was fitted on."""


@dataclass(frozen=True)
class Head:
    """What serves one behavior besides the target: its holdout model.

    calibration   None where too few events of it are held out, or none of them is on a list
    report        how good its probabilities are
    """

    holdout_model: Recommender
    calibration: Calibration | None = None
    report: ProbabilityReport | None = None


def behavior_heads(
    holdout: Holdout, progress: Progress, settled: Mapping[str, Recommender] | None = None
) -> dict[str, Head]:
    """The heads of a holdout model, by behavior; of ``settled`` models the settings are taken.

    The weights of a fusion are fitted on one share of the validation users, the calibration on
    another, and it is judged on the third.
    """
    dataset, parts, recipe = holdout.dataset, holdout.parts, holdout.recipe
    holdout_models = other_behaviors(holdout.train, holdout.model, recipe, progress, settled)
    ahead = max(1, round(len(parts.validation.truth) / max(1, len(parts.validation.histories))))

    def head(name: str, model: Recommender) -> Head:
        cases = held_out(dataset, parts, name, ahead)
        shares = [shared(dataset, cases, part, recipe.seed) for part in range(3)]
        if min(len(part.histories) for part in shares) < FEWEST:
            return Head(model)
        to_judge, to_weigh, to_calibrate = shares
        progress(f"fitting what scores of {name!r} mean on validation users of their own")
        model = model.refit_weights(to_weigh, recipe.repeats)
        train = holdout.train.with_target(name)
        found = evaluate_calibration(
            model, train, to_calibrate, to_judge, recipe.repeats, recipe.seed
        )
        return Head(model) if found is None else Head(model, found.calibration, found.report)

    return {name: head(name, model) for name, model in holdout_models.items()}


def held_out(dataset: Dataset, parts: Split, behavior: str, ahead: int) -> Cases:
    """The validation histories that events of a behavior follow, and the first of these.

    The truth of a case are the items of the next ``ahead`` events of the behavior after its
    history. No fit has seen them: training ends where a validation history does. Protocols that
    do not end it there give no case.
    """
    e, row = dataset.events.sorted(), dataset.catalogue.behavior(behavior)
    cases = parts.validation if parts.protocol in AHEAD else None
    if cases is None:
        none = np.zeros(0, np.int64)
        return Cases(e.histories(none), np.zeros(1, np.int64), none, none, none)
    place = np.zeros(int(e.row.max(initial=-1)) + 1, np.int64)
    place[e.row] = np.arange(len(e))
    ends = e.indptr(len(dataset.users))
    begin, stop = ends[cases.histories.users], ends[cases.histories.users + 1]
    some = cases.histories.lengths > 0
    latest = cases.histories.indptr[1:][some] - 1
    begin[some] = place[cases.histories.events.row[latest]] + 1
    about = np.flatnonzero((e.behavior == row) & (e.item >= 0))
    first = np.searchsorted(about, begin)
    last = np.minimum(np.searchsorted(about, stop), first + ahead)
    asked = np.flatnonzero(last > first)
    sizes = (last - first)[asked]
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    which = ranges(first[asked], sizes)
    one: Ints = np.ones(len(asked), np.int64)
    return Cases(cases.histories.take(asked), indptr, e.item[about[which]], row * one, -one)


def other_behaviors(
    dataset: Dataset,
    model: Recommender,
    recipe: Recipe,
    progress: Progress = lambda text: None,
    holdout_models: Mapping[str, Recommender] | None = None,
) -> dict[str, Recommender]:
    """What serves each further positive behavior of a dataset with several, by name.

    It is the model itself where that knows several behaviors, else one of its family fitted for
    the behavior. What a transition expert lets other behaviors count for is chosen on that
    behavior's own last events, or is that of its holdout model, as are the weights of a fusion.
    """
    events, catalogue = dataset.events, dataset.catalogue
    names = [
        behavior.name
        for row, behavior in enumerate(catalogue.behaviors)
        if behavior.polarity > 0
        and behavior.name != dataset.target
        and ((events.behavior == row) & (events.item >= 0)).any()
    ]

    def fitted(data: Dataset) -> Recommender:
        def refit(expert: Recommender, before: Recommender | None) -> Recommender:
            settings = before.settings if before else _chosen(expert, data, recipe, progress)
            if settings == expert.settings and expert.any_target:
                return expert
            progress(f"{expert.name}: fitting for {data.target!r}")
            return expert.family.fitter(data, recipe.seed)(settings)

        return model.for_target(data, refit, (holdout_models or {}).get(data.target))

    return {name: fitted(dataset.with_target(name)) for name in names}


def _chosen(expert: Recommender, dataset: Dataset, recipe: Recipe, progress: Progress) -> Settings:
    """An expert's settings for another target; as they are where no events can be held out."""
    settings: Settings = expert.settings
    space = {name: steps for name, steps in expert.family.space.items() if name in SPACE}
    if not space:
        return settings
    try:
        parts = split(dataset, default_protocol(dataset, recipe.repeats), recipe.seed)
    except (ConfigError, DataError):
        return settings
    progress(f"{expert.name}: searching settings for {dataset.target!r}")
    bounds = SearchSettings(
        budget=max(1, recipe.search.budget // 2), users=min(2000, recipe.search.users)
    )
    best: Settings = search(
        replace(expert.family, space=space),
        settings,
        dataset.with_events(parts.train),
        parts.validation,
        bounds,
        seed=recipe.seed,
        repeats=recipe.repeats,
    ).settings
    return best
