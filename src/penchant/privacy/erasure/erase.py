"""Users out of a run and out of all else that is named, in one go, with one receipt."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from penchant.data.io.erase_users import erase_rows, erase_users
from penchant.privacy.erasure import receipts
from penchant.privacy.erasure.unlearn import Forgotten, forget
from penchant.privacy.subject_access import in_directory
from penchant.recommendation import Model, load
from penchant.storage.artifact import MANIFEST
from penchant.storage.signing_key import Key
from penchant.types import Progress


class Keeper(Protocol):
    """A service's store."""

    def held(self, user: str) -> dict[str, Any]:
        """What it holds about a user; empty for a stranger."""
        ...

    def forget(self, user: str) -> dict[str, int]:
        """Erase a user; how many rows of each table."""
        ...


@dataclass(frozen=True)
class Places:
    """Where users are erased besides the run: DATA, further paths, a service's store."""

    data: Path | None = None
    also: tuple[Path, ...] = ()
    store: Keeper | None = None


def erase(
    run: Path,
    users: Sequence[str],
    key: Key,
    places: Places | None = None,
    *,
    out: Path | None = None,
    strict: bool = False,
    days: int = receipts.DAYS,
    progress: Progress | None = None,
) -> tuple[Forgotten, dict[str, Any]]:
    """Forget users in a saved run and in other places; what became of the run, and the receipt.

    Whom the run does not know may be erased from DATA or a store. With ``out`` the new run goes
    there, and the receipt says that the old one still holds them. Raises ConfigError for a user
    whom none of these places knows, before anything is erased.
    """
    places, say = places or Places(), progress or (lambda text: None)
    model = load(run)
    users = list(dict.fromkeys(users))
    for user in users:
        if user not in model.dataset.users and not _elsewhere(places, user):
            raise model.dataset.unknown_user(user)
    say("forgetting")
    done = forget(model, users, key, strict=strict, days=days, progress=progress)
    artifacts = [str(run)] if done.receipt.users else []
    still = [str(run)] if artifacts and out is not None else []
    erased: dict[str, dict[str, int]] = {
        "run": {"users": done.receipt.users, "events": done.receipt.events, **_texts(model, users)}
    }
    # the run comes last: what breaks off can be asked for again
    if places.data is not None:
        erased["data"] = erase_users(places.data, users, key)
        artifacts += [str(places.data)] if erased["data"] else []
    for path in places.also:
        erased[str(path)] = _out_of(path, users, key, strict, days)
        artifacts += [str(path)] if any(erased[str(path)].values()) else []
    if places.store is not None:
        rows: Counter[str] = Counter()
        for user in users:
            rows.update(places.store.forget(user))
        erased["store"] = dict(rows)
    say("saving")
    done.model.save(out or run)
    content = receipts.receipt(users, key, erased, artifacts, still, done.told())
    return done, content


def _elsewhere(places: Places, user: str) -> bool:
    """Whether DATA, a further DATA directory or a store knows a user."""
    folders = [path for path in (places.data, *places.also) if path is not None and _is_data(path)]
    return any(in_directory(folder, user) for folder in folders) or bool(
        places.store is not None and places.store.held(user)
    )


def _is_data(path: Path) -> bool:
    return (path / "events.parquet").is_file()


def _out_of(path: Path, users: Sequence[str], key: Key, strict: bool, days: int) -> dict[str, int]:
    """Erase users from a further run, DATA directory or Parquet file; how many rows of each."""
    if (path / MANIFEST).is_file():
        model: Model = load(path)
        done = forget(model, users, key, strict=strict, days=days)
        done.model.save(path)
        texts = _texts(model, users)
        return {"users": done.receipt.users, "events": done.receipt.events, **texts}
    if path.is_dir():
        return erase_users(path, users, key)
    return {"rows": erase_rows(path, users)}


def _texts(model: Model, users: Sequence[str]) -> dict[str, int]:
    """How many texts of interests go with the users; nothing where there are none."""
    count = sum(user in model.profiles for user in users)
    return {"profiles": count} if count else {}
