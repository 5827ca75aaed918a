"""The fitted deep expert, and what fits it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from penchant.config import SequenceSettings
from penchant.data.dataset import Dataset, Histories
from penchant.data.splitting.protocols import mostly_repeats
from penchant.features.kernels import content_names, content_rows, unit_rows
from penchant.models.sequence import SequenceExpert
from penchant.models.sequence.batches import Inputs
from penchant.models.sequence.event_order import reorder_by_domain, training_histories
from penchant.models.sequence.network import ItemTable, Network, Shape
from penchant.models.sequence.single_history import SingleHistoryNetwork
from penchant.models.sequence.training import Epoch, Trainer, TrainingData
from penchant.models.transition.statistics import TARGET_BITS, grid
from penchant.types import Arrays, Floats, Ints, Progress, Scores

_EVENTS = 1 << 15
"""Events of the histories that are read at once when scoring."""


@dataclass(frozen=True)
class SequenceRecommender(SequenceExpert):
    """A trained network with its catalogue: scores are logits for the target behavior.

    An item that was in no training event is scored by its content; without content it has no
    score. An empty history has none either: chance level.

    main  the same network for the dataset's own target, which holds the items for all behaviors
    """

    network: Network
    dataset: Dataset
    settings: SequenceSettings
    scored: NDArray[np.bool_]
    curve: tuple[Epoch, ...] = field(default=())
    main: "SequenceRecommender | None" = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        return "sequence"

    def score(self, histories: Histories) -> Scores:
        if len(histories) == 1 and len(histories.events) and self.single is not None:
            scores: Scores = self.single.logits(histories)[None].astype(np.float64)
            scores[:, self.unscored] = -np.inf
            return scores
        B, N = len(histories), len(self.dataset.catalogue)
        scores = np.zeros((B, N))
        with torch.inference_mode():
            for items, table in self.tables:
                part, states = self._states(reorder_by_domain(histories, items, self.dataset))
                # threads of two libraries would get in each other's way
                if self.single is None or torch.get_num_threads() > 1:
                    logits = self.network.logits(states, table).float().cpu().numpy()
                else:
                    logits = self.single.met(states.numpy())
                rows = part if len(part) < B else slice(None)  # a slice is copied to in less time
                scores[rows if items is None else np.ix_(part, items)] = logits
        scores[:, self.unscored] = -np.inf
        return scores

    @cached_property
    def unscored(self) -> Ints:
        """The items that it cannot score."""
        return np.flatnonzero(~self.scored)

    def vectors(self, histories: Histories) -> tuple[Floats, Scores, Floats]:
        """The K vectors of each history: unit vectors, scores and shares of each item.

        (B, K, D), (B, K, N), (B, K, N); 0 after an empty history.
        """
        B, N, K = len(histories), len(self.dataset.catalogue), self.settings.interests
        unit = np.zeros((B, K, self.settings.embedding_size))
        scores, shares = np.zeros((B, K, N)), np.zeros((B, K, N))
        every = np.arange(K)
        with torch.inference_mode():
            for items, table in self.tables:
                part, states = self._states(reorder_by_domain(histories, items, self.dataset))
                found = self.network.each(states, table)
                place = part if items is None else np.ix_(part, every, items)
                scores[place], shares[place] = (each.float().cpu().numpy() for each in found)
            part, states = self._states(histories)
            directions = self.network.directions(states).float().cpu().numpy()
            unit[part] = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
        scores[:, :, self.unscored] = -np.inf
        return unit, scores, shares

    def attributed(self, history: Histories, item: int) -> tuple[float, float, Floats]:
        """A logit, that of events that say nothing, and what each event adds, (E,)."""
        from penchant.models.sequence.integrated_gradients import attributed

        return attributed(self, history, item)

    def without_event(self, history: Histories, place: int) -> Scores:
        """Scores of all items after one history, one of whose events says nothing, (1, N)."""
        from penchant.models.sequence.integrated_gradients import masked

        return masked(self, history, place)

    def _states(self, histories: Histories) -> tuple[Ints, torch.Tensor]:
        """Places of the histories that are not empty, ascending, and their asked states (b, D).

        They are read in batches of one length each, but meet the items all at once.
        """
        empty = torch.zeros(0, self.settings.embedding_size, device=self.table.bias.device)
        places, states = [np.zeros(0, np.int64)], [empty]
        for place, read in self._read(histories):
            places.append(place)
            states.append(read)
        place = np.concatenate(places)
        order = np.argsort(place)
        found = torch.cat([state.to(empty.device) for state in states])
        return place[order], found[torch.from_numpy(order).to(empty.device)]

    def _read(self, histories: Histories) -> Iterator[tuple[Ints, torch.Tensor]]:
        lengths = np.minimum(histories.lengths, self.settings.max_length)
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        read = Inputs.of(
            histories.events, histories.owner, self.dataset.catalogue, self.dataset.time
        )
        for same in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
            length = int(lengths[same[0]]) if len(same) else 1
            for part in np.split(same, range(_EVENTS // length, len(same), _EVENTS // length)):
                place = histories.indptr[part + 1, None] - length + np.arange(length)
                fields = self.fields(read.take(place))
                yield part, self.network.read(fields, self.table.vectors)[:, -1]

    @cached_property
    def tables(self) -> list[tuple[Ints | None, ItemTable]]:
        """The items of each domain, where domains have no order in common; else None, for all."""
        domain = self.dataset.catalogue.domain
        if not self.dataset.no_common_clock:
            return [(None, self.table)]
        items = [np.flatnonzero(domain == one) for one in np.unique(domain)]
        with torch.inference_mode():
            device = self.table.bias.device
            return [(some, self.table.take(torch.from_numpy(some).to(device))) for some in items]

    @cached_property
    def single(self) -> SingleHistoryNetwork | None:
        """What scores in less time; None where there is more than one table or one interest."""
        if self.dataset.no_common_clock:
            return None
        if self.main is not None:
            return self.main.single and replace(self.main.single, dataset=self.dataset)
        return SingleHistoryNetwork.of(self.network, self.table, self.dataset)

    @cached_property
    def table(self) -> ItemTable:
        """Every item as the network sees it."""
        if self.main is not None:
            return self.main.table
        self.network.eval()
        with torch.inference_mode():
            return self.network.table()

    def moved(self, dataset: Dataset, items: Ints, tokens: Ints) -> "SequenceRecommender":
        """The same network for a larger dataset: item i is now row ``items[i]``, and so on.

        A new item has its content alone, and a new token, domain or tag says nothing yet.
        """
        old = self.dataset.catalogue
        known = np.zeros(len(dataset.catalogue), bool)
        known[items] = self.network.items.known.cpu().numpy()
        network, scored = build_network(dataset, self.settings, known)
        new = dataset.catalogue
        domains = [0, *(1 + new.domains.index(name) for name in old.domains)]
        rows = {
            "items.embedding.weight": items,
            "items.bias": items,
            "tokens.weight": tokens,
            "domains.weight": np.array(domains, np.int64),
        }
        before, after = content_names(old), content_names(new)
        for modality, names in before.items():
            rows[f"items.modalities.{modality}.weight"] = after[modality].rows(names.ids)
        state = network.state_dict()
        learned = {name for name, _ in network.named_parameters()}
        for name, value in self.network.state_dict().items():
            if name in rows and name in learned:
                state[name].zero_()
                kept = rows[name] >= 0
                values = value[: len(kept)].cpu()[torch.from_numpy(kept)]
                state[name][torch.from_numpy(rows[name][kept])] = values
            elif name in learned:
                state[name].copy_(value)
        for name in learned - self.network.state_dict().keys():  # a modality that is new
            state[name].zero_()
        network.to(self.settings.device).eval()
        return SequenceRecommender(network, dataset, self.settings, scored, self.curve)

    def with_target(self, behavior: str) -> "SequenceRecommender":
        """The same network asked for another behavior."""
        return replace(self, dataset=self.dataset.with_target(behavior), main=self.main or self)

    def fields(self, read: Inputs) -> list[torch.Tensor]:
        """Inputs (B, L) as tensors, with the behavior of the event after each."""
        asked = np.roll(read.behavior, -1, axis=1)
        asked[:, -1] = self.dataset.catalogue.behavior(self.dataset.target)
        fields = (read.thing, read.behavior, read.domain, read.gap, asked)
        return [torch.from_numpy(part).to(self.settings.device) for part in fields]

    def arrays(self) -> Arrays:
        # content is read from the catalogue again, and is no part of what was learned
        kept = self.network.state_dict()
        learned = {name for name, _ in self.network.named_parameters()} | {"items.known"}
        curve = np.array([list(vars(line).values()) for line in self.curve]).reshape(-1, 5)
        return {name: kept[name].cpu().numpy() for name in sorted(learned)} | {"curve": curve}


class SequenceFitter:
    """Trains on a dataset's events."""

    def __init__(self, dataset: Dataset, seed: int = 0) -> None:
        self.dataset, self.seed = dataset, seed

    def __call__(
        self,
        settings: SequenceSettings,
        watch: Callable[[SequenceRecommender], float] | None = None,
        progress: Progress | None = None,
        checkpoint: Path | None = None,
    ) -> SequenceRecommender:
        """Train; with ``watch`` it stops early, and the settings say after which epoch."""
        data = self.dataset
        torch.manual_seed(self.seed)
        network, scored = build_network(data, settings, data.event_counts > 0)
        network.to(settings.device)
        training = training_data(data, settings)
        if progress and settings.repeats is None and not training.repeats:
            progress(
                f"sequence: most events of {data.target!r} are about items that the history holds "
                "already, which lists leave out, so such items are no negatives; with --set "
                "sequence.repeats=true they are"
            )
        trainer = Trainer(network, training, settings, self.seed)

        def watched() -> float:
            assert watch is not None
            return watch(SequenceRecommender(network, data, settings, scored))

        best = trainer.run(None if watch is None else watched, progress, checkpoint)
        network.eval()
        if watch is not None:
            settings = settings.model_copy(update={"stop": max(1, best)})
        return SequenceRecommender(network, data, settings, scored, tuple(trainer.curve))


def training_data(dataset: Dataset, settings: SequenceSettings) -> TrainingData:
    """The dataset's events as training data; targets are positive events about items."""
    catalogue = dataset.catalogue
    events, unit, own = training_histories(dataset)
    values = grid(catalogue, settings.targets, TARGET_BITS) * 2.0**-TARGET_BITS
    values[[b.polarity < 0 for b in catalogue.behaviors]] = 0
    weight = (values[events.behavior] * (events.item >= 0) * own).astype(np.float32)
    share = np.bincount(events.item[weight > 0], weight[weight > 0], len(catalogue))
    share = share / max(share.sum(), 1e-9)
    return TrainingData(
        Inputs.of(events, unit, catalogue, dataset.time),
        np.append(0, np.flatnonzero(np.diff(unit, append=-1)) + 1),
        np.maximum(events.item, 0),
        weight,
        torch.from_numpy(share.astype(np.float32)),
        history_is_negative(dataset, settings),
    )


def history_is_negative(dataset: Dataset, settings: SequenceSettings) -> bool:
    """Whether items that a history holds are negatives: as is said, else as lists ask for."""
    return not mostly_repeats(dataset) if settings.repeats is None else settings.repeats


def build_network(
    dataset: Dataset, settings: SequenceSettings, known: NDArray[np.bool_]
) -> tuple[Network, NDArray[np.bool_]]:
    """A network for a dataset, and which items it can score, (N,)."""
    catalogue = dataset.catalogue
    contents = {name: unit_rows(rows) for name, rows in content_rows(catalogue).items()}
    shape = Shape(
        len(catalogue),
        len(catalogue.tokens),
        len(catalogue.behaviors),
        len(catalogue.domains) + 1,
    )
    scored = known.copy()
    for rows in contents.values():
        scored |= np.asarray(abs(rows).sum(axis=1) > 0).ravel()
    return Network(shape, known, contents, settings), scored


def restore(arrays: Arrays, dataset: Dataset, settings: Any) -> SequenceRecommender:
    """The expert that gave these arrays."""
    arrays = dict(arrays)
    curve = tuple(Epoch(int(line[0]), *map(float, line[1:])) for line in arrays.pop("curve"))
    network, scored = build_network(dataset, settings, arrays["items.known"])
    state = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    network.load_state_dict(state, strict=False)
    network.to(settings.device).eval()
    return SequenceRecommender(network, dataset, settings, scored, curve)
