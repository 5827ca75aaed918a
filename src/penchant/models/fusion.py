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
from scipy.optimize import minimize

from penchant.config import SequenceSettings, Settings, TransitionSettings
from penchant.data.cases import Cases
from penchant.data.dataset import Dataset, Floats, Histories, Ints, blocks
from penchant.errors import ConfigError, DataError
from penchant.models.base import Arrays, Family, Recommender, Scores, at_least, over, under
from penchant.models.features import (
    FLOOR,
    Context,
    Near,
    Regressed,
    Scale,
    features,
    nearness,
)
from penchant.models.kernels import on_cores
from penchant.models.sequence import SEQUENCE, SequenceExpert
from penchant.models.transition import TRANSITION, Transition

LENGTHS = (4, 8, 16, 32, 64)
"""Histories of at most so many events share weights; longer ones have the last."""

_TOP = 50  # candidates of each expert that the weights are fitted on
_LEAST = 1.0  # pull of all weights to what they begin with, in units of cases
_ROUNDING = 1e-6  # by which sums in another order may differ, and far more
_EXPERTS = 3  # features of which more is never worse
_PULL = 30.0  # of each length's weights to those of all, in units of cases


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
                float(at_least(one[None], count)[0, 0])
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


def bucket(lengths: Ints) -> Ints:
    """The row of the weights for histories of these lengths, (B,)."""
    return np.searchsorted(LENGTHS, lengths).astype(np.int64)


def fit_weights(
    transition: Transition,
    sequence: Recommender,
    context: Context,
    cases: Cases,
    repeats: bool = False,
) -> tuple[Floats, Floats]:
    """Weights that make the right item likeliest among both experts' best, (lengths, features).

    And the deviation of each feature among these candidates, (features,).

    Conditional logit over each case's candidates, the 50 best of each expert in the case's domain;
    a case whose truth is not among them has nothing to say. The weights of a length are pulled to
    those of all lengths as by 30 cases of it, and these, as by one case, to both experts alike;
    more of an expert's score is never worse. Likelihood is not rank: where one expert alone ranks
    these candidates better than the logit does, by two standard errors, it has all the weight.
    Raises DataError where there are no cases.
    """
    if not len(cases.histories):
        raise DataError("expected validation cases to fit the fusion on, received none")

    def candidates(part: slice) -> tuple[Floats, Floats, Ints]:
        histories = cases.histories.take(part)
        values, missing = features(transition, sequence, context, histories)
        seen = np.zeros_like(missing)
        if not repeats:
            about = histories.events.item >= 0
            seen[histories.owner[about], histories.events.item[about]] = True
        asked = cases.domain[part, None]
        hidden = seen | missing | ((asked >= 0) & (context.domain != asked))
        chosen = np.zeros_like(hidden)
        for place in (0, 1):
            score = np.where(hidden, -np.inf, values[place])
            count = min(_TOP, score.shape[1])
            best = np.argpartition(score, -count, axis=1)[:, -count:]
            np.put_along_axis(chosen, best, True, axis=1)
        truth = np.zeros_like(hidden)
        start, stop = cases.indptr[part.start], cases.indptr[part.stop]
        case = np.repeat(
            np.arange(len(histories)), np.diff(cases.indptr[part.start : part.stop + 1])
        )
        truth[case, cases.truth[start:stop]] = True
        # a truth put among the candidates by hand would be known by its low scores
        row, item = np.nonzero(chosen & ~hidden)
        found = np.stack([value[row, item] for value in values], axis=1)
        return found, truth[row, item].astype(float), row + part.start

    parts = list(blocks(len(cases.histories), max(1, (1 << 21) // len(context.popular))))
    found = on_cores(candidates, parts)
    X, y, owner = (np.concatenate(each) for each in zip(*found, strict=True))
    group = bucket(cases.histories.lengths)
    alone = np.eye(X.shape[1])[:2, None].repeat(len(LENGTHS) + 1, axis=1)
    tried = [_logit(X, y, owner, group), *alone]
    gained = [gains((X * weights[group[owner]]).sum(axis=1), y, owner) for weights in tried]
    better = 1 + int(gained[2].mean() > gained[1].mean())
    more = gained[better] - gained[0]
    error = float(more.std()) / max(1, len(more)) ** 0.5
    return tried[better if more.mean() > 2 * error else 0], X.std(axis=0)


def gains(score: Floats, y: Floats, owner: Ints, k: int = 10) -> Floats:
    """DCG@k of each case, (cases,), whose candidates are ranked among themselves.

    >>> gains(np.array([3.0, 2.0, 1.0]), np.array([0.0, 1.0, 0.0]), np.zeros(3, int)).round(4)
    array([0.6309])
    """
    order = np.lexsort((-score, owner))
    starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    rank = np.arange(len(order)) - np.repeat(starts, sizes)
    gain = np.where(rank < k, y[order] / np.log2(rank + 2.0), 0.0)
    owned = np.repeat(np.arange(len(starts)), sizes)
    return np.bincount(owned, gain, len(starts)).astype(np.float64)


def _logit(X: Floats, y: Floats, owner: Ints, group: Ints) -> Floats:
    """Maximum likelihood of a conditional logit with weights by group, pulled together."""
    scale = np.maximum(X.std(axis=0), 1e-9)
    X = X / scale
    cases, F, G = len(group), X.shape[1], len(LENGTHS) + 1
    hits = np.bincount(owner, y, cases)
    kept = hits[owner] > 0
    begin = np.zeros(F + G * F)
    begin[:2] = 0.5  # each expert half: what stays where no case has anything to say
    if not kept.any():
        return np.tile(begin[:F] / scale, (G, 1))
    X, y, owner = X[kept], y[kept], owner[kept]
    of = group[owner]
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    place = np.cumsum(np.diff(owner, prepend=-1) != 0) - 1

    def loss(flat: Floats) -> tuple[float, Floats]:
        shared, own = flat[:F], flat[F:].reshape(G, F)
        z = (X * (shared + own)[of]).sum(axis=1)
        top = np.maximum.reduceat(z, starts)[place]
        e = np.exp(z - top)
        total = np.add.reduceat(e, starts)[place]
        p = e / total
        log_p = z - top - np.log(total)
        value = -float((y * log_p).sum()) + _PULL / 2 * float((own**2).sum())
        value += _LEAST / 2 * float(((shared - begin[:F]) ** 2).sum())
        residual = (p * hits[owner] - y)[:, None] * X
        each = np.stack([np.bincount(of, residual[:, f], G) for f in range(F)], axis=1)
        gradient = np.concatenate([each.sum(axis=0), (each + _PULL * own).ravel()])
        return value, gradient + np.concatenate([_LEAST * (shared - begin[:F]), np.zeros(G * F)])

    bounds = [(0.0, None) if f < _EXPERTS else (None, None) for f in range(F)]
    bounds += [(None, None)] * (G * F)
    options = {"maxiter": 200}
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    weights: Floats = (found[:F] + found[F:].reshape(G, F)) / scale
    weights[:, :_EXPERTS] = np.maximum(weights[:, :_EXPERTS], 0.0)
    return weights


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
    """A model asked for the dataset's target, which is another behaviour than its own.

    The deep expert is the same network, ``solved`` gives the transition expert in place of the
    model's own, and a fusion keeps its weights unless others are given. The families of an expert
    alone go the same way.
    """
    if isinstance(model, Fusion):
        sequence = model.sequence.aimed(dataset.target)
        weights = model.weights if weights is None else weights
        parts = solved(model.transition), sequence, Context.of(dataset)
        return Fusion(*parts, weights, model.spread)
    if isinstance(model, Transition):
        return solved(model)
    assert isinstance(model, SequenceExpert)
    return model.aimed(dataset.target)


def _no_fitter(dataset: Dataset, seed: int = 0) -> Any:
    raise ConfigError(
        "a fusion is made of fitted experts and validation cases: use penchant.fit, which makes "
        "all three"
    )


FUSION = Family("fusion", FusionSettings, {}, _no_fitter, restore)
