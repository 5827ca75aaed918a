"""Request and response bodies of the service, as its OpenAPI schema shows them."""

from typing import Annotated, Any, Literal
from urllib.parse import unquote_to_bytes

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

BATCH = 1000
"""The most events or items of one request."""


def storable(text: str) -> str:
    """A text that the store can hold; ValueError for any other."""
    if "\x00" in text:
        raise ValueError("expected text without the character NUL, which no store holds")
    text.encode()  # a lone surrogate is a ValueError of its own
    return text


def _unquoted(text: Any) -> Any:
    return unquote_to_bytes(text).decode("utf-8") if isinstance(text, str) else text


Name = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(storable)]
"""An identifier: any text without NUL, kept byte for byte."""

PathName = Annotated[Name, BeforeValidator(_unquoted)]
"""An identifier in a path, percent-encoded; a slash in it as %2F."""

Text = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(storable)]
QueryText = Annotated[
    Text, Field(min_length=1, max_length=1000, description='As "lighter, not horror".')
]
JsonObject = dict[str, Any]
Cell = bool | int | float | Text | list[Name] | None


class RequestBody(BaseModel):
    """A part of a request; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class HistoryEvent(RequestBody):
    """An event of a history that comes with the request."""

    item: Name
    behavior: Name | None = None


class ListQuery(RequestBody):
    """The options of a request for a list; see ``Rules`` of the library."""

    k: Annotated[int, Field(ge=1, le=200, description="Number of items.")] = 10
    behavior: Name | None = Field(None, description="What is predicted; default: the target.")
    domain: Name | None = Field(None, description="Only items of this domain.")
    tags_any: Annotated[
        list[Name], Field(max_length=50, description="Only items with one of these tags.")
    ] = []
    tags_none: Annotated[
        list[Name], Field(max_length=50, description="No items with any of these tags.")
    ] = []
    where: Annotated[
        list[Name], Field(max_length=20, description='Conditions, for example "price <= 20".')
    ] = []
    diversity: Annotated[
        float | None, Field(ge=0, le=1, description="0 ranks by score alone, 1 by diversity.")
    ] = None
    repeats: bool | None = Field(None, description="Whether items of the history may be listed.")
    explain: bool = Field(False, description="Whether each item comes with its reasons.")
    query: QueryText | None = None
    page: str | None = Field(
        None, max_length=60_000, description="The field next of the previous page."
    )

    @property
    def rules(self) -> JsonObject:
        """The rules of this request, over those of the service."""
        given = self.model_dump(include={"tags_any", "tags_none", "where", "diversity"})
        return {name: value for name, value in given.items() if value not in ([], None)}


class AnonymousListIn(ListQuery):
    """A request for a list without a user: a session, a history, or both."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"history": ["tea", {"item": "cup", "behavior": "view"}], "k": 5}]
        }
    )
    session: Name | None = None
    history: Annotated[list[Name | HistoryEvent], Field(max_length=BATCH)] = []


class ItemOut(BaseModel):
    """One item of a list; see ``ScoredItem`` of the library."""

    item: str = Field(examples=["pot"])
    score: float
    probability: float | None
    title: str | None
    source: str = Field(examples=["fusion"])
    reasons: list[JsonObject]
    because: str | None = Field(examples=["because you bought tea"])


class ListOut(BaseModel):
    """A list, and where it came from."""

    user: str | None
    source: str = Field(description='"popular" where nothing is known about the user.')
    items: list[ItemOut]
    short: bool = Field(description="Whether fewer than k items could be listed.")
    unknown: list[str] = Field(description="Items of the history that are unknown.")
    request: str = Field(description="Send it with the events that the list leads to.")
    variant: str = Field(examples=["main"])
    artifact: str = Field(description="The digest of the model that made the list.")
    consent: bool = Field(description="Whether the user consents to personalization.")
    question: JsonObject | None = Field(description="How the query was interpreted.")
    next: str | None = Field(description="The token of the next page; null on the last.")


class SimilarOut(BaseModel):
    """The items most similar to one."""

    item: str
    items: list[ItemOut]


class InterestsOut(BaseModel):
    """A user's interests; see ``Interest`` of the library."""

    user: str | None
    interests: list[JsonObject]
    unassigned: float
    worded: JsonObject | None = Field(None, description="Names and sentences, if requested.")


class FactorIn(RequestBody):
    """The factor of an interest: 0 mutes it, 1 is normal, above 1 boosts it."""

    factor: Annotated[float, Field(ge=0, le=100)] = Field(examples=[0])


class SignIn(RequestBody):
    """The user to whom a session belongs from now on."""

    user: Name


class MergedOut(BaseModel):
    """The events of a session that were assigned to a user."""

    user: str
    events: int


class ConsentIn(RequestBody):
    """Whether a user consents to personalization."""

    personalization: bool = Field(
        validation_alias=AliasChoices("personalization", "personalisation")
    )


class ItemIn(BaseModel):
    """An item: the standard columns, and any other columns."""

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


class StateIn(RequestBody):
    """The state of an item; fields that are left out stay as they are."""

    hidden: bool | None = None
    stock: float | None = None
    available_from: Text | None = None
    available_until: Text | None = None


class ItemsOut(BaseModel):
    """The number of items that lists may hold from now on."""

    items: int


class ForgottenOut(BaseModel):
    """What was erased; artifacts contain the user, unused, until the next update.

    Signed with HMAC-SHA256 by the service's secret key: ``penchant receipt`` checks
    the signature.
    """

    format: str
    subjects: list[str] = Field(description="Keyed digests, no identifiers.")
    erased: dict[str, int]
    artifacts: list[str]
    still_held: list[str] = Field(description="Artifacts that wait for the next update.")
    time: int
    exact: list[str] = Field(description="What then equals training on the other events.")
    redone: list[str]
    left: list[str] = Field(description="What stays as it is until the next training.")
    deadline: str = Field(description="The day by which that training is due.")
    strict: bool
    key: str = Field(description="The id of the secret key.")
    signature: str


class SubjectOut(BaseModel):
    """Everything that is stored about a user."""

    user: str
    consent: bool | None
    runs: JsonObject
    store: JsonObject


class ReloadIn(RequestBody):
    """The artifact that a variant is to serve; without a path, its own path is read again."""

    variant: Name = Field("main", validation_alias=AliasChoices("variant", "arm"))
    path: Text | None = None
    force: bool = False


class ReloadOut(BaseModel):
    """The artifact that is in service now."""

    variant: str
    artifact: str


class HealthOut(BaseModel):
    """Whether the service is alive, or ready."""

    status: Literal["ok"]
