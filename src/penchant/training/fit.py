"""Fit: choose settings on validation events, measure on test events, then fit on everything."""

import time
from dataclasses import dataclass, replace

from penchant.config import Recipe, Settings, parse
from penchant.data.dataset import Dataset
from penchant.data.splitting.cases import Split
from penchant.data.splitting.protocols import resolve_protocol
from penchant.data.splitting.split import split
from penchant.data.user_attributes import select_attributes
from penchant.errors import ConfigError, DataError
from penchant.evaluation.fit_report import FitReport, QueryTrials, Trial
from penchant.features.item_content import encode_items
from penchant.models.base import Family, Recommender
from penchant.models.fusion.recommender import FUSION, Fusion
from penchant.models.registry import Outside, family_of
from penchant.models.sequence import SEQUENCE, SequenceExpert
from penchant.models.transition.recommender import TRANSITION
from penchant.recommendation import Model
from penchant.training.behavior_heads import Head, behavior_heads, other_behaviors
from penchant.training.calibration import Calibrations, calibrated
from penchant.training.fit_report import measured
from penchant.training.holdout import Holdout
from penchant.training.query_share import in_words, searching, tune_query_share
from penchant.training.tuning import FEWEST, search, shared
from penchant.types import Progress


@dataclass(frozen=True)
class Trained:
    """A recommender fitted without validation and test events, and what it took.

    fit_seconds      one fit with the chosen settings
    search_seconds   the search before it; 0 where the fit itself was watched
    """

    recommender: Recommender
    trials: tuple[Trial, ...]
    fit_seconds: float
    search_seconds: float


def fit(
    dataset: Dataset,
    recipe: Recipe | None = None,
    *,
    model: Outside | None = None,
    progress: Progress | None = None,
) -> Model:
    """Fit a model of a family on a dataset: by default the fusion, without torch the transition.

    Settings are searched on validation events. A holdout model with the chosen settings is
    evaluated on the test events, which it never saw; then the model is fitted on all events.
    Where there are too few events to hold any out, the settings of the recipe are taken as they
    are, and a note says so.

    Parameters
    ----------
    dataset
        Events, users and items, as ``from_columns``, ``load_dataset`` or ``ingest`` give them.
    recipe
        The settings, and what is searched; default: those that suit most data.
    model
        The name of a family, such as ``"fusion"``, ``"transition"``, ``"sequence"`` or
        ``"item-knn"``; or one written outside: the name of an entry point of
        ``penchant.models``, ``"package.module:Name"``, a ``Family``, or a class of recommenders.
    progress
        Called with a line of text as each stage begins.

    Returns
    -------
    Model
        Its ``report`` holds the evaluation of the holdout model, trials and notes.

    Raises
    ------
    ConfigError
        For a family, behavior or setting that is not known.
    DataError
        For data that the family cannot take.
    MissingExtraError
        Where the family needs a package that is not installed.

    Examples
    --------
    >>> from penchant.data.synthetic import checkerboard
    >>> model = fit(checkerboard(), model="transition")
    >>> [row.item for row in model.recommend("u0002", k=1).items]
    ['i0002']
    """
    recipe, progress = recipe or Recipe(), progress or (lambda text: None)
    dataset, report = _prepared(dataset, recipe, progress)
    family, parts, notes = _held_out(dataset, recipe, family_of(model or default_family()))
    report = report.noting(*notes)
    heads: dict[str, Head] = {}
    holdout: Holdout | None = None
    calibrations = Calibrations()
    if parts is not None:
        trained = train(dataset, parts, family.name, recipe, progress)
        holdout = Holdout(trained.recommender, dataset, parts, recipe)
        holdout, searches = _with_query_share(holdout)
        recipe = holdout.recipe
        report = replace(report, trials=trained.trials, searches=searches)
        report = report if searches is None else report.noting(in_words(searches))
        progress(f"evaluating on {len(parts.test.histories):,} test cases")
        evaluation = holdout.with_model(_searching(holdout)).on_test()
        report = measured(report, holdout, evaluation)
        heads = behavior_heads(holdout, progress)
        progress("calibrating probabilities on validation users of their own")
        calibrations = calibrated(holdout, heads)
        report = replace(report, probabilities=calibrations.reports).noting(*calibrations.notes)
    progress(f"fitting {family.name} on all {len(dataset.events):,} events")
    if holdout is None:
        recommender = family.fitter(dataset, recipe.seed)(start(family, recipe))
    else:
        recommender = holdout.model.refit(dataset, recipe.seed)
    holdout_models = {name: head.holdout_model for name, head in heads.items()}
    others = other_behaviors(dataset, recommender, recipe, progress, holdout_models)
    return Model(
        dataset,
        recommender,
        recipe,
        report,
        calibrations.by_behavior,
        others,
        holdout_model=_deep_expert(holdout),
    )


def _prepared(dataset: Dataset, recipe: Recipe, progress: Progress) -> tuple[Dataset, FitReport]:
    """The dataset with contents and attributes as the recipe takes them, and what was read."""
    dataset = resolve_protocol(dataset.with_target(recipe.target), recipe.repeats)
    notes = dataset.notes
    dataset, read = encode_items(dataset, recipe.content, progress)
    dataset, of_users = select_attributes(dataset, recipe.users)
    return dataset, FitReport((*notes, *read.notes, *of_users), read.report())


def _held_out(
    dataset: Dataset, recipe: Recipe, family: Family
) -> tuple[Family, Split | None, tuple[str, ...]]:
    """The family that can be fitted, the split where there is one, and why not what was asked."""
    without_fusion = TRANSITION if family is FUSION else family
    try:
        parts = split(dataset, seed=recipe.seed)
    except DataError as error:
        return without_fusion, None, (f"not evaluated, and settings not searched: {error}",)
    count = len(parts.validation.histories)
    if family is FUSION and count < FEWEST:
        return TRANSITION, parts, (f"no fusion: {count} validation cases, it needs {FEWEST}",)
    return family, parts, ()


def _with_query_share(holdout: Holdout) -> tuple[Holdout, QueryTrials | None]:
    """The holdout with the share of searches that suits validation cases, and what was tried."""
    if not holdout.dataset.catalogue.tokens.ids:
        return holdout, None
    recipe, trials = tune_query_share(
        holdout.model, holdout.dataset, holdout.validation(0), holdout.recipe
    )
    return replace(holdout, recipe=recipe), trials


def _searching(holdout: Holdout) -> Recommender:
    """The holdout model, whose lists give searches their places where the recipe has any."""
    recipe = holdout.recipe
    if not holdout.dataset.catalogue.tokens.ids or not recipe.queries.share:
        return holdout.model
    return searching(holdout.model, holdout.dataset, recipe)


def _deep_expert(holdout: Holdout | None) -> SequenceExpert | None:
    """The deep expert of a fusion without held-out events, which later refits stand on."""
    return holdout.model.sequence if holdout and holdout.model.experts else None


def default_family() -> str:
    """The fusion where torch is installed, else the transition expert alone."""
    from importlib.util import find_spec

    return FUSION.name if find_spec("torch") else TRANSITION.name


def train(
    dataset: Dataset,
    parts: Split,
    name: str,
    recipe: Recipe,
    progress: Progress = lambda text: None,
    made: dict[str, Trained] | None = None,
) -> Trained:
    """Search on validation events and fit on the training events.

    ``made`` are models of this split that a fusion may take as they are, and is added to.
    """
    made = {} if made is None else made
    if name in made:
        return made[name]
    data = dataset.with_events(parts.train)
    if name == FUSION.name:
        made[name] = _fused(data, parts, recipe, progress, made)
        return made[name]
    family = family_of(name)
    began = time.perf_counter()
    progress(f"{name}: searching settings on validation events")
    found = search(
        family,
        start(family, recipe),
        data,
        parts.validation,
        recipe.search,
        seed=recipe.seed,
        repeats=recipe.repeats,
        progress=progress,
    )
    searched = time.perf_counter() - began
    if found.recommender is not None:
        made[name] = Trained(found.recommender, found.trials, searched, 0.0)
        return made[name]
    progress(f"{name}: fitting without the held-out events")
    began = time.perf_counter()
    recommender = family.fitter(data, recipe.seed)(found.settings)
    made[name] = Trained(recommender, found.trials, time.perf_counter() - began, searched)
    return made[name]


def _fused(
    data: Dataset, parts: Split, recipe: Recipe, progress: Progress, made: dict[str, Trained]
) -> Trained:
    experts = [train(data, parts, f.name, recipe, progress, made) for f in (TRANSITION, SEQUENCE)]
    transition, sequence = (expert.recommender for expert in experts)
    progress("fusion: fitting weights on validation users of their own")
    began = time.perf_counter()
    fusion = Fusion.fitted(
        transition, sequence, data, shared(data, parts.validation, 1, recipe.seed), recipe.repeats
    )
    seconds = time.perf_counter() - began
    return Trained(
        fusion,
        tuple(trial for expert in experts for trial in expert.trials),
        seconds + sum(expert.fit_seconds for expert in experts),
        sum(expert.search_seconds for expert in experts),
    )


def start(family: Family, recipe: Recipe) -> Settings:
    """The settings that a search begins with: the recipe's, where it has a section for them."""
    if family.name in recipe.models:
        return parse(family.settings, recipe.models[family.name], f"models.{family.name}")
    own = getattr(recipe, family.name, None)
    if own is None:
        return family.settings()
    if isinstance(own, family.settings):
        return own
    raise ConfigError(f"expected settings of {family.name}, received {type(own).__name__}")
