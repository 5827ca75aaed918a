"""The deep expert: a causal transformer over events, behind the extra ``deep`` (torch).

batches    windows of histories in batches of one length (NumPy)
network    items, blocks, interests: from events to scores (torch)
losses     sampled softmax with shared negatives (torch)
rows       AdamW for tables of which a step reads few rows (torch)
training   the loop: schedule, early stopping, checkpoints (torch)
single     the network for one history (NumPy)
attribution  what each event adds to a logit (torch)
expert     the fitted recommender (torch, imported when first used)
"""

from collections.abc import Callable
from typing import Any, Protocol, Self, runtime_checkable

from penchant.config import SequenceSettings
from penchant.data.dataset import Dataset, Histories
from penchant.errors import MissingExtraError
from penchant.models.base import Family, Recommender
from penchant.types import Arrays, Floats, Ints, Scores


@runtime_checkable
class SequenceExpert(Recommender, Protocol):
    """What others ask of the fitted expert: to them it is a recommender that can move."""

    @property
    def curve(self) -> tuple[Any, ...]:
        """One line for each pass of its training: epoch, loss, events/s, seconds, NDCG@10."""
        ...

    def moved(self, dataset: Dataset, items: Ints, tokens: Ints) -> Self:
        """The same expert for a larger dataset, where item i is row ``items[i]``, and so on."""
        ...

    def with_target(self, behavior: str) -> Self:
        """The same expert asked for another behavior."""
        ...

    def attributed(self, history: Histories, item: int) -> tuple[float, float, Floats]:
        """A logit, that of events that say nothing, and what each event adds, (E,)."""
        ...

    def masked(self, history: Histories, place: int) -> Scores:
        """Scores of all items after one history, one of whose events says nothing, (1, N)."""
        ...

    def vectors(self, histories: Histories) -> tuple[Floats, Scores, Floats]:
        """The K vectors of each history: unit vectors, scores and shares of each item.

        (B, K, D), (B, K, N), (B, K, N); 0 after an empty history.
        """
        ...


def fitter(dataset: Dataset, seed: int = 0) -> Callable[..., SequenceExpert]:
    """Train on the dataset's events. Raises MissingExtraError without the extra ``deep``."""
    try:
        from penchant.models.sequence.recommender import Fitter
    except ImportError as error:
        raise MissingExtraError("torch", "deep") from error
    return Fitter(dataset, seed)


def restore(arrays: Arrays, dataset: Dataset, settings: Any) -> SequenceExpert:
    """The expert that gave these arrays."""
    try:
        from penchant.models.sequence.recommender import restored
    except ImportError as error:
        raise MissingExtraError("torch", "deep") from error
    return restored(arrays, dataset, settings)


SEQUENCE = Family("sequence", SequenceSettings, {}, fitter, restore, watched=True)
