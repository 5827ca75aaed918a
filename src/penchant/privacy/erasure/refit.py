"""What is fitted on held-out users, fitted again without those who are gone."""

from dataclasses import replace

from penchant.data.dataset import Dataset
from penchant.data.splitting.split import split
from penchant.errors import DataError
from penchant.models.base import Recommender
from penchant.models.fusion.features import Context
from penchant.models.fusion.recommender import Fusion, expert_of
from penchant.models.fusion.weights import fit_weights
from penchant.models.sequence import SequenceExpert
from penchant.models.transition.recommender import Transition
from penchant.recommendation import Model
from penchant.training.behavior_heads import heads
from penchant.training.fit import calibrated, refit_on
from penchant.training.tuning import FEWEST, shared
from penchant.types import Progress

WEIGHTS, CALIBRATION = "weights of the fusion", "calibration"


def refitted(model: Model, progress: Progress | None = None) -> tuple[Model, tuple[str, ...]]:
    """The model with the weights of its fusion and its calibrations fitted anew, and what was.

    As a fit makes them: on the validation users that there are, by a twin that has the chosen
    settings and no held-out event. The twin's transition expert is fitted again; its deep expert
    stands as it was trained. A fusion that was saved without that keeps both as they are.
    """
    expert = model.recommender
    if not model.calibrations and not isinstance(expert, Fusion):
        return model, ()
    if isinstance(expert, Fusion) and model.holdout_model is None:
        return model, ()
    data, recipe = model.dataset, model.recipe
    progress = progress or (lambda text: None)
    try:
        parts = split(data, seed=recipe.seed)
    except DataError:  # nobody is left to ask, and a fit would have no probabilities either
        return replace(model, calibrations={}), (CALIBRATION,)
    progress("fitting weights and calibrations again, on validation users")
    train, done = data.with_events(parts.train), [CALIBRATION]
    holdout_model = twin_of(model, train)
    cases = shared(train, parts.validation, 1, recipe.seed)
    if isinstance(holdout_model, Fusion) and len(parts.validation.histories) >= FEWEST:
        experts = holdout_model.transition, holdout_model.sequence
        weights, spread = fit_weights(*experts, holdout_model.context, cases, recipe.repeats)
        holdout_model = replace(holdout_model, weights=weights, spread=spread)
        done.insert(0, WEIGHTS)
    settled = {name: expert_of(one) or one for name, one in model.others.items()}
    found = heads(data, parts, holdout_model, recipe, progress, settled)
    calibrations, judged, _ = calibrated(data, parts, holdout_model, found, recipe)
    info = {**model.info, "probabilities": judged}
    others = dict(model.others)
    if isinstance(holdout_model, Fusion) and isinstance(expert, Fusion):
        info["weights"] = holdout_model.weighed()
        expert = replace(expert, weights=holdout_model.weights, spread=holdout_model.spread)
        for name, one in others.items():
            if isinstance(one, Fusion):
                head = found[name].holdout_model if name in found else holdout_model
                weights = head.weights if isinstance(head, Fusion) else holdout_model.weights
                others[name] = replace(one, weights=weights, spread=holdout_model.spread)
    made = replace(model, recommender=expert, info=info, calibrations=calibrations, others=others)
    return made, tuple(done)


def twin_of(model: Model, train: Dataset) -> Recommender:
    """The model as it would be without the held-out events; a fusion's weights are the old ones."""
    expert, seed = model.recommender, model.recipe.seed
    if not isinstance(expert, Fusion):
        return refit_on(expert, train, seed)
    transition = refit_on(expert.transition, train, seed)
    assert isinstance(transition, Transition)
    assert isinstance(model.holdout_model, SequenceExpert)
    return replace(
        expert, transition=transition, sequence=model.holdout_model, context=Context.of(train)
    )


def alone(model: Model) -> Model:
    """A fusion's transition expert alone: no weight of a deep expert is left in the model.

    Its calibrations are still those of the fusion: ``refitted`` makes its own.
    """
    expert = model.recommender
    if not isinstance(expert, Fusion):
        return model
    others = {name: expert_of(one) or one for name, one in model.others.items()}
    info = {name: of for name, of in model.info.items() if name not in ("weights", "vectors")}
    return replace(
        model, recommender=expert.transition, others=others, info=info, holdout_model=None
    )
