"""The endpoints for texts of users' interests."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from penchant.recommendation.interests import Profile
from penchant.recommendation.interests.profile import MOST
from penchant.serve.api.routes import READ, WRITE, Service, documents, json_response
from penchant.serve.api.schemas import PathName, RequestBody, storable
from penchant.serve.service import profiles

reads = APIRouter(tags=["lists"], dependencies=READ)
writes = APIRouter(tags=["events and users"], dependencies=WRITE)
ProfileText = Annotated[
    str, StringConstraints(min_length=1, max_length=MOST), AfterValidator(storable)
]


class ProfileIn(RequestBody):
    """A user's own text of their interests."""

    text: ProfileText = Field(examples=["Green tea, and pots to make it in. No coffee."])


class ProfileOut(BaseModel):
    """The interests of a user, as a text."""

    user: str
    text: str
    edited: bool = Field(description="Whether the user wrote it.")
    model: str | None = Field(
        description="The language model that wrote it; null for a generated text."
    )
    note: str | None = Field(description="Why no language model wrote it, or why there is no text.")


@reads.get("/users/{user}/profile", **documents(ProfileOut))
def profile(service: Service, user: PathName) -> Response:
    """Get the interests of a user as a text: their own, or a generated one."""
    return _profile_response(user, profiles.user_profile(service, user, service.llm))


@writes.put("/users/{user}/profile", **documents(ProfileOut))
def write(service: Service, user: PathName, body: ProfileIn) -> Response:
    """Store the user's own text of their interests, in place of the generated one."""
    return _profile_response(user, profiles.save_profile(service, user, body.text))


@writes.delete("/users/{user}/profile", **documents(ProfileOut))
def reset(service: Service, user: PathName) -> Response:
    """Discard the user's own text; it is generated from their interests again."""
    return _profile_response(user, profiles.reset_profile(service, user, service.llm))


def _profile_response(user: str, profile: Profile) -> Response:
    return json_response({"user": user, **profile.to_dict()})


ROUTERS: tuple[APIRouter, ...] = (reads, writes)
