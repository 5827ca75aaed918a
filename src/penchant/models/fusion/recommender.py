"""The fusion of both experts: late, log-linear, with weights that depend on the history.

score_i = sum over features f of w_f(history) f_i, where the features are the sequence logit, the
log of the transition score's share, that score over the best one, the log of popularity, and for
each modality closeness of content. The weights are those of a conditional logit (McFadden 1974)
fitted on validation users of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.config import SequenceSettings, Settings, TransitionSettings
from penchant.data.dataset import Dataset, Histories
from penchant.data.splitting.cases import Cases
from penchant.errors import ConfigError
from penchant.features.kernels import Rows
from penchant.models.base import DataChange, Family, FeatureEffects, Recommender, Refit, over, under
from penchant.models.fusion.features import (
    FLOOR,
    ContentSimilarity,
    FusionContext,
    InputScorer,
    ScoreScale,
    content_similarities,
    features,
)
from penchant.models.fusion.weights import LENGTHS, bucket, fit_weights
from penchant.models.sequence import SEQUENCE, SequenceExpert
from penchant.models.topk import topk_threshold
from penchant.models.transition.event_masking import TransitionWithoutEvent
from penchant.models.transition.recommender import TRANSITION, Transition
from penchant.types import Arrays, Floats, Ints, Scores

"""Histories of at most so many events share weights; longer ones have the last."""

_AMONG = 100  # the best, whose mean is what a feature's part is told against
_ROUNDING = 1e-6  # by which sums in another order may differ, and far more


class FusionSettings(Settings):
    """The settings of both experts, as they were chosen."""

    transition: TransitionSettings = TransitionSettings()
    sequence: SequenceSettings = SequenceSettings()


@dataclass(frozen=True)
class Fusion(Recommender):
    """Both experts and the weights of the features, (lengths, features).

    ``spread`` is the deviation of each feature among candidates, (features,): a weight times it
    says how far the feature moves a score.
    """

    # without ``field()`` the None of the base were the default of these two
    transition: Transition = field()
    sequence: SequenceExpert = field()
    context: FusionContext
    weights: Floats
    spread: Floats

    logits = True

    @classmethod
    def fitted(
        cls,
        transition: Recommender,
        sequence: Recommender,
        dataset: Dataset,
        cases: Cases,
        repeats: bool,
    ) -> "Fusion":
        """Of experts fitted on a dataset, the weights fitted on cases that it does not hold."""
        assert isinstance(transition, Transition)
        assert isinstance(sequence, SequenceExpert)
        context = FusionContext.of(dataset)
        fitted = fit_weights(transition, sequence, context, cases, repeats)
        return cls(transition, sequence, context, *fitted)

    @property
    def name(self) -> str:
        return "fusion"

    @property
    def experts(self) -> Mapping[str, Recommender]:
        return {expert.name: expert for expert in (self.transition, self.sequence)}

    @property
    def content(self) -> Mapping[str, Rows]:
        return self.context.content

    @property
    def settings(self) -> FusionSettings:
        return FusionSettings(transition=self.transition.settings, sequence=self.sequence.settings)

    def score(self, histories: Histories) -> Scores:
        return self.weigh(histories, self.transition, self.sequence)

    def weigh(
        self, histories: Histories, transition: "InputScorer", sequence: Recommender
    ) -> Scores:
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
        """As ``Recommender.best`` says, for less than all of the content.

        A dense modality is read for those items alone that it could bring among the best: by the
        bound on its cosines, the rest of an item's score says which.
        """
        s = self.sequence.score(history)[0]
        if s.min() == -np.inf:  # an item that the deep expert does not know
            return self.score(history), None
        x = self.transition.inputs(history)
        met, t = self.transition.positive(history, x)
        scale = ScoreScale.of(t[None], s[None])
        place = int(bucket(history.lengths)[0])
        weights = dict(zip(self.context.features, self.weights[place], strict=True))
        # the sum of all but what is read later, less what is the same for all items
        base = weights["sequence"] * s
        base += self._standing[place]
        logs, lead = scale.shares(t[None])
        base[met] += weights["transition"] * (logs[0] - np.log(FLOOR)) + weights["lead"] * lead[0]
        dense: dict[str, ContentSimilarity] = {}
        for name, one in zip(
            self.context.content, content_similarities(x, self.context), strict=True
        ):
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

    def refit(self, dataset: Dataset, seed: int, trained: Recommender | None = None) -> "Fusion":
        transition = self.transition.refit(dataset, seed)
        sequence = self.sequence.refit(dataset, seed) if trained is None else trained
        return self._with(dataset, transition, sequence)

    def refit_weights(self, cases: Cases, repeats: bool) -> "Fusion":
        fitted = fit_weights(self.transition, self.sequence, self.context, cases, repeats)
        return replace(self, weights=fitted[0], spread=fitted[1])

    def with_weights(self, other: Recommender) -> "Fusion":
        assert isinstance(other, Fusion)
        return replace(self, weights=other.weights, spread=other.spread)

    def for_target(
        self, dataset: Dataset, refit: Refit, before: Recommender | None = None
    ) -> "Fusion":
        """The same network with its own transition expert, and the weights of ``before``."""
        expert = None if before is None else before.experts.get("transition", before)
        transition = refit(self.transition, expert)
        made = self._with(dataset, transition, self.sequence.with_target(dataset.target))
        return replace(made, weights=before.weights) if isinstance(before, Fusion) else made

    def saved_head(self, main: Recommender) -> tuple[Mapping[str, object] | None, Arrays]:
        settings, arrays = self.transition.saved_head(main.experts["transition"])
        return settings, arrays | {"weights": self.weights}

    def load_head(
        self, dataset: Dataset, settings: Mapping[str, Any] | None, arrays: Arrays
    ) -> "Fusion":
        transition = self.transition.load_head(dataset, settings, arrays)
        made = self._with(dataset, transition, self.sequence.with_target(dataset.target))
        return replace(made, weights=arrays.get("weights", self.weights))

    def updated(self, change: DataChange) -> tuple["Fusion", int]:
        """The deep expert knows new events by reading them, and new items by their content."""
        transition, columns = self.transition.updated(change)
        merged = change.merged
        sequence = self.sequence.moved(merged.dataset, merged.items, merged.tokens)
        return self._with(merged.dataset, transition, sequence), columns

    def remapped(self, dataset: Dataset, tokens: Ints, seed: int) -> "Fusion":
        transition = self.transition.remapped(dataset, tokens, seed)
        items = np.arange(len(dataset.catalogue))
        return self._with(dataset, transition, self.sequence.moved(dataset, items, tokens))

    def _with(self, dataset: Dataset, transition: Recommender, sequence: Recommender) -> "Fusion":
        """With other experts, fitted on the events of a dataset or asked for its target."""
        assert isinstance(transition, Transition)
        assert isinstance(sequence, SequenceExpert)
        context = FusionContext.of(dataset)
        return replace(self, transition=transition, sequence=sequence, context=context)

    def without_event(self, history: Histories, place: int) -> Scores:
        transition = TransitionWithoutEvent(self.transition, place)
        return self.weigh(history, transition, SequenceWithoutEvent(self.sequence, place))

    def feature_parts(self, history: Histories, item: int) -> Mapping[str, float]:
        """Each feature's signed part of the logit, less its mean over the user's 100 best items."""
        values, missing = features(self.transition, self.sequence, self.context, history)
        weights = self.weights[bucket(history.lengths)][0]
        parts = np.stack([weight * value[0] for weight, value in zip(weights, values, strict=True)])
        total = np.where(missing[0], -np.inf, parts.sum(axis=0))
        total[history.events.item[history.events.item >= 0]] = -np.inf
        best = np.argsort(-total, kind="stable")[:_AMONG]
        best = best[np.isfinite(total[best])]
        if not len(best):
            return {}
        beyond = parts[:, item] - parts[:, best].mean(axis=1)
        return dict(zip(self.context.features, beyond.tolist(), strict=True))

    def weights_report(self) -> FeatureEffects:
        effects = (self.weights * self.spread).tolist()
        ends = (*(f"up to {length}" for length in LENGTHS), f"over {LENGTHS[-1]}")
        return FeatureEffects(tuple(self.context.features), ends, tuple(map(tuple, effects)))


@dataclass(frozen=True)
class SequenceWithoutEvent(Recommender):
    """The deep expert of one history without the event at a place."""

    expert: SequenceExpert
    place: int
    name: str = "sequence"

    @property
    def settings(self) -> Any:
        return self.expert.settings

    def score(self, histories: Histories) -> Scores:
        """(1, N)"""
        return self.expert.without_event(histories, self.place)

    def arrays(self) -> Arrays:
        return self.expert.arrays()


def restore(arrays: Arrays, dataset: Dataset, settings: FusionSettings) -> Fusion:
    """The fusion that gave these arrays."""
    transition = TRANSITION.restore(under(arrays, "transition/"), dataset, settings.transition)
    sequence = SEQUENCE.restore(under(arrays, "sequence/"), dataset, settings.sequence)
    assert isinstance(transition, Transition)
    assert isinstance(sequence, SequenceExpert)
    weights, spread = arrays["weights"], arrays["spread"]
    return Fusion(transition, sequence, FusionContext.of(dataset), weights, spread)


def _no_fitter(dataset: Dataset, seed: int = 0) -> Any:
    raise ConfigError(
        "a fusion is made of fitted experts and validation cases: use penchant.fit, which makes "
        "all three"
    )


FUSION = Family("fusion", FusionSettings, {}, _no_fitter, restore)
