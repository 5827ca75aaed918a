"""Fit: choose settings on validation events, measure on test events, then fit on everything."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from penchant.config import Recipe, Settings
from penchant.data.cases import Split
from penchant.data.dataset import Dataset
from penchant.data.splits import split
from penchant.errors import DataError
from penchant.evaluate import Evaluation, evaluate
from penchant.model import Model, counts, family_of, interval_dict
from penchant.models.base import Family, Recommender
from penchant.search import Found, Trial, search

Told = Callable[[str], None]
"""Told in words of what is done."""


@dataclass(frozen=True)
class Twin:
    """A model fitted without validation and test events, and what it did on the test events."""

    recommender: Recommender
    found: Found
    evaluation: Evaluation
    split: Split


def fit(
    dataset: Dataset,
    recipe: Recipe | None = None,
    *,
    model: str = "transition",
    told: Told | None = None,
) -> Model:
    """Fit a model of a family on a dataset.

    The settings are searched on the dataset's validation events. A twin with the chosen settings
    is measured on the test events, which it never saw; then the model is fitted on all events.
    The twin's measurement is in ``info["evaluation"]``. Where there are too few events to hold
    any out, the recipe's settings are taken as they are, and ``info["notes"]`` says so.

    Raises ConfigError for a family, behavior or setting that is not known, DataError for data
    that the family cannot take.

    >>> from penchant.data.simulate import checkerboard
    >>> model = fit(checkerboard())
    >>> [row.item for row in model.recommend("u0002", k=1).items]
    ['i0002']
    """
    recipe = recipe or Recipe()
    family = family_of(model)
    dataset = aimed(dataset, recipe.target)
    say = told or (lambda text: None)
    info: dict[str, Any] = {"notes": list(dataset.notes)}
    settings = start(family, recipe)
    try:
        parts = split(dataset, seed=recipe.seed)
    except DataError as error:
        info["notes"].append(f"not evaluated, and settings not searched: {error}")
    else:
        twin = fit_twin(dataset, parts, family, recipe, say)
        settings = twin.found.settings
        info["trials"] = [{"changes": t.changes, "ndcg@10": t.value} for t in twin.found.trials]
        info["evaluation"] = {
            "protocol": parts.protocol,
            "cases": len(parts.test.histories),
            "seed": recipe.seed,
            "metrics": interval_dict(twin.evaluation.metrics),
        }
    say(f"fitting {family.name} on all {len(dataset.events):,} events")
    recommender = family.fitter(dataset, recipe.seed)(settings)
    return Model(dataset, recommender, recipe, info)


def fit_twin(
    dataset: Dataset, parts: Split, family: Family, recipe: Recipe, say: Told = lambda text: None
) -> Twin:
    """Search on validation, fit on the training events, evaluate on the test events."""
    train = dataset.with_events(parts.train)

    def told(trial: Trial, budget: int) -> None:
        what = ", ".join(f"{k} {v}" for k, v in trial.changes.items()) or "as it stands"
        say(f"search, up to {budget} trials: {what}: validation NDCG@10 {trial.value:.4f}")

    found = search(
        family,
        start(family, recipe),
        train,
        parts.validation,
        recipe.search,
        seed=recipe.seed,
        repeats=recipe.repeats,
        told=told,
    )
    say(f"fitting {family.name} without the held-out events")
    recommender = family.fitter(train, recipe.seed)(found.settings)
    say(f"evaluating on {len(parts.test.histories):,} test cases")
    evaluation = evaluate(
        recommender,
        dataset.catalogue,
        parts.test,
        repeats=recipe.repeats,
        popularity=counts(train),
        seed=recipe.seed,
    )
    return Twin(recommender, found, evaluation, parts)


def start(family: Family, recipe: Recipe) -> Settings:
    """The settings that a search begins with: the recipe's, where it has a section for them."""
    own = getattr(recipe, family.name, None)
    return own if isinstance(own, family.settings) else family.settings()


def aimed(dataset: Dataset, target: str | None) -> Dataset:
    """The dataset with another target behaviour; ConfigError lists the known ones."""
    if target is None:
        return dataset
    dataset.catalogue.behavior(target)
    return replace(dataset, target=target)
