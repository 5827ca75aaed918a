"""Measuring a model on events that it has not seen."""

from collections.abc import Sequence

import numpy as np

from penchant.data.dataset import Dataset
from penchant.data.splitting.cases import Cases
from penchant.data.splitting.split import split
from penchant.errors import ConfigError, DataError
from penchant.evaluation.evaluate import Evaluation
from penchant.evaluation.evaluate import evaluate as evaluate_cases
from penchant.evaluation.outside_metrics import Metric
from penchant.models.base import Recommender
from penchant.recommendation import Model
from penchant.types import Progress


def evaluate(
    model: Model | Recommender,
    dataset: Dataset,
    cases: Cases | None = None,
    *,
    metrics: Sequence[str | Metric] | None = None,
    k: int = 10,
    repeats: bool | None = None,
    protocol: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Rank all items for each case of held-out events, and measure the lists.

    ``model.report`` holds what the fit measured so itself. This measures a model that was fitted on
    the training events alone, or any object with the method ``score``.

    Parameters
    ----------
    model
        A model, or a recommender whose scores are of the dataset's items.
    dataset
        Whose events are split, and whose items are ranked.
    cases
        Histories and what came next; default: the test cases of the split.
    metrics
        Names such as "ndcg@10", entry points, "package.module:Name", or callables; default: all
        that are built in.
    k
        Items of a list.
    repeats
        Whether items of the history may be listed; default: as the model's recipe says.
    protocol
        Of the split; default: the dataset's.
    seed
        Of the split and of the intervals.
    progress
        Receives a line of text from time to time.

    Returns
    -------
    Evaluation
        ``metrics`` has the mean of each metric with its 95 % interval over users.

    Raises
    ------
    ConfigError
        For an unknown protocol or metric, and for a model that has seen the test events.
    DataError
        Where the model is of other items, and where no event can be held out.

    Examples
    --------
    >>> from penchant import fit
    >>> from penchant.data import synthetic
    >>> from penchant.data.splitting.split import split
    >>> dataset, _, _ = synthetic.genres(60, 40, 4)
    >>> train = dataset.with_events(split(dataset).train)
    >>> result = evaluate(fit(train, model="transition"), dataset, metrics=["ndcg@10"])
    >>> bool(result.metrics["ndcg@10"].value > 0.1)
    True
    """
    popularity = None
    if cases is None:
        parts = split(dataset, protocol, seed)
        cases, popularity = parts.test, dataset.with_events(parts.train).counts()
        if isinstance(model, Model):
            _check_unseen(model, dataset, len(parts.train))
    if isinstance(model, Model):
        if model.dataset.catalogue.items.ids != dataset.catalogue.items.ids:
            raise DataError("expected a model of the items of the dataset, received one of others")
        repeats = model.recipe.repeats if repeats is None else repeats
        recommender: Recommender = model.recommender
    else:
        recommender = model
    return evaluate_cases(
        recommender,
        dataset.catalogue,
        cases,
        k=k,
        repeats=bool(repeats),
        popularity=popularity,
        metrics=metrics,
        seed=seed,
        progress=None if progress is None else lambda done, of: progress(f"{done:,} of {of:,}"),
    )


def _check_unseen(model: Model, dataset: Dataset, training_events: int) -> None:
    """Raise ConfigError where a model was fitted on more events than those of training."""
    known = np.isin(model.dataset.users.rows(dataset.users.ids), -1, invert=True)
    events = len(model.dataset.events)
    if known.any() and events > training_events:
        raise ConfigError(
            f"expected a model that has not seen the test events, received one fitted on "
            f"{events:,} events where {training_events:,} are for training: fit it on "
            "dataset.with_events(split(dataset).train), or read model.report"
        )
