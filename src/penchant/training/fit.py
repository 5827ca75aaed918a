"""Fit: choose settings on validation events, measure on test events, then fit on everything."""

import time
from dataclasses import dataclass
from typing import Any

from penchant.config import Recipe, Settings, parse
from penchant.data.dataset import Dataset
from penchant.data.splitting.cases import Split
from penchant.data.splitting.protocols import NEW, resolve_protocol
from penchant.data.splitting.split import split
from penchant.data.user_attributes import described_users
from penchant.errors import ConfigError, DataError
from penchant.evaluation.evaluate import Evaluation, evaluate
from penchant.evaluation.metrics.intervals import interval_dict
from penchant.evaluation.probabilities import above, lists, measured
from penchant.evaluation.slices import beside, sliced
from penchant.features.item_content import encode_items
from penchant.models.base import Family, Recommender
from penchant.models.baselines.popularity import POPULARITY
from penchant.models.calibration import LISTED, Calibration
from penchant.models.fusion.recommender import FUSION, Fusion
from penchant.models.registry import Outside, family_of
from penchant.models.sequence import SEQUENCE
from penchant.models.transition.recommender import TRANSITION
from penchant.recommendation import Model
from penchant.training.behavior_heads import Head, heads, other_behaviors
from penchant.training.query_share import in_words, searching, tune_query_share
from penchant.training.tuning import FEWEST, Trial, search, shared
from penchant.training.vector_diagnostics import agreement, judge_vectors
from penchant.types import Progress

_MANY = 0.3  # of the test events that no list can hold: more than that is said


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

    The settings are searched on the dataset's validation events. A twin with the chosen settings
    is measured on the test events, which it never saw; then the model is fitted on all events.
    The twin's measurement is in ``info["evaluation"]``. Where there are too few events to hold
    any out, the recipe's settings are taken as they are, and ``info["notes"]`` says so.

    Raises ConfigError for a family, behavior or setting that is not known, DataError for data
    that the family cannot take.

    >>> from penchant.data.synthetic import checkerboard
    >>> model = fit(checkerboard(), model="transition")
    >>> [row.item for row in model.recommend("u0002", k=1).items]
    ['i0002']
    """
    recipe = recipe or Recipe()
    family = family_of(model or default_family())
    dataset = resolve_protocol(dataset.with_target(recipe.target), recipe.repeats)
    progress = progress or (lambda text: None)
    info: dict[str, Any] = {"notes": list(dataset.notes)}
    dataset, read = encode_items(dataset, recipe.content, progress)
    info["content"] = read.to_dict()
    dataset, noted = described_users(dataset, recipe.users)
    info["notes"] += (*read.notes, *noted)
    holdout_model: Recommender | None = None
    others: dict[str, Head] = {}
    calibrations: dict[str, Calibration] = {}
    try:
        parts = split(dataset, seed=recipe.seed)
    except DataError as error:
        family = TRANSITION if family is FUSION else family
        info["notes"].append(f"not evaluated, and settings not searched: {error}")
    else:
        asked = len(parts.validation.histories)
        if family is FUSION and asked < FEWEST:
            info["notes"].append(f"no fusion: {asked} validation cases, it needs {FEWEST}")
            family = TRANSITION
        trained = train(dataset, parts, family.name, recipe, progress)
        holdout_model = trained.recommender
        info["trials"] = [{"changes": t.changes, "ndcg@10": t.value} for t in trained.trials]
        listing: Recommender = holdout_model
        if dataset.catalogue.tokens.ids:
            tried = tune_query_share(
                holdout_model, dataset, shared(dataset, parts.validation, 0, recipe.seed), recipe
            )
            recipe, info["searches"] = tried
            if info["searches"]:
                info["notes"].append(in_words(info["searches"]))
            listing = (
                searching(holdout_model, dataset, recipe) if recipe.queries.share else holdout_model
            )
        progress(f"evaluating on {len(parts.test.histories):,} test cases")
        evaluation = on_test(listing, dataset, parts, recipe)
        if not recipe.repeats and parts.test.repeated >= _MANY:
            info["notes"].append(
                f"{parts.test.repeated:.0%} of the test events are of an item that their user had "
                "before, which no list holds; with --set repeats=true lists hold such items, and "
                f"protocol {NEW!r} asks for new ones alone"
            )
        info["evaluation"] = {
            "protocol": parts.protocol,
            "cases": len(parts.test.histories),
            "seed": recipe.seed,
            "metrics": interval_dict(evaluation.metrics),
        }
        info["slices"] = sliced(evaluation, dataset.with_events(parts.train), parts.test)
        info["baselines"] = baselines(evaluation, holdout_model, dataset, parts, recipe)
        info["groups"] = {
            name: evaluation.by(
                [dataset.attributes[name][user] for user in evaluation.users],
                ("recall@10", "ndcg@10"),
            )
            for name in recipe.users.protected
        }
        deep, closed = holdout_model.sequence, holdout_model.transition
        if deep is not None and deep.settings.interests > 1:
            info["vectors"] = judge_vectors(
                deep, dataset.catalogue, parts.test, repeats=recipe.repeats
            )
            if closed is not None:
                known = dataset.with_events(parts.train)
                by = known, closed.statistics, recipe.interests, recipe.seed
                info["vectors"]["agreement"] = agreement(deep, *by, parts.test)
        if weights := holdout_model.weights_report():
            info["weights"] = weights
        others = heads(dataset, parts, holdout_model, recipe, progress)
        progress("calibrating probabilities on validation users of their own")
        calibrations, info["probabilities"], notes = calibrated(
            dataset, parts, holdout_model, others, recipe
        )
        info["notes"] += notes
    progress(f"fitting {family.name} on all {len(dataset.events):,} events")
    if holdout_model is None:
        recommender = family.fitter(dataset, recipe.seed)(start(family, recipe))
    else:
        recommender = holdout_model.refit(dataset, recipe.seed)
    holdout_models = {name: head.holdout_model for name, head in others.items()}
    served = other_behaviors(dataset, recommender, recipe, progress, holdout_models)
    held = holdout_model.sequence if holdout_model and holdout_model.experts else None
    return Model(dataset, recommender, recipe, info, calibrations, served, holdout_model=held)


def on_test(
    holdout_model: Recommender, dataset: Dataset, parts: Split, recipe: Recipe
) -> Evaluation:
    """What a model fitted on the training events does on the test cases."""
    return evaluate(
        holdout_model,
        dataset.catalogue,
        parts.test,
        repeats=recipe.repeats,
        popularity=dataset.with_events(parts.train).counts(),
        seed=recipe.seed,
    )


def baselines(
    evaluation: Evaluation,
    holdout_model: Recommender,
    dataset: Dataset,
    parts: Split,
    recipe: Recipe,
) -> dict[str, Any]:
    """What popularity does on the same test cases and, paired, by how much the twin differs.

    JSON types; empty for a twin that is popularity itself.
    """
    if holdout_model.name == POPULARITY.name:
        return {}
    data = dataset.with_events(parts.train)
    popular = POPULARITY.fitter(data, recipe.seed)(POPULARITY.settings())
    found = beside(evaluation, on_test(popular, dataset, parts, recipe))
    return {POPULARITY.name: {name: interval_dict(of) for name, of in found.items()}}


def calibrated(
    dataset: Dataset,
    parts: Split,
    holdout_model: Recommender,
    others: dict[str, Head],
    recipe: Recipe,
) -> tuple[dict[str, Calibration], list[dict[str, Any]], list[str]]:
    """Calibrations by behavior, how good each one's probabilities are, and what there is not.

    The target's are judged on test, with how often it is likelier than each other behavior.
    """
    made = {name: h.calibration for name, h in others.items() if h.calibration is not None}
    found = [head.found for head in others.values() if head.found is not None]
    notes = [
        f"no probabilities for {name!r}: fewer than {FEWEST} validation cases of each share are "
        "followed by events of it, or none of these events is on a list"
        for name in others
        if name not in made
    ]
    cases = shared(dataset, parts.validation, 2, recipe.seed)
    if len(cases.histories) < FEWEST:
        notes.insert(
            0,
            f"no probabilities: {len(cases.histories)} validation cases for their calibration, it "
            f"needs {FEWEST}",
        )
        return made, found, notes
    asked = cases, parts.test, recipe.repeats, recipe.seed
    probable = measured(holdout_model, dataset.with_events(parts.train), *asked)
    if probable is None:
        notes.insert(
            0,
            f"no probabilities: in none of {len(cases.histories)} validation cases is the event "
            f"that came next on the list of the {LISTED} best",
        )
        return made, found, notes
    calibration, judged, own = probable
    likelier = {
        name: above(
            (judged, calibration),
            (
                lists(others[name].holdout_model, dataset.catalogue, parts.test, recipe.repeats),
                other,
            ),
        )
        for name, other in made.items()
    }
    head = {**own, "above": likelier}
    return {dataset.target: calibration, **made}, [head, *found], notes


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
