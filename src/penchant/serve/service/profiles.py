"""The texts of users' interests: made when they are asked for, kept, written by the user."""

from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Connection, and_, select

from penchant.errors import ConfigError
from penchant.llm.client import LanguageModel
from penchant.llm.tasks.user_profile import write_profile
from penchant.recommendation.interests import Profile
from penchant.serve.service import reads
from penchant.serve.service.live import Live
from penchant.serve.store import tables as t
from penchant.serve.store.records import now
from penchant.serve.store.store import Store
from penchant.serve.store.tables import writing

WITHOUT = "this user does not consent to personalization: no text is made or read"


def profile(live: Live, user: str, model: LanguageModel | None = None) -> Profile:
    """The text of a user's interests, of their own or made of what is known now, and kept then.

    Without consent there is none. Raises ConfigError for a run without a transition expert.
    """
    began = now()
    of = live.known(user)
    if not of.consent:
        return Profile("", note=WITHOUT)
    if of.profile is not None:
        return Profile(of.profile, edited=True)
    kept = read(live.store, user)
    interests = reads.interests_of(of, user)
    found = write_profile(interests, of.head.dataset.catalogue, model, kept)
    if found != kept and interests.clusters and found.made:
        keep(live.store, user, found, began)
    return found


def write(live: Live, user: str, text: str) -> Profile:
    """Keep what a user writes of their interests.

    Raises ConfigError for a text that cannot be kept, and where the user does not consent.
    """
    own = Profile.written(text)
    if not live.known(user).consent:
        raise ConfigError(f"expected the consent of the user; {WITHOUT}: PUT .../consent gives it")
    with writing(live.store.engine) as connection:
        _put(live.store, connection, user, own)
    return own


def reset(live: Live, user: str, model: LanguageModel | None = None) -> Profile:
    """Take a user's own text back: from now on it is made of their interests again."""
    with writing(live.store.engine) as connection:
        # a row without a text says so even where the run holds a text of the user's own
        _put(live.store, connection, user, Profile(""))
    return profile(live, user, model)


def read(store: Store, user: str) -> Profile | None:
    """What the store holds."""
    columns = [t.profiles.c[one.name] for one in fields(Profile)]
    with store.reader.connect() as connection:
        row = connection.execute(select(*columns).where(t.profiles.c.user == user)).first()
    return None if row is None else Profile(*row)


def keep(store: Store, user: str, made: Profile, began: int) -> None:
    """Keep a text that was made, from UTC milliseconds ``began`` on.

    Not where the user has written one meanwhile, has been forgotten, or has withdrawn consent.
    """
    with writing(store.engine) as connection:
        gone = select(t.forgotten.c.time).where(t.forgotten.c.mark == store.mark(user))
        if (connection.scalar(gone) or 0) >= began:
            return
        silent = and_(t.people.c.user == user, t.people.c.consent.is_(False))
        if connection.scalar(select(t.people.c.user).where(silent)) is None:
            _put(store, connection, user, made, t.profiles.c.edited.is_(False))


def _put(store: Store, connection: Connection, user: str, of: Profile, where: Any = None) -> None:
    """Put a text in the place of one that meets a condition."""
    values = asdict(of)
    statement = store.insert(t.profiles).values({"user": user, **values})
    connection.execute(
        statement.on_conflict_do_update(index_elements=["user"], set_=values, where=where)
    )
