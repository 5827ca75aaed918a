"""The deep expert: a causal transformer over events, behind the extra ``deep`` (torch).

batches    windows of histories in batches of one length (NumPy)
network    items, blocks, interests: from events to scores (torch)
losses     sampled softmax with shared negatives (torch)
training   the loop: schedule, early stopping, checkpoints (torch)
event_order     the order of events where domains have no clock in common (NumPy)
sparse_adamw    AdamW for tables of which a step reads few rows (torch)
single_history  the network for one history (NumPy)
integrated_gradients  what each event adds to a logit (torch)
recommender     the fitted recommender (torch, imported when first used)
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self

from penchant.config import SequenceSettings
from penchant.data.dataset import Dataset, Histories
from penchant.errors import MissingExtraError
from penchant.models.base import Family, Recommender, Refit
from penchant.types import Arrays, Floats, Ints, Scores


class SequenceExpert(Recommender):
    """What others ask of the fitted expert: to them it is a recommender that can move."""

    logits = True

    @property
    def sequence(self) -> Self:
        return self

    def for_target(
        self, dataset: Dataset, refit: Refit, before: Recommender | None = None
    ) -> "SequenceExpert":
        """The same network, asked for the dataset's target."""
        return self.with_target(dataset.target)

    def saved_head(self, main: Recommender) -> tuple[Mapping[str, object] | None, Arrays]:
        return None, {}

    def load_head(
        self, dataset: Dataset, settings: Mapping[str, Any] | None, arrays: Arrays
    ) -> "SequenceExpert":
        return self.with_target(dataset.target)

    @abstractmethod
    def moved(self, dataset: Dataset, items: Ints, tokens: Ints) -> Self:
        """The same expert for a larger dataset, where item i is row ``items[i]``, and so on."""

    @abstractmethod
    def with_target(self, behavior: str) -> Self:
        """The same expert asked for another behavior."""

    @abstractmethod
    def attributed(self, history: Histories, item: int) -> tuple[float, float, Floats]:
        """A logit, that of events that say nothing, and what each event adds, (E,)."""

    @abstractmethod
    def vectors(self, histories: Histories) -> tuple[Floats, Scores, Floats]:
        """The K vectors of each history: unit vectors, scores and shares of each item.

        (B, K, D), (B, K, N), (B, K, N); 0 after an empty history.
        """


def fitter(dataset: Dataset, seed: int = 0) -> Callable[..., SequenceExpert]:
    """Train on the dataset's events. Raises MissingExtraError without the extra ``deep``."""
    try:
        from penchant.models.sequence.recommender import SequenceFitter
    except ImportError as error:
        raise MissingExtraError("torch", "deep") from error
    return SequenceFitter(dataset, seed)


def restore(arrays: Arrays, dataset: Dataset, settings: Any) -> SequenceExpert:
    """The expert that gave these arrays."""
    try:
        from penchant.models.sequence.recommender import restore
    except ImportError as error:
        raise MissingExtraError("torch", "deep") from error
    return restore(arrays, dataset, settings)


SEQUENCE = Family("sequence", SequenceSettings, {}, fitter, restore, watched=True)
