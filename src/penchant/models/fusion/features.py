"""What a fusion weighs: the features of all items for some histories."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.data.dataset import Dataset, Histories
from penchant.features.kernels import Rows, sparse_or_dense, unit_content, weighted_sum
from penchant.models.base import Recommender
from penchant.types import Floats, Ints, Scores

FEATURES = ("sequence", "transition", "lead", "popularity")
"""What is weighed besides the modalities of the items."""

FLOOR = 1e-4  # of a user's whole transition score: what an item without any is taken to have
_UNIT = 1.01  # no unit row is longer, rounded as they are


@dataclass(frozen=True)
class FusionContext:
    """What the features read besides the experts.

    Parameters
    ----------
    popular
        Log of each item's share of target events, one added to each, (N,).
    content
        Unit rows of the items for each modality, (N, F) float64, sparse or dense.
    domain
        Domain of each item, (N,).
    """

    popular: Floats
    content: dict[str, Rows]
    domain: Ints

    @cached_property
    def transposed(self) -> dict[str, Rows]:
        """The content with a column for each item, (F, N), as products read it."""
        return {
            name: sparse.csr_array(rows.T) if sparse.issparse(rows) else rows.T
            for name, rows in self.content.items()
        }

    @property
    def features(self) -> tuple[str, ...]:
        """The names of what is weighed, in order."""
        return (*FEATURES, *self.content)

    @classmethod
    def of(cls, dataset: Dataset) -> "FusionContext":
        """Of the events that the experts were fitted on."""
        counts = 1.0 + dataset.counts()
        content = unit_content(dataset.catalogue)
        return cls(np.log(counts / counts.sum()), content, dataset.catalogue.domain)


class InputScorer(Protocol):
    """What the features read of the transition expert."""

    def inputs(self, histories: Histories) -> Any:
        """x of each history, (B, P) sparse."""
        ...

    def score_inputs(self, histories: Histories, x: Any) -> Scores:
        """Scores of all items from these inputs, (B, N)."""
        ...


class ContentSimilarity(NamedTuple):
    """How near items are to some histories by one modality: of all items, or of those asked for.

    ``past`` (B, F) is the weighed sum of the histories' rows, ``length`` (B, 1) of the weights;
    of one history it is dense.
    """

    past: Rows
    rows: Rows
    transposed: Rows
    length: Floats

    def whole(self) -> Floats:
        """The mean cosine of all items, (B, N)."""
        near: Floats
        if sparse.issparse(self.rows) and not sparse.issparse(self.past):
            past = self.past[0] / self.length[0]
            columns = np.flatnonzero(past)  # those that the history has, alone
            return weighted_sum(self.transposed, columns, past[columns])[None]
        near = sparse_or_dense(self.past @ self.transposed)
        near /= self.length
        return near

    def of(self, items: Ints) -> Floats:
        """That of some items of one history, (1, I)."""
        near: Floats = self.past @ self.rows[items].T
        near /= self.length
        return near

    def most(self) -> float:
        """What no cosine is above: the length of the past (Cauchy and Schwarz)."""
        return float((np.linalg.norm(self.past, axis=1) / self.length[:, 0]).max()) * _UNIT


def features(
    transition: InputScorer, sequence: Recommender, context: FusionContext, histories: Histories
) -> tuple[list[Floats], NDArray[np.bool_]]:
    """Each feature of all items, (B, N), in the context's order; and what has no score at all.

    sequence    logit less the history's mean logit; the least where the expert has none
    transition  log(share of the history's positive transition score + 1e-4)
    lead        the positive transition score over the largest: a logarithm alone says that the
                second of two sure things is as good as the first
    popularity  log of the share of target events
    modalities  mean over the latest events, by the transition expert's weights, of the cosine
    """
    x = transition.inputs(histories)
    t, s = transition.score_inputs(histories, x), sequence.score(histories)
    values, missing = score_features(t, s, context)
    return [*values, *(one.whole() for one in content_similarities(x, context))], missing


class ScoreScale(NamedTuple):
    """What scores of all items are measured by, (B, 1) each: a mean, a sum and a maximum."""

    mean: Floats
    whole: Floats
    most: Floats

    @classmethod
    def of(cls, t: Scores, s: Scores) -> "ScoreScale":
        """Of both experts' scores of all items, (B, N); t at least 0, s finite."""
        whole, most = t.sum(axis=1, keepdims=True), t.max(axis=1, keepdims=True, initial=0.0)
        return cls(s.mean(axis=1, keepdims=True), whole, most)

    def features(self, t: Scores, s: Scores, popular: Floats) -> list[Floats]:
        """The features of some items, (B, I), besides the modalities."""
        return [s - self.mean, *self.shares(t), np.broadcast_to(popular, s.shape)]

    def shares(self, t: Scores) -> tuple[Floats, Floats]:
        """log(share of the whole + 1e-4), and the score over the largest, of scores (B, I)."""
        whole, most = np.maximum(self.whole, 1e-300), np.maximum(self.most, 1e-300)
        return np.log(t / whole + FLOOR), t / most


def score_features(
    t: Scores, s: Scores, context: FusionContext
) -> tuple[list[Floats], NDArray[np.bool_]]:
    """The features besides the modalities, of both experts' scores; and what has none at all."""
    missing = s == -np.inf
    if missing.any():
        known = ~missing
        missing &= t == -np.inf
        least = np.where(known, s, np.inf).min(axis=1, keepdims=True)
        s = np.where(known, s, np.where(np.isfinite(least), least, 0.0))
    t = np.maximum(t, 0.0)
    return ScoreScale.of(t, s).features(t, s, context.popular), missing


def content_similarities(x: Any, context: FusionContext) -> Sequence[ContentSimilarity]:
    """How near the items are by each modality, in the context's order, to inputs (B, P)."""
    N = len(context.popular)
    if x.shape[0] == 1:
        about = x.indices < N
        items, weight = x.indices[about], x.data[about]
        length = np.maximum(weight.sum(), 1e-12).reshape(1, 1)
        pasts = {
            name: weighted_sum(rows, items, weight)[None]
            if sparse.issparse(rows)
            else (weight @ rows[items])[None]
            for name, rows in context.content.items()
        }
    else:
        x = x[:, :N]
        length = np.maximum(np.asarray(x.sum(axis=1)), 1e-12).reshape(-1, 1)
        pasts = {name: x @ rows for name, rows in context.content.items()}
    return [
        ContentSimilarity(pasts[name], rows, context.transposed[name], length)
        for name, rows in context.content.items()
    ]
