"""What came into the store goes into the run: sums, columns and histories, exactly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from penchant.data.dataset import Dataset
from penchant.data.io.load import load as load_dataset
from penchant.data.io.save import write as write_dataset
from penchant.evaluation.fit_report import StorePosition
from penchant.privacy.erasure import receipts
from penchant.privacy.erasure.unlearn import complete
from penchant.recommendation import load
from penchant.serve.service.posted_items import columns_of
from penchant.serve.service.variant import digest_of, held
from penchant.serve.store.records import Change, Posted
from penchant.serve.store.store import Store
from penchant.storage.signing_key import SigningKey, load_key
from penchant.training.update import Receipt, with_new_data, without_users
from penchant.types import Progress


@dataclass(frozen=True)
class Refreshed:
    """What a run took from a store: receipts of who was forgotten and of what was added.

    receipt  of who was forgotten, signed, for them; None where nobody was
    """

    forgotten: Receipt | None
    added: Receipt | None
    seq: int
    change: int
    receipt: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "forgotten": None if self.forgotten is None else self.forgotten.to_dict(),
            "added": None if self.added is None else self.added.to_dict(),
            "seq": self.seq,
            "change": self.change,
            "receipt": self.receipt,
        }


def refresh(
    run: str | Path,
    store: Store,
    arm: str = "main",
    progress: Progress | None = None,
    *,
    key: SigningKey | None = None,
    strict: bool = False,
) -> Refreshed:
    """Bring a run up to date with a store, and tell the workers that serve it.

    Who was forgotten is taken out first, and leaves a tombstone of the ``key`` (default: that of
    ``load_key``); ``strict`` then takes the deep expert out. Events of who was forgotten elsewhere
    are left out. What comes while this works is left for the next time:
    the store is read up to its last event and change at the start, and the run notes which.
    """
    progress = progress or (lambda text: None)
    run = Path(run)
    model = load(run)
    from_event, from_change = held(model, store.identity)
    seq, change = store.settled()
    changes = [one for one in store.changes(from_change) if one.id <= change]
    marks = {one.key for one in changes if one.kind == "forgotten"}
    erased = added = receipt = None
    gone: list[str] = []
    if marks:
        gone = [user for user in model.dataset.users.ids if store.mark(user) in marks]
        if gone:
            progress(f"forgetting {len(gone):,} users")
            secret = key or load_key()
            stones = model.dataset.tombstones.with_users(gone, secret)
            model, erased = without_users(model, gone)
            model = replace(model, dataset=replace(model.dataset, tombstones=stones))
    items = [one for one in changes if one.kind == "item"]
    events = _let_in(store.later(from_event, seq), model.dataset, store, key)
    known = {behavior.name for behavior in model.dataset.catalogue.behaviors}
    later = [event for event in events if event.behavior in known]
    if len(later) < len(events):  # searches, which are kept under any behavior
        progress(
            f"searches of a behavior that the run does not know: {len(events) - len(later):,}; "
            "they are left out of the run, and a new fit that has the behavior learns from them"
        )
    events = later
    if items or events:
        progress(f"adding {len(events):,} events and {len(items):,} items")
        model, added = with_new_data(model, arrived(model.dataset, events, items), progress)
    if erased:
        model, erasure = complete(model, erased, strict=strict, progress=progress)
        rows = {"users": erased.users, "events": erased.events}
        receipt = receipts.receipt(gone, key or load_key(), rows, [arm], [], erasure.statement())
    if erased or added:
        position = StorePosition(store.identity, seq, change)
        replace(model, report=replace(model.report, store=position)).save(run)
        store.change("artifact", {arm: {"path": str(run.resolve()), "digest": digest_of(run)}})
    return Refreshed(erased, added, seq, change, receipt)


def _let_in(
    events: Sequence[Posted], dataset: Dataset, store: Store, key: SigningKey | None
) -> list[Posted]:
    """The events without those of users with a tombstone.

    Whom the store itself forgot is let in: what it holds of them came later, from somebody new.
    """
    if not events or not dataset.tombstones:
        return list(events)
    users = sorted({event.user for event in events if event.user is not None})
    again = store.forgotten()
    buried = dataset.tombstones.among(users, key or load_key())
    out = {user for user in buried if store.mark(user) not in again}
    return [event for event in events if event.user not in out]


def arrived(dataset: Dataset, events: Sequence[Posted], items: Sequence[Change]) -> Dataset:
    """Events and items of a store as a dataset to merge into another.

    Where time is no clock, they come one after the other, after all that was there.
    """
    first = int(dataset.events.time.max(initial=-1)) + 1
    if dataset.time == "clock":
        times: list[int | None] = [event.time for event in events]
    else:
        times = [first + place if dataset.time == "order" else None for place in range(len(events))]
    only = dataset.catalogue.domains[0] if len(dataset.catalogue.domains) == 1 else None
    columns: dict[str, Any] = {
        "user": [event.user for event in events],
        "behavior": [event.behavior for event in events],
        "domain": [event.domain or only for event in events],
        "timestamp": times,
        "value": [event.value for event in events],
    }
    for kind in ("item", "query", "topic", "creator"):
        columns[kind] = [event.about if event.kind == kind else None for event in events]
    goods = columns_of(dataset, [{"item": one.key, **one.content} for one in items])
    with TemporaryDirectory() as scratch:
        folder = write_dataset(
            scratch,
            columns,
            items=goods if items else None,
            name=dataset.name,
            time=dataset.time,
            target=dataset.target,
            behaviors=dataset.catalogue.behaviors,
        )
        return load_dataset(folder)
