"""The sections of a recipe: frozen, typed, checked."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from penchant.config.plugins import Named
from penchant.config.settings import Settings

Weight = Annotated[float, Field(ge=0, le=64)]


class CleaningSettings(Settings):
    """What cleaning does with what it finds; each rule is counted and reported.

    repeats       the same (user, item, behavior, time): "keep" them, or "merge" into one
    junk_dates    events outside [earliest, latest], where time is a clock: "drop", "unset" (the
                  event stays, its time does not) or "keep"
    bots          users whose number of events is a robust outlier: "drop" or "keep"
    bot_sigma     how far out, in robust standard deviations of log(events)
    unknown_items events of items that the items file lacks: "keep" (they join the catalogue) or
                  "drop"
    missing_*     "drop" the row or "fill" it with the value named by fill_*
    bad_values    NaN, infinite or unreadable values: "unset" or "drop"
    min_user_events, min_item_events   iterated k-core; 0 asks for none
    """

    repeats: Literal["keep", "merge"] = "keep"
    junk_dates: Literal["drop", "unset", "keep"] = "drop"
    earliest: str = "1990-01-01"
    latest: str = "now"
    bots: Literal["drop", "keep"] = "drop"
    bot_sigma: Annotated[float, Field(gt=0)] = 6.0
    unknown_items: Literal["keep", "drop"] = "keep"
    missing_behavior: Literal["drop", "fill"] = "fill"
    fill_behavior: str = "event"
    missing_domain: Literal["drop", "fill"] = "fill"
    fill_domain: str = "default"
    missing_time: Literal["drop", "keep"] = "keep"
    bad_values: Literal["unset", "drop"] = "unset"
    min_user_events: Annotated[int, Field(ge=0)] = 0
    min_item_events: Annotated[int, Field(ge=0)] = 0


class TransitionSettings(Settings):
    """The closed-form expert.

    decay       weight lost for each position of age, in (0, 1]; 1 where time is no order
    window      how many past (or future) positions a row sees
    reverse     weight of the rows that see a target's future; 0 leaves them out
    ridge       added to the diagonal
    candidates  predictors kept for each target item; 0 is 500 for up to 5,000 items, else 200
    neighbors   of each item in a content kernel
    content_weights
                of each content kernel; as the ridge, they are counted in events
    cold        how much more an item's column trusts content while it has few events: these
                weights are multiplied by 1 + cold / (1 + events)^2
    behavior_weights
                weight of a behavior in histories (default: its strength)
    targets     weight of a behavior's events as targets (default: its strength)
    other_behavior_weight
                by which the weights of targets are multiplied for all behaviors but the one that
                is predicted; 0 learns from its events alone
    decays      decay of a behavior's events, where its memory is not that of the others
    cross_domain_weight
                weight of events of other domains than the item's, without decay, where time is
                the order within a domain and domains have none in common
    short_history_weight
                weight of whether a history has less than ten events: what is taken by who has so
                few is learned beside what follows from these (default: 1 where users have
                attributes or friends, else 0)
    attributes  weight of each attribute of a user
    friends     weight of an event of a friend, times its behavior's strength
    recent      how many of these count, the latest
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
    """The deep expert.

    embedding_size, layers, heads  of the transformer
    expansion              width of the inner layer of a block's feed-forward part, times the size
    max_length             events of a history that it reads, the latest
    dropout                of embeddings and of each block's two outputs
    content_dropout        share of items whose content is left out of a training batch
    id_dropout             share of items whose own embedding is, so that content learns to stand
                           alone, as it must for a new item
    scale                  of a logit: the length of a user's vector, an item's being at most 1; 0
                           takes the inner product of both as they are
    negatives              shared by a batch, half drawn from its targets, half uniformly; 0 takes
                           the whole catalogue
    repeats                whether items that a history holds are negatives too. By default they
                           are, unless most of the target's events are about such items: then what
                           comes next is another task than what lists rank, which leave them out.
                           With the recipe's ``repeats`` they are by default
    batch_size             events in a batch
    learning_rate          of AdamW; it warms up over ``warmup`` of all steps and falls as a cosine
    weight_decay           of AdamW
    epochs                 the length of the schedule, in passes over the events
    patience               passes without a better validation NDCG@10 until it stops
    stop                   the pass after which it stops; 0 is the end of the schedule
    interests, facets      user vectors and item facets of the mixture of logits; 1 and 1 are the
                           plain inner product
    targets                weight of a behavior's events as targets (default: its strength)
    device, precision      "cpu", "cuda", ...; "float32" or "bfloat16"
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


class ContentSettings(Settings):
    """What is read of the items, and with what.

    text    "universal" (in the extra ``text``), "sentence-transformers:NAME", or
            "endpoint:URL#MODEL" of an OpenAI-compatible service, its key in PENCHANT_API_KEY
    image   "mobilenet" (in the extra ``image``), "clip:NAME" or "onnx:FILE"
    audio   "librosa" (in the extra ``audio``) or "onnx:FILE"
    summary what a language model said of the items (penchant enrich); "auto" as ``text`` is read
    columns the further columns of the items: categories, numbers, years, prices
    dimensions  directions that are kept of an encoder's numbers

    Each may be "auto", which takes the first where it is installed, "none", or an encoder written
    outside: an entry point of ``penchant.encoders``, "package.module:Name", or the object itself.
    """

    former: ClassVar[Mapping[str, str]] = {
        "width": "dimensions",
    }

    text: Named = "auto"
    image: Named = "auto"
    audio: Named = "auto"
    summary: Named = "auto"
    columns: Literal["auto", "none"] = "auto"
    dimensions: Annotated[int, Field(ge=1, le=4096)] = 128


class UserSettings(Settings):
    """What is known of users besides their events, and used.

    attributes  columns of the users; default: all that are not protected
    protected   protected ones (gender, age, health ...) that are used all the same
    friends     whether the events of friends count
    """

    attributes: tuple[str, ...] | None = None
    protected: tuple[str, ...] = ()
    friends: bool = True


class InterestSettings(Settings):
    """How the events of a user become interests.

    dimensions  of the space that items lie in; 0 is half the root of their number, 8 to 64
    content     weight of each modality there, beside 1 for what is taken together
    near        cosine from which on two groups of items are one interest (default: where the
                cosines of pairs of items fall into two groups)
    decay       weight that an event loses with each later one
    least       share of a user's weight below which a group of events is no interest
    """

    dimensions: Annotated[int, Field(ge=0, le=1024)] = 0
    content: Annotated[float, Field(ge=0, le=10)] = 0.3
    near: Annotated[float, Field(ge=-1, le=1)] | None = None
    decay: Annotated[float, Field(gt=0, le=1)] = 0.98
    least: Annotated[float, Field(ge=0, le=1)] = 0.05


class QuerySettings(Settings):
    """What a search, a question or a text of one's own does to a list.

    share   of the list's places that the latest search takes
    decay   of that share with each event that came after it
    least   below this share a search is over
    profile the share of interests that a user has written, of what searches leave
    weight  of how well an item fits, against how well it suits the user, among those places
    """

    share: Annotated[float, Field(ge=0, lt=1)] = 0.6
    decay: Annotated[float, Field(gt=0, le=1)] = 0.8
    least: Annotated[float, Field(gt=0, le=1)] = 0.05
    profile: Annotated[float, Field(ge=0, lt=1)] = 0.3
    weight: Annotated[float, Field(ge=0, le=100)] = 2.0


class PrivacySettings(Settings):
    """How a private fit spends its budget; all of it is public, none is searched on events.

    method   "mixture" of popularity and a regression between public contents, either alone
             ("popularity", "projected"), "full": a regression between items, or "sequence": the
             deep expert by DP-SGD
    clip     the L2 norm, in events, that a user's whole contribution is brought down to
    events   of a user that count, the latest
    balance  weight of G beside C in that norm
    dimensions  of the public contents
    share    of the budget that a mixture gives to popularity
    floor    share of a regression's budget for the smallest eigenvalue of G
    ridge    as a share of the noised diagonal's mean; the noise adds its own
    content  what the regression's standardized scores weigh beside the logarithm of popularity
    public   save a run without users, events and any figure measured on them

    Of DP-SGD alone:

    gradient the L2 norm that the gradient of a user's sequence is brought down to
    sample   users that a step is expected to take
    passes   so many steps that each user is expected in that many
    learning_rate  of Adam
    """

    former: ClassVar[Mapping[str, str]] = {
        "width": "dimensions",
        "rate": "learning_rate",
    }

    method: Literal["mixture", "projected", "popularity", "full", "sequence"] = "mixture"
    clip: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    events: Annotated[int, Field(ge=1, le=100_000)] = 200
    balance: Annotated[float, Field(gt=0, le=1000)] = 0.3
    dimensions: Annotated[int, Field(ge=1, le=512)] = 64
    share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    floor: Annotated[float, Field(gt=0, lt=1)] = 0.05
    ridge: Annotated[float, Field(gt=0, le=1e6)] = 0.1
    content: Annotated[float, Field(ge=0, le=100)] = 0.5
    public: bool = False
    gradient: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    sample: Annotated[int, Field(ge=1)] = 512
    passes: Annotated[int, Field(ge=1, le=10_000)] = 20
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 5e-3


class SearchSettings(Settings):
    """The bounded search on validation events: how many settings, on how many users."""

    budget: Annotated[int, Field(ge=1, le=16)] = 16
    users: Annotated[int, Field(ge=1)] = 5000
