"""The settings of the two experts: the closed-form one and the deep one."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from penchant.config.settings import Settings

Weight = Annotated[float, Field(ge=0, le=64)]


class TransitionSettings(Settings):
    """Settings of the closed-form expert, a ridge regression of the next event on the history.

    Parameters
    ----------
    decay
        Weight lost for each position of age, in (0, 1]; 1 where time is no order.
    window
        How many past (or future) positions a row sees.
    reverse
        Weight of the rows that see a target's future; 0 leaves them out.
    ridge
        Added to the diagonal.
    candidates
        Predictors kept for each target item; 0 is 500 for up to 5,000 items, else 200.
    neighbors
        Nearest items that are kept of each item in a content kernel.
    content_weights
        Weight of each content kernel, by modality; as the ridge, counted in events.
    cold
        How much more an item's column trusts content while it has few events: these weights
        are multiplied by 1 + cold / (1 + events)^2.
    behavior_weights
        Weight of a behavior in histories (default: its strength).
    targets
        Weight of a behavior's events as targets (default: its strength).
    other_behavior_weight
        What multiplies the weights of targets of all behaviors but the one that is predicted;
        0 learns from its events alone.
    decays
        Decay of a behavior's events, where its memory is not that of the others.
    cross_domain_weight
        Weight of events of other domains than the item's, without decay, where time is the
        order within a domain and domains have none in common.
    short_history_weight
        Weight of a predictor that says that a history has less than ten events: what such
        users take is learned beside what follows from their events (default: 1 where users
        have attributes or friends, else 0).
    attributes
        Weight of each attribute of a user.
    friends
        Weight of an event of a friend, times its behavior's strength.
    recent
        How many events of friends count, the latest.
    """

    former: ClassVar[Mapping[str, str]] = {
        "others": "other_behavior_weight",
        "across": "cross_domain_weight",
        "opening": "short_history_weight",
        "history": "behavior_weights",
        "alpha": "content_weights",
    }

    decay: Annotated[float, Field(gt=0, le=1)] = 0.8
    window: Annotated[int, Field(ge=1, le=64)] = 20
    reverse: Annotated[float, Field(ge=0, le=1)] = 0.3
    ridge: Annotated[float, Field(gt=0, le=1e9)] = 50.0
    candidates: Annotated[int, Field(ge=0, le=2000)] = 0
    neighbors: Annotated[int, Field(ge=1, le=1000)] = 200
    content_weights: dict[str, Annotated[float, Field(ge=0, le=1e6)]] = Field(default={"tags": 2.0})
    cold: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    behavior_weights: dict[str, Weight] = Field(default={})
    targets: dict[str, Weight] = Field(default={})
    other_behavior_weight: Annotated[float, Field(ge=0, le=1)] = 1.0
    decays: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(default={})
    cross_domain_weight: Annotated[float, Field(ge=0, le=1)] = 0.2
    short_history_weight: Weight | None = None
    attributes: Weight = 0.2
    friends: Weight = 0.1
    recent: Annotated[int, Field(ge=1, le=1000)] = 20


class SequenceSettings(Settings):
    """Settings of the deep expert, a causal transformer over events.

    Parameters
    ----------
    embedding_size, layers, heads
        Size of the transformer's vectors, number of its blocks, and heads of each.
    expansion
        Width of the inner layer of a block's feed-forward part, in embedding sizes.
    max_length
        Events of a history that it reads, the latest.
    dropout
        Dropout of embeddings and of each block's two outputs.
    content_dropout
        Share of items whose content is left out of a training batch.
    id_dropout
        Share of items whose own embedding is, so that content learns to stand alone, as it
        must for a new item.
    scale
        Scale of a logit: the length of a user's vector, an item's being at most 1; 0 takes the
        inner product of both as they are.
    negatives
        Negatives that a batch shares, half drawn from its targets, half uniformly; 0 takes the
        whole catalogue.
    repeats
        Whether items that a history holds are negatives too. By default they are, unless
        most of the target's events are about such items: then what comes next is another
        task than what lists rank, which leave them out. With the recipe's ``repeats`` they
        are by default.
    batch_size
        Events in a batch.
    learning_rate
        Learning rate of AdamW; it warms up over ``warmup`` of all steps and falls as a cosine.
    weight_decay
        Weight decay of AdamW.
    epochs
        The length of the schedule, in passes over the events.
    patience
        Passes without a better validation NDCG@10 until it stops.
    stop
        The pass after which it stops; 0 is the end of the schedule.
    interests, facets
        User vectors and item facets of the mixture of logits; 1 and 1 are the plain inner
        product.
    targets
        Weight of a behavior's events as targets (default: its strength).
    device, precision
        "cpu", "cuda", ...; "float32" or "bfloat16".
    """

    former: ClassVar[Mapping[str, str]] = {
        "width": "embedding_size",
        "length": "max_length",
        "batch": "batch_size",
        "rate": "learning_rate",
    }

    embedding_size: Annotated[int, Field(ge=4, le=4096)] = 64
    layers: Annotated[int, Field(ge=1, le=48)] = 2
    heads: Annotated[int, Field(ge=1, le=64)] = 2
    expansion: Annotated[int, Field(ge=1, le=16)] = 2
    max_length: Annotated[int, Field(ge=2, le=8192)] = 50
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    content_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    id_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    scale: Annotated[float, Field(ge=0, le=1000)] = 20.0
    negatives: Annotated[int, Field(ge=0, le=1 << 20)] = 1024
    repeats: bool | None = None
    batch_size: Annotated[int, Field(ge=16, le=1 << 22)] = 512
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.6
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 30
    patience: Annotated[int, Field(ge=1)] = 10
    stop: Annotated[int, Field(ge=0)] = 0
    interests: Annotated[int, Field(ge=1, le=64)] = 1
    facets: Annotated[int, Field(ge=1, le=64)] = 1
    targets: dict[str, Weight] = Field(default={})
    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
