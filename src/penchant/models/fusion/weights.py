"""Weights of the fusion by length of history, fitted on validation cases."""

import numpy as np
from scipy.optimize import minimize

from penchant.data.arrays import blocks
from penchant.data.splitting.cases import Cases
from penchant.errors import DataError
from penchant.features.kernels import on_cores
from penchant.models.base import Recommender
from penchant.models.fusion.features import FusionContext, features
from penchant.models.transition.recommender import Transition
from penchant.types import Floats, Ints

LENGTHS = (4, 8, 16, 32, 64)


_TOP = 50  # candidates of each expert that the weights are fitted on


_LEAST = 1.0  # pull of all weights to what they begin with, in units of cases


_EXPERTS = 3  # features of which more is never worse


_PULL = 30.0  # of each length's weights to those of all, in units of cases


def bucket(lengths: Ints) -> Ints:
    """The row of the weights for histories of these lengths, (B,)."""
    return np.searchsorted(LENGTHS, lengths).astype(np.int64)


def fit_weights(
    transition: Transition,
    sequence: Recommender,
    context: FusionContext,
    cases: Cases,
    repeats: bool = False,
) -> tuple[Floats, Floats]:
    """Fit the weights that make the right item likeliest among both experts' best.

    Conditional logit over each case's candidates, the 50 best of each expert in the case's domain;
    a case whose truth is not among them has nothing to say. The weights of a length are pulled to
    those of all lengths as by 30 cases of it, and these, as by one case, to both experts alike;
    more of an expert's score is never worse. Likelihood is not rank: where one expert alone ranks
    these candidates better than the logit does, by two standard errors, it has all the weight.

    Parameters
    ----------
    cases
        Validation cases that neither expert was fitted on.
    repeats
        Whether items of a history may be candidates.

    Returns
    -------
    weights
        By length of history, (lengths, F).
    spread
        The deviation of each feature among the candidates, (F,).

    Raises
    ------
    DataError
        Where there are no cases.

    References
    ----------
    McFadden, Conditional logit analysis of qualitative choice behavior, 1974.
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
    gained = [ndcg_gains((X * weights[group[owner]]).sum(axis=1), y, owner) for weights in tried]
    better = 1 + int(gained[2].mean() > gained[1].mean())
    more = gained[better] - gained[0]
    error = float(more.std()) / max(1, len(more)) ** 0.5
    return tried[better if more.mean() > 2 * error else 0], X.std(axis=0)


def ndcg_gains(score: Floats, y: Floats, owner: Ints, k: int = 10) -> Floats:
    """DCG@k of each case, (cases,), whose candidates are ranked among themselves.

    >>> ndcg_gains(np.array([3.0, 2.0, 1.0]), np.array([0.0, 1.0, 0.0]), np.zeros(3, int)).round(4)
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
