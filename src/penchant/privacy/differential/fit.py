"""A run with a budget: one release from all events, and what its guarantee covers."""

import os
from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np

from penchant.config import Recipe, SequenceSettings
from penchant.data.dataset import Dataset
from penchant.data.merge import without_users
from penchant.data.splitting.protocols import resolve_protocol
from penchant.data.splitting.split import split
from penchant.data.vocabulary import Vocabulary
from penchant.errors import DataError
from penchant.evaluation.fit_report import FitReport, PrivacyReport
from penchant.features.item_content import encode_items
from penchant.models.base import Recommender
from penchant.models.private import ReleaseSettings
from penchant.privacy.differential.accountant import Ledger
from penchant.privacy.differential.noise import Source
from penchant.privacy.differential.release import Budget, release
from penchant.recommendation import Model
from penchant.training.fit_report import baselines, on_test
from penchant.training.holdout import Holdout
from penchant.types import Progress

COVERED = (
    "the released arrays, whoever reads them with all that is public (the catalogue, its contents, "
    "the settings); a user's own list against all other users"
)
OPEN = (
    "a user's own list reads their own history, which is saved in the run for that "
    "(privacy.public=true leaves all histories out)",
    "the evaluation is of a holdout model with a budget of its own, which is not saved, on "
    "held-out events without noise: it is for who runs the fit, as the events are",
    "each further fit on the same users spends again, and the budgets of several runs add up",
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
    what not, is COVERED and OPEN; both stand in ``report.privacy`` with the ledger. Nothing is
    searched. A holdout model of the same budget is measured and thrown away;
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
    report = FitReport((*read.notes, *_left_out(dataset)), read.report())
    if recipe.privacy.method == "sequence":  # its rows for tokens would say which there are
        dataset = _about_items(dataset)
    if not recipe.privacy.public:
        report = replace(report, notes=(*dataset.notes, *report.notes))
        try:
            parts = split(dataset, seed=recipe.seed)
        except DataError as error:
            report = report.noting(f"not evaluated: {error}")
        else:
            say("evaluating a holdout model with the same budget on the test events")
            data = dataset.with_events(parts.train)
            budget = Budget(Ledger(epsilon, delta), source)
            holdout_model, _ = release_model(data, settings, recipe.sequence, budget, say)
            holdout = Holdout(holdout_model, dataset, parts, recipe)
            evaluation = holdout.on_test()
            report = replace(
                report,
                evaluation=on_test(holdout, evaluation),
                baselines=baselines(holdout, evaluation),
            )
    say(f"releasing with epsilon {epsilon:g}, delta {delta:g}")
    recommender, spent = release_model(
        dataset, settings, recipe.sequence, Budget(ledger, source), say
    )
    if recipe.privacy.public:
        everyone = np.arange(len(dataset.users))
        dataset = without_users(dataset, everyone)
        dataset = replace(_about_items(dataset), held_out=None, notes=())
    return Model(dataset, recommender, recipe, replace(report, privacy=spent))


def release_model(
    dataset: Dataset,
    settings: ReleaseSettings,
    deep: SequenceSettings,
    budget: Budget,
    progress: Progress | None = None,
) -> tuple[Recommender, PrivacyReport | None]:
    """A private model of the dataset's events, and what it spent; None without a ledger.

    Raises ConfigError and BudgetError as ``release`` does, and MissingExtraError without torch or
    opacus where they are needed.
    """
    if settings.privacy.method != "sequence":
        model, ledger = release(dataset, settings, budget), budget.ledger
        if ledger is None:
            return model, None
        unit = "a user with all their events, added or removed"
        return model, _report(ledger, settings, dict(ledger.spent), unit, rho=ledger.rho)
    from penchant.privacy.differential.dp_sgd import private_sequence

    assert budget.ledger is not None
    asked = budget.ledger.epsilon, budget.ledger.delta
    sequence, spent = private_sequence(dataset, deep, asked, settings.privacy, progress)
    unit = "a user with their one sequence of events, added or removed, of a known number of users"
    return sequence, _report(budget.ledger, settings, asdict(spent), unit)


def _report(
    ledger: Ledger,
    settings: ReleaseSettings,
    spent: Mapping[str, float],
    unit: str,
    rho: float | None = None,
) -> PrivacyReport:
    method = settings.privacy.method
    return PrivacyReport(ledger.epsilon, ledger.delta, rho, spent, unit, method, COVERED, OPEN)


def _about_items(dataset: Dataset) -> Dataset:
    """The same without events about tokens, and without the tokens, which came with events."""
    about = dataset.with_events(dataset.events.take(dataset.events.item >= 0))
    return replace(about, catalogue=replace(about.catalogue, tokens=Vocabulary(())))


def summary_lines(report: FitReport) -> list[str]:
    """What a private run says of itself: its budget beside NDCG@10, and what is covered."""
    privacy = report.privacy
    if privacy is None:
        return []
    lines = [
        f"private ({privacy.method}): epsilon {privacy.epsilon:g}, delta {privacy.delta:g} for "
        f"{privacy.unit}; {_cost(privacy)}"
    ]
    if report.evaluation is not None:
        value, low, high = report.evaluation.metrics["ndcg@10"]
        lines[0] += f"; NDCG@10 {value:.4f} [{low:.4f}, {high:.4f}], measured without privacy"
    lines.append(f"covered: {privacy.covered}")
    return lines + [f"not covered: {line}" for line in privacy.not_covered]


def _cost(privacy: PrivacyReport) -> str:
    spent = privacy.spent
    if privacy.rho is not None:
        total = sum(spent.values())
        return f"rho {total:.4g} of {privacy.rho:.4g} spent on {', '.join(spent)}"
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
