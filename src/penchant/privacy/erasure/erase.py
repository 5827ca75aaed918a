"""Users out of a run and out of all else that is named, in one go, with one receipt."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from penchant.data.io.erase_users import erase_rows, erase_users
from penchant.privacy.erasure import receipts
from penchant.privacy.erasure.unlearn import Erasure, forget
from penchant.privacy.subject_access import directory_rows
from penchant.recommendation import Model, load
from penchant.storage.artifact import MANIFEST
from penchant.storage.signing_key import SigningKey
from penchant.types import Progress


class ErasableStore(Protocol):
    """A service's store."""

    def held(self, user: str) -> Mapping[str, object]:
        """What it holds about a user; empty for a stranger."""
        ...

    def forget(self, user: str) -> dict[str, int]:
        """Erase a user; how many rows of each table."""
        ...


@dataclass(frozen=True)
class ErasurePlaces:
    """Where users are erased besides the run: DATA, further paths, a service's store."""

    data: Path | None = None
    also: tuple[Path, ...] = ()
    store: ErasableStore | None = None


def erase(
    run: Path,
    users: Sequence[str],
    key: SigningKey,
    places: ErasurePlaces | None = None,
    *,
    out: Path | None = None,
    strict: bool = False,
    days: int = receipts.DAYS,
    progress: Progress | None = None,
) -> Erasure:
    """Erase users from a saved run and from other places, with one receipt.

    Parameters
    ----------
    run
        The saved run; ``penchant.privacy.erasure.unlearn.forget`` says what becomes of it.
    users
        Identifiers. Whom the run does not know may be erased from DATA or a store.
    key
        Signs the receipt and makes the tombstones.
    places
        Where the users are erased besides.
    out
        Where the new run goes; the receipt then says that the old one still holds the users. By
        default the new one replaces it.
    strict
        Take a fusion's deep expert out until the next fit.
    days
        From today, until which the next fit is due.
    progress
        Takes a line on each step.

    Returns
    -------
    Erasure
        What became of the run, with the signed receipt of all places.

    Raises
    ------
    ConfigError
        For a user whom none of these places knows, before anything is erased.
    """
    places, report = places or ErasurePlaces(), progress or (lambda text: None)
    model = load(run)
    users = list(dict.fromkeys(users))
    for user in users:
        if user not in model.dataset.users and not _elsewhere(places, user):
            raise model.dataset.unknown_user(user)
    report("erasing")
    remaining, erasure = forget(model, users, key, strict=strict, days=days, progress=progress)
    artifacts = [str(run)] if erasure.users else []
    still_held = [str(run)] if artifacts and out is not None else []
    erased = {"run": erasure.counts(model, users)}
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
    report("saving")
    remaining.save(out or run)
    statement = erasure.statement()
    receipt = receipts.receipt(users, key, erased, artifacts, still_held, statement)
    return replace(erasure, receipt=receipt)


def _elsewhere(places: ErasurePlaces, user: str) -> bool:
    """Whether DATA, a further DATA directory or a store knows a user."""
    folders = [path for path in (places.data, *places.also) if path is not None and _is_data(path)]
    return any(directory_rows(folder, user) for folder in folders) or bool(
        places.store is not None and places.store.held(user)
    )


def _is_data(path: Path) -> bool:
    return (path / "events.parquet").is_file()


def _out_of(
    path: Path, users: Sequence[str], key: SigningKey, strict: bool, days: int
) -> dict[str, int]:
    """Erase users from a further run, DATA directory or Parquet file; how many rows of each."""
    if (path / MANIFEST).is_file():
        model: Model = load(path)
        remaining, erasure = forget(model, users, key, strict=strict, days=days)
        remaining.save(path)
        return erasure.counts(model, users)
    if path.is_dir():
        return erase_users(path, users, key)
    return {"rows": erase_rows(path, users)}
