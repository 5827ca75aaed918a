"""Texts of users' interests: generated when they are asked for, or written by the user."""

from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Connection, and_, select

from penchant.errors import ConfigError
from penchant.llm.client import LanguageModel
from penchant.llm.tasks.user_profile import write_profile
from penchant.recommendation.interests import Profile
from penchant.serve.service import reads
from penchant.serve.service.recommendation_service import RecommendationService
from penchant.serve.store import tables as t
from penchant.serve.store.records import now
from penchant.serve.store.store import Store
from penchant.serve.store.tables import writing

NO_CONSENT = "this user does not consent to personalization: no text is generated or read"


def user_profile(
    service: RecommendationService, user: str, model: LanguageModel | None = None
) -> Profile:
    """The text of a user's interests, of their own or made of what is known now, and kept then.

    Without consent there is none. Raises ConfigError for a run without a transition expert.
    """
    began = now()
    context = service.context(user)
    if not context.consent:
        return Profile("", note=NO_CONSENT)
    if context.profile is not None:
        return Profile(context.profile, edited=True)
    stored = stored_profile(service.store, user)
    interests = reads.interests_of(context, user)
    found = write_profile(interests, context.model.dataset.catalogue, model, stored)
    if found != stored and interests.clusters and found.made:
        store_generated(service.store, user, found, began)
    return found


def save_profile(service: RecommendationService, user: str, text: str) -> Profile:
    """Keep what a user writes of their interests.

    Raises ConfigError for a text that cannot be kept, and where the user does not consent.
    """
    own = Profile.written(text)
    if not service.context(user).consent:
        raise ConfigError(
            f"expected the consent of the user; {NO_CONSENT}: PUT .../consent gives it"
        )
    with writing(service.store.engine) as connection:
        _upsert(service.store, connection, user, own)
    return own


def reset_profile(
    service: RecommendationService, user: str, model: LanguageModel | None = None
) -> Profile:
    """Take a user's own text back: from now on it is made of their interests again."""
    with writing(service.store.engine) as connection:
        # a row without a text says so even where the run holds a text of the user's own
        _upsert(service.store, connection, user, Profile(""))
    return user_profile(service, user, model)


def stored_profile(store: Store, user: str) -> Profile | None:
    """The text of a user in the store."""
    columns = [t.profiles.c[field.name] for field in fields(Profile)]
    with store.reader.connect() as connection:
        row = connection.execute(select(*columns).where(t.profiles.c.user == user)).first()
    return None if row is None else Profile(*row)


def store_generated(store: Store, user: str, made: Profile, began: int) -> None:
    """Keep a text that was made, from UTC milliseconds ``began`` on.

    Not where the user has written one meanwhile, has been forgotten, or has withdrawn consent.
    """
    with writing(store.engine) as connection:
        gone = select(t.forgotten.c.time).where(t.forgotten.c.mark == store.mark(user))
        if (connection.scalar(gone) or 0) >= began:
            return
        silent = and_(t.users.c.user == user, t.users.c.consent.is_(False))
        if connection.scalar(select(t.users.c.user).where(silent)) is None:
            _upsert(store, connection, user, made, t.profiles.c.edited.is_(False))


def _upsert(
    store: Store, connection: Connection, user: str, of: Profile, where: Any = None
) -> None:
    """Put a text in the place of one that meets a condition."""
    values = asdict(of)
    statement = store.insert(t.profiles).values({"user": user, **values})
    connection.execute(
        statement.on_conflict_do_update(index_elements=["user"], set_=values, where=where)
    )
