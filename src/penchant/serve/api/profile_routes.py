"""The addresses of the texts of users' interests."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from penchant.recommendation.interests import Profile
from penchant.recommendation.interests.profile import MOST
from penchant.serve.api.routes import READ, WRITE, On, answered, shows
from penchant.serve.api.schemas import Body, PathName, held
from penchant.serve.service import profiles

reads = APIRouter(tags=["lists"], dependencies=READ)
writes = APIRouter(tags=["events and people"], dependencies=WRITE)
Own = Annotated[str, StringConstraints(min_length=1, max_length=MOST), AfterValidator(held)]


class ProfileIn(Body):
    """What a user writes of their interests."""

    text: Own = Field(examples=["Green tea, and pots to make it in. No coffee."])


class ProfileOut(BaseModel):
    """What a user is interested in, as a text."""

    user: str
    text: str
    edited: bool = Field(description="Whether the user wrote it.")
    model: str | None = Field(description="The language model that wrote it; none for plain words.")
    note: str | None = Field(description="Why these are plain words, or why there are none.")


@reads.get("/users/{user}/profile", **shows(ProfileOut))
def profile(live: On, user: PathName) -> Response:
    """What a user is interested in, as a text: their own, or one that is made and kept."""
    return _told(user, profiles.profile(live, user, live.llm))


@writes.put("/users/{user}/profile", **shows(ProfileOut))
def write(live: On, user: PathName, body: ProfileIn) -> Response:
    """Keep what a user writes of their interests, in the place of what was made."""
    return _told(user, profiles.write(live, user, body.text))


@writes.delete("/users/{user}/profile", **shows(ProfileOut))
def reset(live: On, user: PathName) -> Response:
    """Take back what a user wrote: the text is made of their interests again."""
    return _told(user, profiles.reset(live, user, live.llm))


def _told(user: str, found: Profile) -> Response:
    return answered({"user": user, **found.to_dict()})


ROUTERS: tuple[APIRouter, ...] = (reads, writes)
