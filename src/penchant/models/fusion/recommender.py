"""The fusion of both experts: late, log-linear, with weights that depend on the history.

score_i = sum over features f of w_f(history) f_i, where the features are the sequence logit, the
log of the transition score's share, that score over the best one, the log of popularity, and for
each modality closeness of content. The weights are those of a conditional logit (McFadden 1974)
fitted on validation users of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.config import SequenceSettings, Settings, TransitionSettings
from penchant.data.dataset import Dataset, Histories
from penchant.errors import ConfigError
from penchant.models.base import Family, Recommender, over, under
from penchant.models.fusion.features import (
    FLOOR,
    Context,
    Near,
    Regressed,
    Scale,
    features,
    nearness,
)
from penchant.models.fusion.weights import LENGTHS, bucket
from penchant.models.sequence import SEQUENCE, SequenceExpert
from penchant.models.topk import topk_threshold
from penchant.models.transition.recommender import TRANSITION, Transition
from penchant.types import Arrays, Floats, Ints, Scores

"""Histories of at most so many events share weights; longer ones have the last."""

_ROUNDING = 1e-6  # by which sums in another order may differ, and far more


class FusionSettings(Settings):
    """The settings of both experts, as they were chosen."""

    transition: TransitionSettings = TransitionSettings()
    sequence: SequenceSettings = SequenceSettings()


@dataclass(frozen=True)
class Fusion:
    """Both experts and the weights of the features, (lengths, features).

    ``spread`` is the deviation of each feature among candidates, (features,): a weight times it
    says how far the feature moves a score.
    """

    transition: Transition
    sequence: SequenceExpert
    context: Context
    weights: Floats
    spread: Floats

    @property
    def name(self) -> str:
        return "fusion"

    @property
    def settings(self) -> FusionSettings:
        return FusionSettings(transition=self.transition.settings, sequence=self.sequence.settings)

    def score(self, histories: Histories) -> Scores:
        return self.weigh(histories, self.transition, self.sequence)

    def weigh(self, histories: Histories, transition: "Regressed", sequence: Recommender) -> Scores:
        """Scores (B, N) with other experts in place of its own."""
        values, missing = features(transition, sequence, self.context, histories)
        weights = self.weights[bucket(histories.lengths)]
        scores: Scores = np.zeros_like(values[0])
        weighed = np.empty_like(scores)
        for place, value in enumerate(values):
            scores += np.multiply(weights[:, place, None], value, out=weighed)
        scores[missing] = -np.inf
        return scores

    def best(
        self, history: Histories, wanted: Sequence[tuple[NDArray[np.bool_] | None, int]]
    ) -> tuple[Scores, Ints | None]:
        """As ``score`` of one history, (1, N), but exact for its best items alone; and these.

        ``wanted`` are sets of items, (N,) or all, and how many of the best of each are asked for.
        The rows that come back, ascending, hold them; the other items stand no higher than they
        are, and below these. None where all are exact.

        A dense modality is read for those items alone that it could bring among the best: by the
        bound on its cosines, the rest of an item's score says which.
        """
        s = self.sequence.score(history)[0]
        if s.min() == -np.inf:  # an item that the deep expert does not know
            return self.score(history), None
        x = self.transition.inputs(history)
        met, t = self.transition.positive(history, x)
        scale = Scale.of(t[None], s[None])
        place = int(bucket(history.lengths)[0])
        weights = dict(zip(self.context.features, self.weights[place], strict=True))
        # the sum of all but what is read later, less what is the same for all items
        base = weights["sequence"] * s
        base += self._standing[place]
        logs, lead = scale.shares(t[None])
        base[met] += weights["transition"] * (logs[0] - np.log(FLOOR)) + weights["lead"] * lead[0]
        dense: dict[str, Near] = {}
        for name, one in zip(self.context.content, nearness(x, self.context), strict=True):
            if sparse.issparse(one.rows):
                base += weights[name] * one.whole()[0]
            else:
                dense[name] = one
        bound = _ROUNDING + sum(abs(weights[name]) * one.most() for name, one in dense.items())

        def least(scores: Floats, items: Ints | slice = slice(None)) -> float:
            """What the asked best of some items are not below."""
            kept = (scores if m is None else np.where(m[items], scores, -np.inf) for m, _ in wanted)
            return min(
                float(topk_threshold(one[None], count)[0, 0])
                for one, (_, count) in zip(kept, wanted, strict=True)
            )

        def read(items: Ints) -> None:
            base[items] += sum(weights[name] * one.of(items)[0] for name, one in dense.items())

        # the exact scores of those that are best without it say how far it is worth to look
        low = least(base)
        first = np.flatnonzero(base >= low)
        read(first)
        low = least(base[first], first) - bound
        rest = base >= low
        rest[first] = False
        more = np.flatnonzero(rest)
        read(more)
        base -= bound + weights["sequence"] * scale.mean[0, 0]
        items = np.sort(np.concatenate([first, more]))
        base[items] += bound
        found: Scores = base[None]
        return found, items

    @cached_property
    def _standing(self) -> Floats:
        """What each item has after any history that leads to none, (lengths, N)."""
        weights = dict(zip(self.context.features, self.weights.T, strict=True))
        floor = weights["transition"][:, None] * np.log(FLOOR)
        return np.asarray(weights["popularity"][:, None] * self.context.popular + floor)

    def arrays(self) -> Arrays:
        # what the context holds is read from the dataset again
        found: Arrays = {"weights": self.weights, "spread": self.spread}
        for expert in (self.transition, self.sequence):
            found |= over(expert.arrays(), f"{expert.name}/")
        return found

    def weighed(self) -> dict[str, Any]:
        """What each feature weighs, times its spread, by the length of histories, as JSON types."""
        ends = [f"up to {length}" for length in LENGTHS]
        return {
            "features": list(self.context.features),
            "lengths": [*ends, f"over {LENGTHS[-1]}"],
            "effects": (self.weights * self.spread).tolist(),
        }


def restore(arrays: Arrays, dataset: Dataset, settings: FusionSettings) -> Fusion:
    """The fusion that gave these arrays."""
    transition = TRANSITION.restore(under(arrays, "transition/"), dataset, settings.transition)
    sequence = SEQUENCE.restore(under(arrays, "sequence/"), dataset, settings.sequence)
    assert isinstance(transition, Transition)
    assert isinstance(sequence, SequenceExpert)
    weights, spread = arrays["weights"], arrays["spread"]
    return Fusion(transition, sequence, Context.of(dataset), weights, spread)


def expert_of(model: Recommender | None) -> Transition | None:
    """The closed-form expert, alone or within a fusion; None where there is none."""
    expert = model.transition if isinstance(model, Fusion) else model
    return expert if isinstance(expert, Transition) else None


def asked_for(
    model: Recommender,
    dataset: Dataset,
    solved: Callable[[Transition], Transition],
    weights: Floats | None = None,
) -> Recommender:
    """A model asked for the dataset's target, which is another behavior than its own.

    The deep expert is the same network, ``solved`` gives the transition expert in place of the
    model's own, and a fusion keeps its weights unless others are given. The families of an expert
    alone go the same way.
    """
    if isinstance(model, Fusion):
        sequence = model.sequence.with_target(dataset.target)
        weights = model.weights if weights is None else weights
        parts = solved(model.transition), sequence, Context.of(dataset)
        return Fusion(*parts, weights, model.spread)
    if isinstance(model, Transition):
        return solved(model)
    assert isinstance(model, SequenceExpert)
    return model.with_target(dataset.target)


def _no_fitter(dataset: Dataset, seed: int = 0) -> Any:
    raise ConfigError(
        "a fusion is made of fitted experts and validation cases: use penchant.fit, which makes "
        "all three"
    )


FUSION = Family("fusion", FusionSettings, {}, _no_fitter, restore)
