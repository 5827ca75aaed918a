"""What is fitted on held-out users, fitted again without those who are gone."""

from dataclasses import replace

from penchant.data.dataset import Dataset
from penchant.data.splitting.split import split
from penchant.errors import DataError
from penchant.models.base import Recommender
from penchant.recommendation import Model
from penchant.training.behavior_heads import behavior_heads
from penchant.training.calibration import calibrated
from penchant.training.holdout import Holdout
from penchant.training.tuning import FEWEST
from penchant.types import Progress

WEIGHTS, CALIBRATION = "weights of the fusion", "calibration"


def refit_calibration(
    model: Model, progress: Progress | None = None
) -> tuple[Model, tuple[str, ...]]:
    """Fit the weights of a fusion and the calibrations again; the model, and what was fitted.

    As a fit does: on the validation users, by a holdout model with the chosen settings and no
    held-out event. Its transition expert is fitted again; its deep expert stands as it was trained.
    A fusion that was saved without that keeps both as they are.
    """
    expert = model.recommender
    if not model.calibrations and not expert.experts:
        return model, ()
    if expert.experts and model.holdout_model is None:
        return model, ()
    data, recipe = model.dataset, model.recipe
    progress = progress or (lambda text: None)
    try:
        parts = split(data, seed=recipe.seed)
    except DataError:  # nobody is left to ask, and a fit would have no probabilities either
        return replace(model, calibrations={}), (CALIBRATION,)
    progress("fitting weights and calibrations again, on validation users")
    done = [CALIBRATION]
    holdout = Holdout(holdout_model_of(model, data.with_events(parts.train)), data, parts, recipe)
    if holdout.model.experts and len(parts.validation.histories) >= FEWEST:
        holdout = holdout.with_model(
            holdout.model.refit_weights(holdout.validation(1), recipe.repeats)
        )
        done.insert(0, WEIGHTS)
    found = behavior_heads(holdout, progress, _settled(model))
    calibrations = calibrated(holdout, found)
    report = replace(model.report, probabilities=calibrations.reports)
    if weights := holdout.model.weights_report():
        report = replace(report, weights=weights)
    others = {
        name: other.with_weights(found[name].holdout_model if name in found else holdout.model)
        for name, other in model.others.items()
    }
    refitted_model = replace(
        model,
        recommender=expert.with_weights(holdout.model),
        report=report,
        calibrations=calibrations.by_behavior,
        others=others,
    )
    return refitted_model, tuple(done)


def holdout_model_of(model: Model, train: Dataset) -> Recommender:
    """The model as it would be without the held-out events; a fusion's weights are the old ones."""
    return model.recommender.refit(train, model.recipe.seed, model.holdout_model)


def transition_alone(model: Model) -> Model:
    """A fusion's transition expert alone: no weight of a deep expert is left in the model.

    Its calibrations are still those of the fusion: ``refit_calibration`` makes its own.
    """
    expert = model.recommender.experts.get("transition")
    if expert is None:
        return model
    report = replace(model.report, weights=None, vectors=None)
    return replace(
        model, recommender=expert, others=_settled(model), report=report, holdout_model=None
    )


def _settled(model: Model) -> dict[str, Recommender]:
    """What says the settings for each other behavior: of a fusion its transition expert."""
    return {name: one.experts.get("transition", one) for name, one in model.others.items()}
