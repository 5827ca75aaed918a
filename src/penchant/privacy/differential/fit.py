"""A run with a budget: one release from all events, and what its guarantee covers."""

import os
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from penchant.config import Recipe, SequenceSettings
from penchant.data.dataset import Dataset
from penchant.data.merge import without_users
from penchant.data.splitting.cases import Split
from penchant.data.splitting.protocols import resolve_protocol
from penchant.data.splitting.split import split
from penchant.data.vocabulary import Vocabulary
from penchant.errors import DataError
from penchant.evaluation.metrics.intervals import interval_dict
from penchant.features.item_content import encode_items
from penchant.models.base import Recommender
from penchant.models.private import ReleaseSettings
from penchant.privacy.differential.accountant import Ledger
from penchant.privacy.differential.noise import Source
from penchant.privacy.differential.release import Budget, release
from penchant.recommendation import Model
from penchant.training.fit import baselines, on_test
from penchant.types import Progress

COVERED = (
    "the released arrays, whoever reads them with all that is public (the catalogue, its contents, "
    "the settings); a user's own list against all other users"
)
OPEN = (
    "a user's own list reads their own history, which stands in the run with all others' for that "
    "(privacy.public=true leaves them out)",
    "the evaluation is of a twin with a budget of its own, which is thrown away, on held-out "
    "events without noise: it is for who runs the fit, as the events are",
    "each further fit on the same users spends anew, and the budgets of several runs add up",
    "settings are taken as given: none is searched on events, and one that was chosen on these "
    "events elsewhere is not covered",
    "a catalogue that was made of the events, not of an items file, is no public one",
)


def fit_private(
    dataset: Dataset,
    epsilon: float,
    delta: float,
    recipe: Recipe | None = None,
    *,
    progress: Progress | None = None,
    source: Source = os.urandom,
) -> Model:
    """A model that is (epsilon, delta)-differentially private in each user.

    For any two sets of events of which one has one user more, with all their events, and any set
    of outcomes S: P(release in S) <= e^epsilon P'(release in S) + delta. What that covers, and
    what not, is COVERED and OPEN; both stand in ``info["privacy"]`` with the ledger. Nothing is
    searched. A twin without the test events, of the same budget, is measured and thrown away;
    with ``recipe.privacy.public`` there is no holdout_model, and the model holds no user.

    ``source`` gives the random bytes of the noise; leave it to the system but in tests. No seed
    can repeat a release.

    Raises ConfigError for an epsilon or delta outside their intervals and for data that the method
    cannot take, BudgetError for a release past the budget.
    """
    ledger, recipe, say = (
        Ledger(epsilon, delta),
        recipe or Recipe(),
        progress or (lambda text: None),
    )
    dataset = resolve_protocol(dataset.with_target(recipe.target), recipe.repeats)
    dataset, read = encode_items(dataset, recipe.content, say)
    settings = ReleaseSettings(privacy=recipe.privacy, transition=recipe.transition)
    info: dict[str, Any] = {"notes": [*read.notes, *_left_out(dataset)], "content": read.to_dict()}
    if recipe.privacy.method == "sequence":  # its rows for tokens would say which there are
        dataset = _about_items(dataset)
    if not recipe.privacy.public:
        info["notes"] = [*dataset.notes, *info["notes"]]
        try:
            parts = split(dataset, seed=recipe.seed)
        except DataError as error:
            info["notes"].append(f"not evaluated: {error}")
        else:
            say("measuring a twin of the same budget on the test events")
            data = dataset.with_events(parts.train)
            budget = Budget(Ledger(epsilon, delta), source)
            holdout_model, _ = released(data, settings, recipe.sequence, budget, say)
            info |= _measured(dataset, parts, holdout_model, recipe)
    say(f"releasing with epsilon {epsilon:g}, delta {delta:g}")
    recommender, spent = released(dataset, settings, recipe.sequence, Budget(ledger, source), say)
    if recipe.privacy.public:
        everyone = np.arange(len(dataset.users))
        dataset = without_users(dataset, everyone)
        dataset = replace(_about_items(dataset), held_out=None, notes=())
    info["privacy"] = spent | {
        "method": recipe.privacy.method,
        "covered": COVERED,
        "not covered": list(OPEN),
    }
    return Model(dataset, recommender, recipe, info)


def released(
    dataset: Dataset,
    settings: ReleaseSettings,
    deep: SequenceSettings,
    budget: Budget,
    progress: Progress | None = None,
) -> tuple[Recommender, dict[str, Any]]:
    """A private model of the dataset's events, and what it spent, as JSON types.

    Raises ConfigError and BudgetError as ``release`` does, and MissingExtraError without torch or
    opacus where they are needed.
    """
    if settings.privacy.method != "sequence":
        found = release(dataset, settings, budget)
        unit = {"unit": "a user with all their events, added or removed"}
        return found, (budget.ledger.to_dict() if budget.ledger else {}) | unit
    from penchant.privacy.differential.dp_sgd import private_sequence

    assert budget.ledger is not None
    asked = budget.ledger.epsilon, budget.ledger.delta
    sequence, spent = private_sequence(dataset, deep, asked, settings.privacy, progress)
    return sequence, {
        "epsilon": asked[0],
        "delta": asked[1],
        "spent": asdict(spent),
        "unit": "a user with their one sequence of events, added or removed, of a known number of "
        "users",
    }


def _about_items(dataset: Dataset) -> Dataset:
    """The same without events about tokens, and without the tokens, which came with events."""
    about = dataset.with_events(dataset.events.take(dataset.events.item >= 0))
    return replace(about, catalogue=replace(about.catalogue, tokens=Vocabulary(())))


def in_words(info: dict[str, Any]) -> list[str]:
    """What a private run says of itself: its budget beside NDCG@10, and what is covered."""
    found = info["privacy"]
    lines = [
        f"private ({found['method']}): epsilon {found['epsilon']:g}, delta {found['delta']:g} for "
        f"{found['unit']}; {_cost(found)}"
    ]
    if evaluation := info.get("evaluation"):
        value = evaluation["metrics"]["ndcg@10"]
        lines[0] += (
            f"; NDCG@10 {value['value']:.4f} [{value['low']:.4f}, {value['high']:.4f}], measured "
            "without privacy"
        )
    lines.append(f"covered: {found['covered']}")
    return lines + [f"not covered: {line}" for line in found["not covered"]]


def _cost(found: dict[str, Any]) -> str:
    spent = found["spent"]
    if "rho" in found:
        total = sum(spent.values())
        return f"rho {total:.4g} of {found['rho']:.4g} spent on {', '.join(spent)}"
    return (
        f"epsilon {spent['epsilon']:.4g} spent on {spent['steps']:,} steps, each with "
        f"{spent['sampling']:.1%} of the users and noise of {spent['noise']:.3g} gradients"
    )


def _left_out(dataset: Dataset) -> list[str]:
    """What a private fit does not read, in words; of the catalogue alone, which is public."""
    catalogue, notes = dataset.catalogue, []
    if len(catalogue.tokens):
        notes.append("a private fit reads events about items alone, none about tokens")
    if any(b.polarity < 0 for b in catalogue.behaviors):
        notes.append("a private fit learns no negative behaviors")
    if dataset.attributes or len(dataset.relations):
        notes.append("a private fit reads no attributes of users and no friends")
    return notes


def _measured(
    dataset: Dataset, parts: Split, holdout_model: Recommender, recipe: Recipe
) -> dict[str, Any]:
    """What a twin that never saw the test events does on them."""
    evaluation = on_test(holdout_model, dataset, parts, recipe)
    return {
        "evaluation": {
            "protocol": parts.protocol,
            "cases": len(parts.test.histories),
            "seed": recipe.seed,
            "metrics": interval_dict(evaluation.metrics),
        },
        "baselines": baselines(evaluation, holdout_model, dataset, parts, recipe),
    }
