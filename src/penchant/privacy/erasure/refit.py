"""What is fitted on held-out users, fitted again without those who are gone."""

from dataclasses import replace

from penchant.data.dataset import Dataset
from penchant.data.splitting.split import split
from penchant.errors import DataError
from penchant.models.base import Recommender
from penchant.recommendation import Model
from penchant.training.behavior_heads import heads
from penchant.training.fit import calibrated
from penchant.training.tuning import FEWEST, shared
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
    train, done = data.with_events(parts.train), [CALIBRATION]
    holdout_model = holdout_model_of(model, train)
    if holdout_model.experts and len(parts.validation.histories) >= FEWEST:
        cases = shared(train, parts.validation, 1, recipe.seed)
        holdout_model = holdout_model.refit_weights(cases, recipe.repeats)
        done.insert(0, WEIGHTS)
    found = heads(data, parts, holdout_model, recipe, progress, _settled(model))
    calibrations, probabilities, _ = calibrated(data, parts, holdout_model, found, recipe)
    info = {**model.info, "probabilities": probabilities}
    if weights := holdout_model.weights_report():
        info["weights"] = weights
    others = {
        name: other.with_weights(found[name].holdout_model if name in found else holdout_model)
        for name, other in model.others.items()
    }
    expert = expert.with_weights(holdout_model)
    made = replace(model, recommender=expert, info=info, calibrations=calibrations, others=others)
    return made, tuple(done)


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
    info = {k: v for k, v in model.info.items() if k not in ("weights", "vectors")}
    return replace(model, recommender=expert, others=_settled(model), info=info, holdout_model=None)


def _settled(model: Model) -> dict[str, Recommender]:
    """What says the settings for each other behavior: of a fusion its transition expert."""
    return {name: one.experts.get("transition", one) for name, one in model.others.items()}
