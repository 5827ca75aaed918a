"""The sections of a recipe: frozen, typed, checked."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from penchant.config.plugins import Named
from penchant.config.settings import Settings


class CleaningSettings(Settings):
    """What cleaning does with what it finds; each rule is counted and reported.

    Parameters
    ----------
    repeats
        The same (user, item, behavior, time): "keep" them, or "merge" into one.
    junk_dates
        Events outside [earliest, latest], where time is a clock: "drop", "unset" (the event
        stays, its time does not) or "keep".
    bots
        Users whose number of events is a robust outlier: "drop" or "keep".
    bot_sigma
        How far out, in robust standard deviations of log(events).
    unknown_items
        Events of items that the items file lacks: "keep" (they join the catalogue) or
        "drop".
    missing_*
        "drop" the row or "fill" it with the value named by fill_*.
    bad_values
        NaN, infinite or unreadable values: "unset" or "drop".
    min_user_events, min_item_events
        Iterated k-core; 0 asks for none.
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


class ContentSettings(Settings):
    """What is read of the items, and with what.

    Each may be "auto", which takes the first where it is installed, "none", or an encoder written
    outside: an entry point of ``penchant.encoders``, "package.module:Name", or the object itself.

    Parameters
    ----------
    text
        "universal" (in the extra ``text``), "sentence-transformers:NAME", or
        "endpoint:URL#MODEL" of an OpenAI-compatible service, its key in PENCHANT_API_KEY.
    image
        "mobilenet" (in the extra ``image``), "clip:NAME" or "onnx:FILE".
    audio
        "librosa" (in the extra ``audio``) or "onnx:FILE".
    summary
        What a language model said of the items (penchant enrich); "auto" as ``text`` is
        read.
    columns
        The further columns of the items: categories, numbers, years, prices.
    dimensions
        Directions that are kept of an encoder's numbers.
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

    Parameters
    ----------
    attributes
        Columns of the users; default: all that are not protected.
    protected
        Protected ones (gender, age, health ...) that are used all the same.
    friends
        Whether the events of friends count.
    """

    attributes: tuple[str, ...] | None = None
    protected: tuple[str, ...] = ()
    friends: bool = True


class InterestSettings(Settings):
    """How the events of a user become interests.

    Parameters
    ----------
    dimensions
        Dimensions of the space that items lie in; 0 is half the root of their number, 8 to 64.
    content
        Weight of each modality there, beside 1 for what is taken together.
    near
        Cosine from which on two groups of items are one interest (default: where the
        cosines of pairs of items fall into two groups).
    decay
        Weight that an event loses with each later one.
    least
        Share of a user's weight below which a group of events is no interest.
    """

    dimensions: Annotated[int, Field(ge=0, le=1024)] = 0
    content: Annotated[float, Field(ge=0, le=10)] = 0.3
    near: Annotated[float, Field(ge=-1, le=1)] | None = None
    decay: Annotated[float, Field(gt=0, le=1)] = 0.98
    least: Annotated[float, Field(ge=0, le=1)] = 0.05


class QuerySettings(Settings):
    """What a search, a question or a text of one's own does to a list.

    Parameters
    ----------
    share
        Share of the list's places that the latest search takes.
    decay
        Decay of that share with each event that came after it.
    least
        Below this share a search is over.
    profile
        The share of interests that a user has written, of what searches leave.
    weight
        Weight of how well an item fits, against how well it suits the user, among those places.
    """

    share: Annotated[float, Field(ge=0, lt=1)] = 0.6
    decay: Annotated[float, Field(gt=0, le=1)] = 0.8
    least: Annotated[float, Field(gt=0, le=1)] = 0.05
    profile: Annotated[float, Field(ge=0, lt=1)] = 0.3
    weight: Annotated[float, Field(ge=0, le=100)] = 2.0


class PrivacySettings(Settings):
    """How a private fit spends its budget; all of it is public, none is searched on events.

    Of DP-SGD alone:

    Parameters
    ----------
    method
        "mixture" of popularity and a regression between public contents, either alone
        ("popularity", "projected"), "full": a regression between items, or "sequence": the
        deep expert by DP-SGD.
    clip
        The L2 norm, in events, that a user's whole contribution is brought down to.
    events
        Events of a user that count, the latest.
    balance
        Weight of G beside C in that norm.
    dimensions
        Dimensions of the public contents.
    share
        Share of the budget that a mixture gives to popularity.
    floor
        Share of a regression's budget for the smallest eigenvalue of G.
    ridge
        As a share of the noised diagonal's mean; the noise adds its own.
    content
        What the regression's standardized scores weigh beside the logarithm of popularity.
    public
        Save a run without users, events and any figure measured on them.
    gradient
        The L2 norm that the gradient of a user's sequence is brought down to.
    sample
        Users that a step is expected to take.
    passes
        So many steps that each user is expected in that many.
    learning_rate
        Learning rate of Adam.
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
