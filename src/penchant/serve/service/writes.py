"""What comes in: events, items and their states, who is to be forgotten."""

from collections.abc import Mapping, Sequence
from typing import Any

from penchant.privacy.erasure.receipts import deadline, receipt
from penchant.serve.service.live import Live
from penchant.serve.service.variant import State, checked_state
from penchant.serve.store.records import Added, Posted
from penchant.training.update import EXACT, standing


def post(live: Live, posted: Sequence[Posted]) -> Added:
    """Keep events, on disk when this returns; a behavior that is not known is refused.

    A search is kept under any behavior: its text moves lists by itself. An event without a domain
    is of its item's.
    """
    arm = next(iter(live.arms.values()))
    catalogue = arm.model.dataset.catalogue
    known = {behavior.name for behavior in catalogue.behaviors}
    only = catalogue.domains[0] if len(catalogue.domains) == 1 else None
    good, places, refused = [], [], []
    for place, event in enumerate(posted):
        if event.behavior not in known and event.kind != "query":
            names = ", ".join(sorted(known))
            reason = f"unknown behavior {event.behavior!r}: expected one of {names}"
            refused.append((place, reason))
            continue
        row = catalogue.items.index.get(event.about, -1) if event.kind == "item" else -1
        home = int(catalogue.domain[row]) if row >= 0 else -1
        domain = event.domain or (catalogue.domains[home] if home >= 0 else only)
        good.append(event._replace(domain=domain))
        places.append(place)
    if not good:
        return Added(0, 0, tuple(refused))
    added = live.store.add(good)
    refused += [(places[place], reason) for place, reason in added.refused]
    return added._replace(refused=tuple(sorted(refused)))


def put_items(live: Live, items: Mapping[str, Mapping[str, Any]]) -> None:
    """Add items, or describe old ones anew; any list may hold them when this returns.

    Raises DataError for columns that cannot be read; nothing is kept then.
    """
    with live.lock:
        live.follow(live.store.revision)
        rows = [{"item": item, **of} for item, of in items.items()]
        arms = {name: arm.with_items(rows) for name, arm in live.arms.items()}
        number = live.store.change("item", items)
        if number == live.at + len(items):  # nobody else has changed anything meanwhile
            live.arms, live.at = arms, number
    set_states(live, {item: {"deleted": False} for item in items if _deleted(live, item)})
    live.follow(live.store.revision)


def _deleted(live: Live, item: str) -> bool:
    return bool(live.states.get(item, {}).get("deleted"))


def set_states(live: Live, states: Mapping[str, State]) -> None:
    """Hide or delete items, or say what is in stock and when; lists follow at once.

    Raises ConfigError for an item that is not known, and for a time that is none.
    """
    if not states:
        return
    live.follow(live.store.revision)
    data = next(iter(live.arms.values())).model.dataset
    for item, state in states.items():
        if item not in data.catalogue.items:
            raise data.unknown_item(item)
        checked_state(state)
    live.follow(live.store.change("state", states))


def forget(live: Live, user: str) -> dict[str, Any]:
    """Erase a user from the store, and from all answers at once; the signed receipt of that.

    Artifacts hold their events until the next update; nothing reads these any more. What is
    exact is so from that update on, whose own receipt says so.
    """
    key = live.key  # where there is none, nothing is erased without a receipt
    live.log.flush()
    held = [arm.name for arm in live.arms.values() if user in arm.model.dataset.users]
    erased = live.store.forget(user)
    live.follow(live.store.revision)
    models = [arm.model for arm in live.arms.values() if arm.name in held]
    told = {
        "exact": list(EXACT if held else ()),
        "redone": [],
        "left": list(dict.fromkeys(one for model in models for one in standing(model))),
        "deadline": deadline(),
        "strict": False,
    }
    return receipt([user], key, erased, held, held, told)
