"""Request and response bodies of posted events."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints, model_validator

from penchant.recommendation.rerank.filters import moment
from penchant.serve.api.schemas import BATCH, Name, RequestBody, Text
from penchant.serve.store.records import IncomingEvent

_MAX_AHEAD_MS = 86_400_000  # ms that a client's clock may be ahead


class EventIn(RequestBody):
    """An event, about exactly one of item, query, topic, creator."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"event_id": "e-1", "user": "ann", "item": "tea", "behavior": "buy"},
                {"session": "s-9", "query": "green tea", "behavior": "search"},
            ]
        }
    )
    event_id: Name | None = Field(
        None, description="An event with a known id counts as a duplicate and is not stored twice."
    )
    user: Name | None = None
    session: Name | None = Field(None, description="Of an anonymous user, or of a visit.")
    item: Name | None = None
    query: Annotated[Text, StringConstraints(min_length=1, max_length=1000)] | None = None
    topic: Name | None = None
    creator: Name | None = None
    behavior: Name
    domain: Name | None = None
    timestamp: int | float | str | None = Field(
        None, description="ISO text, or s, ms, us or ns since 1970. Default: now."
    )
    value: float | None = Field(None, description="For example a rating, seconds or plays.")
    request: Name | None = Field(None, description="The request of the list that led to the event.")
    _time: int | None = PrivateAttr(None)  # the timestamp in UTC milliseconds

    @model_validator(mode="after")
    def _whole(self) -> Self:
        about = [name for name in _ABOUT if getattr(self, name) is not None]
        if len(about) != 1:
            raise ValueError(f"expected exactly one of {', '.join(_ABOUT)}, received {len(about)}")
        if self.query is not None and not self.query.split():
            raise ValueError("expected a query with a word in it")
        if self.user is None and self.session is None:
            raise ValueError("expected a user, or the session of an anonymous user")
        if self.timestamp is not None:
            try:
                at = moment(self.timestamp)
            except OverflowError:  # a whole number that no float holds
                at = None
            if at is None:
                raise ValueError("timestamp: expected ISO text, or s, ms, us or ns since 1970")
            self._time = round(at)
        return self

    def to_record(self, number: str, now: int) -> IncomingEvent:
        """The event as the store takes it; ``number`` is its id where it has none."""
        kind = next(name for name in _ABOUT if getattr(self, name) is not None)
        return IncomingEvent(
            id=self.event_id or number,
            user=self.user,
            session=self.session,
            kind=kind,
            about=getattr(self, kind),
            behavior=self.behavior,
            domain=self.domain,
            time=now if self._time is None else self._time,
            value=self.value,
            request=self.request,
        )

    def ahead(self, now: int) -> bool:
        """Whether it is in the future, by more than clocks differ."""
        return self._time is not None and self._time > now + _MAX_AHEAD_MS


_ABOUT = ("item", "query", "topic", "creator")
Batch = Annotated[list[EventIn], Field(min_length=1, max_length=BATCH)]


class RefusedEvent(BaseModel):
    """An event that was refused: its index, from 0, and why."""

    index: int = Field(examples=[3])
    reason: str = Field(examples=["unknown behavior 'veiw': expected one of buy, view"])


class EventsOut(BaseModel):
    """The outcome of posted events; accepted ones are on disk."""

    accepted: int = Field(examples=[2])
    duplicates: int = Field(examples=[0])
    refused: list[RefusedEvent]
    unknown_items: int = Field(
        examples=[0],
        description="Events about unknown items: stored, and used once their item is known.",
    )
