"""All that is held about one user, as JSON: what a request for access is answered with."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from penchant.data.dataset import Dataset, Events
from penchant.data.io.assembler import TOKEN_PREFIXES
from penchant.data.io.erase_users import user_rows
from penchant.data.io.layout import FILES
from penchant.errors import ConfigError
from penchant.recommendation import Model


def subject_data(model: Model, user: str) -> dict[str, object] | None:
    """What a model holds about a user, as JSON types; None for one that it does not know.

    Events in their order, attributes (consent among them), whom they have for friends and who has
    them, what they made of their interests, and these as a text.
    """
    data = model.dataset
    controls = [one.to_dict() for one in model.controls.get(user, ())]
    text = model.profiles.get(user)
    profile = None if text is None else text.to_dict()
    if user not in data.users:
        none: dict[str, object] = {"events": [], "controls": controls, "profile": profile}
        return none if controls or profile else None
    row = int(data.users.rows([user])[0])
    names, relations = data.users.ids, data.relations
    test = [] if data.held_out is None else _events(data, _of(data.held_out, row))
    return {
        "events": _events(data, data.history(user).events),
        "held_out": test,
        "attributes": {name: plain(cells[row]) for name, cells in sorted(data.attributes.items())},
        "friends": [names[b] for a, b in relations if a == row],
        "friend_of": [names[a] for a, b in relations if b == row],
        "controls": controls,
        "profile": profile,
    }


def collect(
    user: str,
    runs: Mapping[str, Model],
    store: Mapping[str, Any],
    data: Mapping[str, Any] | None = None,
) -> dict[str, object]:
    """All that runs, a store and DATA hold about a user, as JSON types.

    ``consent`` is what the store was told last, null where it was told nothing. Raises ConfigError
    for a user whom none of them knows.
    """
    parts = {name: subject_data(model, user) for name, model in runs.items()}
    known = {name: part for name, part in parts.items() if part is not None}
    if not known and not store and not data:
        raise ConfigError(
            f"unknown user {user!r}: nothing is held about them here; check the identifier, which "
            "is a pseudonym where data was ingested with --pseudonyms, and name --data and "
            "--database"
        )
    said = [row["consent"] for row in store.get("people", [])]
    consent = said[0] if said else None
    found = {"user": user, "consent": consent, "runs": known, "store": dict(store)}
    return found if data is None else {**found, "data": dict(data)}


def directory_rows(directory: str | Path, user: str) -> dict[str, list[dict[str, object]]]:
    """The rows of a DATA directory that name a user, by table, as JSON types.

    Raises DataError where a file cannot be read.
    """
    found = {}
    for table in FILES:
        if table != "items" and (file := Path(directory) / f"{table}.parquet").is_file():
            rows = user_rows(file, user)
            found[table] = [{name: plain(cell) for name, cell in row.items()} for row in rows]
    return {table: rows for table, rows in found.items() if rows}


def plain(cell: Any) -> Any:
    """A cell as a JSON type; NaN, which JSON does not know, as null.

    >>> plain(np.float64("nan")), plain(np.int64(3)), plain(date(2026, 1, 5))
    (None, 3, '2026-01-05')
    """
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, float) and not np.isfinite(cell):
        return None
    if isinstance(cell, date | datetime):
        return cell.isoformat()
    if isinstance(cell, list | tuple | np.ndarray):
        return [plain(part) for part in cell]
    if isinstance(cell, dict):
        return {str(name): plain(part) for name, part in cell.items()}
    return cell if cell is None or isinstance(cell, str | int | float | bool) else str(cell)


def _of(events: Events, row: int) -> Events:
    return events.take(events.user == row)


def _events(data: Dataset, events: Events) -> list[dict[str, object]]:
    catalogue, found = data.catalogue, []
    for place in range(len(events)):
        item, token = int(events.item[place]), int(events.token[place])
        domain = int(events.domain[place])
        kind, about = "item", catalogue.items.ids[item] if item >= 0 else ""
        if item < 0:
            term = catalogue.tokens.ids[token]
            kind = next(name for name, prefix in TOKEN_PREFIXES.items() if term.startswith(prefix))
            about = term[len(TOKEN_PREFIXES[kind]) :]
        found.append(
            {
                kind: about,
                "behavior": catalogue.behaviors[events.behavior[place]].name,
                "domain": catalogue.domains[domain] if domain >= 0 else None,
                "timestamp": int(events.time[place]) if data.time != "none" else None,
                "value": plain(events.value[place]),
            }
        )
    return found
