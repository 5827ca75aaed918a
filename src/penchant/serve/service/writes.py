"""Everything that changes: events, items and their states, users to be forgotten."""

from collections.abc import Mapping, Sequence
from typing import Any

from penchant.privacy.erasure.receipts import deadline, receipt
from penchant.serve.service.recommendation_service import RecommendationService
from penchant.serve.service.variant import ItemState, validated_state
from penchant.serve.store.records import IncomingEvent, PostResult
from penchant.training.update import EXACT, standing


def post(service: RecommendationService, events: Sequence[IncomingEvent]) -> PostResult:
    """Store events, on disk when this returns; an unknown behavior is refused.

    A search is stored under any behavior, since its text moves lists by itself. An event without a
    domain gets that of its item.
    """
    catalogue = service.main.model.dataset.catalogue
    known = {behavior.name for behavior in catalogue.behaviors}
    only = catalogue.domains[0] if len(catalogue.domains) == 1 else None
    accepted, places, refused = [], [], []
    for place, event in enumerate(events):
        if event.behavior not in known and event.kind != "query":
            names = ", ".join(sorted(known))
            reason = f"unknown behavior {event.behavior!r}: expected one of {names}"
            refused.append((place, reason))
            continue
        row = catalogue.items.index.get(event.about, -1) if event.kind == "item" else -1
        own = int(catalogue.domain[row]) if row >= 0 else -1
        domain = event.domain or (catalogue.domains[own] if own >= 0 else only)
        accepted.append(event._replace(domain=domain))
        places.append(place)
    if not accepted:
        return PostResult(0, 0, tuple(refused))
    result = service.store.add(accepted)
    refused += [(places[place], reason) for place, reason in result.refused]
    return result._replace(refused=tuple(sorted(refused)))


def put_items(service: RecommendationService, items: Mapping[str, Mapping[str, Any]]) -> None:
    """Add items, or replace their columns; any list may hold them when this returns.

    Raises DataError for columns that cannot be read; nothing is stored then.
    """
    with service.lock:
        service.follow(service.store.revision)
        rows = [{"item": item, **columns} for item, columns in items.items()]
        variants = {name: variant.with_items(rows) for name, variant in service.variants.items()}
        number = service.store.publish("item", items)
        if number == service.at + len(items):  # nobody else has changed anything meanwhile
            service.variants, service.at = variants, number
    deleted = [item for item in items if service.states.get(item, {}).get("deleted")]
    set_states(service, {item: {"deleted": False} for item in deleted})
    service.follow(service.store.revision)


def set_states(service: RecommendationService, states: Mapping[str, ItemState]) -> None:
    """Hide or delete items, or set their stock and availability; lists change at once.

    Raises ConfigError for an unknown item, and for a time that cannot be read.
    """
    if not states:
        return
    service.follow(service.store.revision)
    data = service.main.model.dataset
    for item, state in states.items():
        if item not in data.catalogue.items:
            raise data.unknown_item(item)
        validated_state(state)
    service.follow(service.store.publish("state", states))


def forget(service: RecommendationService, user: str) -> Mapping[str, Any]:
    """Erase a user from the store, and from all responses at once; the signed receipt of that.

    Artifacts hold their events until the next update, and nothing reads these any more. What is
    exact is so from that update on, whose own receipt says so.
    """
    key = service.key  # where there is none, nothing is erased without a receipt
    service.log.flush()
    holding = [v for v in service.variants.values() if user in v.model.dataset.users]
    erased = service.store.forget(user)
    service.follow(service.store.revision)
    names = [variant.name for variant in holding]
    outcome = {
        "exact": list(EXACT if holding else ()),
        "redone": [],
        "left": list(dict.fromkeys(part for v in holding for part in standing(v.model))),
        "deadline": deadline(),
        "strict": False,
    }
    return receipt([user], key, erased, names, names, outcome)
