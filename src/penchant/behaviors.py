"""Models of the behaviours besides the target: one run serves browsing and buying."""

from dataclasses import replace

from penchant.config import Recipe, SearchSettings, TransitionSettings
from penchant.data.dataset import Dataset
from penchant.data.splits import split
from penchant.errors import ConfigError, DataError
from penchant.models.base import Recommender, Told
from penchant.models.fusion import Fusion, asked_for
from penchant.models.sequence import SequenceExpert
from penchant.models.transition import TRANSITION, Transition
from penchant.search import search

SPACE = ("others?", "history.*")
"""What the transition expert's settings may change from one behaviour to the next."""


def other_behaviors(
    dataset: Dataset, model: Recommender, recipe: Recipe, say: Told = lambda text: None
) -> dict[str, Recommender]:
    """What serves each further positive behaviour of a dataset with several, by name.

    It is the model itself, asked for another behaviour. Its transition expert is fitted again:
    what the other behaviours count for is chosen on that behaviour's own last events. A family
    that knows one behaviour serves one.
    """
    if not isinstance(model, Transition | SequenceExpert | Fusion):
        return {}
    events, catalogue = dataset.events, dataset.catalogue
    names = [
        behavior.name
        for row, behavior in enumerate(catalogue.behaviors)
        if behavior.polarity > 0
        and behavior.name != dataset.target
        and ((events.behavior == row) & (events.item >= 0)).any()
    ]

    def fitted(aimed: Dataset) -> Recommender:
        def solved(expert: Transition) -> Transition:
            settings = _chosen(expert.settings, aimed, recipe, say)
            if settings == expert.settings and settings.others == 1:
                return expert  # all behaviours count alike as targets: one solution serves both
            say(f"transition: fitting for {aimed.target!r}")
            found = TRANSITION.fitter(aimed, recipe.seed)(settings)
            assert isinstance(found, Transition)
            return found

        return asked_for(model, aimed, solved)

    return {name: fitted(dataset.aimed(name)) for name in names}


def _chosen(
    settings: TransitionSettings, dataset: Dataset, recipe: Recipe, say: Told
) -> TransitionSettings:
    """The settings for another target; as they are where no events can be held out."""
    try:
        parts = split(dataset, "leave-one-out", recipe.seed)
    except (ConfigError, DataError):
        return settings
    say(f"transition: searching settings for {dataset.target!r}")
    space = {name: TRANSITION.space[name] for name in SPACE}
    bounds = SearchSettings(
        budget=max(1, recipe.search.budget // 2), users=min(2000, recipe.search.users)
    )
    found = search(
        replace(TRANSITION, space=space),
        settings,
        dataset.with_events(parts.train),
        parts.validation,
        bounds,
        seed=recipe.seed,
        repeats=recipe.repeats,
    )
    best: TransitionSettings = found.settings
    return best
