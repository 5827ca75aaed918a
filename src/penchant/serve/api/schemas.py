"""Bodies and answers of the service, as its description shows them."""

from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote_to_bytes

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    model_validator,
)

from penchant.recommendation.rerank.filters import moment
from penchant.serve.store.records import Posted

BATCH = 1000
"""Events or items in one request."""

_LATEST = 86_400_000  # ms that a client's clock may be ahead


def held(text: str) -> str:
    """A text that the store can hold; ValueError for another."""
    if "\x00" in text:
        raise ValueError("expected text without the character NUL, which no store holds")
    text.encode()  # a lone surrogate is a ValueError of its own
    return text


def _unquoted(text: Any) -> Any:
    return unquote_to_bytes(text).decode("utf-8") if isinstance(text, str) else text


Name = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(held)]
"""An identifier: any text but NUL, kept as it is."""

PathName = Annotated[Name, BeforeValidator(_unquoted)]
"""An identifier in an address, percent-encoded; a slash in it as %2F."""

Text = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(held)]
Question = Annotated[
    Text, Field(min_length=1, max_length=1000, description='As "lighter, not horror".')
]
Cell = bool | int | float | Text | list[Name] | None


class Body(BaseModel):
    """A part of a request; a field that is not known is an error."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class EventIn(Body):
    """One event: who, did what, with what. About exactly one of item, query, topic, creator."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"event_id": "e-1", "user": "ann", "item": "tea", "behavior": "buy"},
                {"session": "s-9", "query": "green tea", "behavior": "search"},
            ]
        }
    )
    event_id: Name | None = Field(None, description="Sent twice, the second is a duplicate.")
    user: Name | None = None
    session: Name | None = Field(None, description="Of who has not signed in, or a visit.")
    item: Name | None = None
    query: Annotated[Text, StringConstraints(min_length=1, max_length=1000)] | None = None
    topic: Name | None = None
    creator: Name | None = None
    behavior: Name
    domain: Name | None = None
    timestamp: int | float | str | None = Field(None, description="Default: when it comes.")
    value: float | None = Field(None, description="A rating, seconds, plays.")
    request: Name | None = Field(None, description="Of the list that it came from.")
    _time: int | None = PrivateAttr(None)  # the timestamp in UTC milliseconds

    @model_validator(mode="after")
    def _whole(self) -> Self:
        about = [name for name in _ABOUT if getattr(self, name) is not None]
        if len(about) != 1:
            raise ValueError(f"expected exactly one of {', '.join(_ABOUT)}, received {len(about)}")
        if self.query is not None and not self.query.split():
            raise ValueError("expected a query with a word in it")
        if self.user is None and self.session is None:
            raise ValueError("expected a user, or the session of who has not signed in")
        if self.timestamp is not None:
            try:
                at = moment(self.timestamp)
            except OverflowError:  # a whole number that no float holds
                at = None
            if at is None:
                raise ValueError("timestamp: expected ISO text, or s, ms, us or ns since 1970")
            self._time = round(at)
        return self

    def posted(self, number: str, now: int) -> Posted:
        """The event as the store takes it; ``number`` stands in where it has no identifier."""
        kind = next(name for name in _ABOUT if getattr(self, name) is not None)
        return Posted(
            self.event_id or number,
            self.user,
            self.session,
            kind,
            getattr(self, kind),
            self.behavior,
            self.domain,
            now if self._time is None else self._time,
            self.value,
            self.request,
        )

    def ahead(self, now: int) -> bool:
        """Whether it says of a time to come, by more than clocks differ."""
        return self._time is not None and self._time > now + _LATEST


_ABOUT = ("item", "query", "topic", "creator")
Batch = Annotated[list[EventIn], Field(min_length=1, max_length=BATCH)]


class Refused(BaseModel):
    """An event that was not kept: its place, from 0, and why."""

    index: int = Field(examples=[3])
    reason: str = Field(examples=["unknown behavior 'veiw': expected one of buy, view"])


class EventsOut(BaseModel):
    """What became of posted events; accepted ones are on disk."""

    accepted: int = Field(examples=[2])
    duplicates: int = Field(examples=[0])
    refused: list[Refused]
    unknown_items: int = Field(examples=[0], description="Kept, and read once their item is there.")


class HistoryEvent(Body):
    """An event of a history that comes with the request."""

    item: Name
    behavior: Name | None = None


class Asking(Body):
    """What every request for a list may ask; see the library's ``Rules``."""

    k: Annotated[int, Field(ge=1, le=200)] = 10
    behavior: Name | None = None
    domain: Name | None = None
    tags_any: Annotated[list[Name], Field(max_length=50)] = []
    tags_none: Annotated[list[Name], Field(max_length=50)] = []
    where: Annotated[list[Name], Field(max_length=20, description='As "price <= 20".')] = []
    diversity: Annotated[float, Field(ge=0, le=1)] | None = None
    repeats: bool | None = None
    explain: bool = False
    query: Question | None = None
    page: str | None = Field(None, max_length=60_000)

    @property
    def asked(self) -> dict[str, Any]:
        """The rules of this request, over those of the service."""
        told = self.model_dump(include={"tags_any", "tags_none", "where", "diversity"})
        return {name: value for name, value in told.items() if value not in ([], None)}


class AskIn(Asking):
    """A request for a list without a user: a session, a history, or both."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"history": ["tea", {"item": "cup", "behavior": "view"}], "k": 5}]
        }
    )
    session: Name | None = None
    history: Annotated[list[Name | HistoryEvent], Field(max_length=BATCH)] = []


class ItemOut(BaseModel):
    """One item of a list; see the library's ``Ranked``."""

    item: str = Field(examples=["pot"])
    score: float
    probability: float | None
    title: str | None
    source: str = Field(examples=["fusion"])
    reasons: list[dict[str, Any]]
    because: str | None = Field(examples=["because you bought tea"])


class ListOut(BaseModel):
    """A list, and what it came from."""

    user: str | None
    source: str = Field(description='"popular" where nothing is known of who asks.')
    items: list[ItemOut]
    short: bool
    unknown: list[str]
    request: str = Field(description="To be sent with the events that the list brings.")
    arm: str
    artifact: str
    consent: bool
    question: dict[str, Any] | None = Field(description="How the query was understood.")
    next: str | None = Field(description="The token of the next page; none on the last.")


class SimilarOut(BaseModel):
    """Items most like one."""

    item: str
    items: list[ItemOut]


class InterestsOut(BaseModel):
    """A user's interests; see the library's ``Interest``."""

    user: str | None
    interests: list[dict[str, Any]]
    unassigned: float
    worded: dict[str, Any] | None = Field(None, description="Names and sentences, where asked.")


class FactorIn(Body):
    """What a user makes of an interest: 0 mutes it, 1 leaves it, above 1 boosts it."""

    factor: Annotated[float, Field(ge=0, le=100)] = Field(examples=[0])


class SignIn(Body):
    """Who a session belongs to from now on."""

    user: Name


class MergedOut(BaseModel):
    """Events of a session that are now a user's."""

    user: str
    events: int


class ConsentIn(Body):
    """Whether a user consents to personalization."""

    personalisation: bool


class ItemIn(BaseModel):
    """An item: the columns of the data model, and any further ones."""

    model_config = ConfigDict(
        extra="allow",
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"item": "pot", "title": "Tea pot", "tags": ["kitchen"]}]},
    )
    __pydantic_extra__: dict[str, Cell]
    item: Name
    domain: Name | None = None
    title: Text | None = None
    description: Text | None = None
    tags: Annotated[list[Name], Field(max_length=200)] = []
    available_from: Text | None = None
    available_until: Text | None = None


class StateIn(Body):
    """What holds of an item right now; what is not said stays."""

    hidden: bool | None = None
    stock: float | None = None
    available_from: Text | None = None
    available_until: Text | None = None


class ItemsOut(BaseModel):
    """Items that lists may hold from now on."""

    items: int


class ForgottenOut(BaseModel):
    """What was erased; artifacts hold the user until the next update, and nothing reads it.

    Signed with HMAC-SHA256 by the service's secret key: ``penchant receipt`` says whether it is
    as it was.
    """

    format: str
    subjects: list[str] = Field(description="Keyed digests; no identifier.")
    erased: dict[str, int]
    artifacts: list[str]
    still_held: list[str] = Field(description="Artifacts that wait for the next update.")
    time: int
    exact: list[str] = Field(description="By that update, equal to a fit on the other events.")
    redone: list[str]
    left: list[str] = Field(description="What stands as it was until the next fit.")
    deadline: str = Field(description="The day by which that fit is due.")
    strict: bool
    key: str = Field(description="The id of the secret key.")
    signature: str


class SubjectOut(BaseModel):
    """All that is held about one user."""

    user: str
    consent: bool | None
    runs: dict[str, Any]
    store: dict[str, Any]


class ReloadIn(Body):
    """The artifact that an arm is to serve; without a path, what stands in its place now."""

    arm: Name = "main"
    path: Text | None = None
    force: bool = False


class ReloadOut(BaseModel):
    """The artifact that serves now."""

    arm: str
    artifact: str


class HealthOut(BaseModel):
    """Whether the service is alive, or ready."""

    status: Literal["ok"]
