"""What the store holds about one user, and all that service and runs hold."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, and_, or_, select

from penchant.errors import ConfigError
from penchant.model import Model
from penchant.privacy.subject import held
from penchant.serve import tables as t
from penchant.serve.store import Store


def in_store(store: Store, user: str) -> dict[str, Any]:
    """The rows of a store that are about a user, by table, as JSON types; empty for a stranger.

    Impressions of their signed-in sessions are among them, as those are erased with them.
    """
    mine = select(t.sessions.c.session).where(t.sessions.c.user == user)
    shown = t.impressions.c
    orphans = and_(shown.user.is_(None), shown.session.in_(mine))
    found = {
        "events": _rows(store, t.events, t.events.c.user == user),
        "people": _rows(store, t.people, t.people.c.user == user),
        "sessions": _rows(store, t.sessions, t.sessions.c.user == user),
        "impressions": _rows(store, t.impressions, or_(shown.user == user, orphans)),
    }
    return {name: rows for name, rows in found.items() if rows}


def subject(user: str, runs: Mapping[str, Model], store: Store | None) -> dict[str, Any]:
    """All that runs and a store hold about a user, as JSON types.

    ``consent`` is what the store was told last, null where it was told nothing. Raises ConfigError
    for a user whom none of them knows.
    """
    parts = {name: held(model, user) for name, model in runs.items()}
    known = {name: part for name, part in parts.items() if part is not None}
    kept = {} if store is None else in_store(store, user)
    if not known and not kept:
        where = " nor ".join(["no run", *(["the store"] if store is not None else [])])
        raise ConfigError(
            f"unknown user {user!r}: {where} holds anything about them; check the identifier, "
            "which is a pseudonym where the data was ingested with --pseudonyms"
        )
    said = [row["consent"] for row in kept.get("people", [])]
    return {"user": user, "consent": said[0] if said else None, "runs": known, "store": kept}


def _rows(store: Store, table: Table, where: Any) -> list[dict[str, Any]]:
    query = select(table).where(where).order_by(*table.primary_key.columns)
    with store.reader.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
