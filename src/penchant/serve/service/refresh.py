"""Bring a run up to date with a store: statistics, columns and histories, exactly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from penchant.data.dataset import Dataset
from penchant.data.io.load import load as load_dataset
from penchant.data.io.save import write as write_dataset
from penchant.errors import counted
from penchant.evaluation.fit_report import StorePosition
from penchant.privacy.erasure import receipts
from penchant.privacy.erasure.unlearn import complete
from penchant.recommendation import load
from penchant.serve.service.posted_items import columns_of
from penchant.serve.service.variant import digest_of, store_position
from penchant.serve.store.records import Change, IncomingEvent
from penchant.serve.store.store import Store
from penchant.storage.json_records import JsonRecord
from penchant.storage.signing_key import SigningKey, load_key
from penchant.training.update import Receipt, with_new_data, without_users
from penchant.types import Progress

SignedReceipt = dict[str, object]
"""A signed receipt, as JSON types."""


@dataclass(frozen=True)
class RefreshResult(JsonRecord):
    """What a run took from a store.

    forgotten    what the erasure of users changed; None where nobody was forgotten
    added        what the new events and items changed; None where there were none
    seq, change  the last event and the last change of the store that the run now contains
    receipt      the signed receipt for the users that were forgotten
    """

    forgotten: Receipt | None
    added: Receipt | None
    seq: int
    change: int
    receipt: SignedReceipt | None = None


def refresh(
    run: str | Path,
    store: Store,
    variant: str = "main",
    progress: Progress | None = None,
    *,
    key: SigningKey | None = None,
    strict: bool = False,
) -> RefreshResult:
    """Bring a run up to date with a store, and publish it to the workers that serve it.

    Forgotten users are removed first, and leave a tombstone. Events of users who were forgotten
    elsewhere are left out. What arrives while this works is left for the next time: the store is
    read up to its last event and change at the start, and the run records which.

    Parameters
    ----------
    run
        The saved run, which is replaced.
    store
        The store of the service.
    variant
        The variant that serves the run.
    progress
        Called with each stage, in words.
    key
        The secret key of tombstones and receipts; default: that of ``load_key``.
    strict
        Whether an erasure also removes the deep expert.

    Raises
    ------
    ArtifactError
        For a run that cannot be read.
    """
    progress = progress or (lambda text: None)
    run = Path(run)
    model = load(run)
    from_event, from_change = store_position(model, store.identity)
    seq, change = store.last_numbers()
    changes = [entry for entry in store.changes(from_change) if entry.id <= change]
    marks = {entry.key for entry in changes if entry.kind == "forgotten"}
    erased = added = receipt = None
    forgotten: list[str] = []
    if marks:
        forgotten = [user for user in model.dataset.users.ids if store.mark(user) in marks]
        if forgotten:
            progress(f"forgetting {counted(len(forgotten), 'user')}")
            secret = key or load_key()
            tombstones = model.dataset.tombstones.with_users(forgotten, secret)
            model, erased = without_users(model, forgotten)
            model = replace(model, dataset=replace(model.dataset, tombstones=tombstones))
    items = [entry for entry in changes if entry.kind == "item"]
    events = _without_erased(store.events_between(from_event, seq), model.dataset, store, key)
    known = {behavior.name for behavior in model.dataset.catalogue.behaviors}
    later = [event for event in events if event.behavior in known]
    if unknown := len(events) - len(later):  # searches, which are kept under any behavior
        searches = counted(unknown, "search", "searches")
        progress(
            f"{searches} of a behavior unknown to the run "
            "left out; training with that behavior learns from them"
        )
    events = later
    if items or events:
        number = counted(len(events), "event"), counted(len(items), "item")
        progress("adding {} and {}".format(*number))
        model, added = with_new_data(model, new_data(model.dataset, events, items), progress)
    if erased:
        model, erasure = complete(model, erased, strict=strict, progress=progress)
        rows = {"users": erased.users, "events": erased.events}
        receipt = receipts.receipt(
            forgotten, key or load_key(), rows, [variant], [], erasure.statement()
        )
    if erased or added:
        position = StorePosition(store.identity, seq, change)
        replace(model, report=replace(model.report, store=position)).save(run)
        store.publish("artifact", {variant: {"path": str(run.resolve()), "digest": digest_of(run)}})
    return RefreshResult(erased, added, seq, change, receipt)


def _without_erased(
    events: Sequence[IncomingEvent], dataset: Dataset, store: Store, key: SigningKey | None
) -> list[IncomingEvent]:
    """The events without those of users with a tombstone.

    A user whom the store itself forgot is accepted: what it holds of them came later.
    """
    if not events or not dataset.tombstones:
        return list(events)
    users = sorted({event.user for event in events if event.user is not None})
    returned = store.forgotten()
    buried = dataset.tombstones.among(users, key or load_key())
    out = {user for user in buried if store.mark(user) not in returned}
    return [event for event in events if event.user not in out]


def new_data(dataset: Dataset, events: Sequence[IncomingEvent], items: Sequence[Change]) -> Dataset:
    """Events and items of a store as a dataset to merge into another.

    Where time is no clock, they follow one another, after all events of the dataset.
    """
    first = int(dataset.events.time.max(initial=-1)) + 1
    if dataset.time == "clock":
        times: list[int | None] = [event.time for event in events]
    else:
        times = [first + place if dataset.time == "order" else None for place in range(len(events))]
    only = dataset.catalogue.domains[0] if len(dataset.catalogue.domains) == 1 else None
    columns: dict[str, list[Any]] = {
        "user": [event.user for event in events],
        "behavior": [event.behavior for event in events],
        "domain": [event.domain or only for event in events],
        "timestamp": times,
        "value": [event.value for event in events],
    }
    for kind in ("item", "query", "topic", "creator"):
        columns[kind] = [event.about if event.kind == kind else None for event in events]
    posted = columns_of(dataset, [{"item": entry.key, **entry.content} for entry in items])
    with TemporaryDirectory() as scratch:
        folder = write_dataset(
            scratch,
            columns,
            items=posted if items else None,
            name=dataset.name,
            time=dataset.time,
            target=dataset.target,
            behaviors=dataset.catalogue.behaviors,
        )
        return load_dataset(folder)
