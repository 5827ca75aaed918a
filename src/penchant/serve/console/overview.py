"""The state of the service in numbers: artifacts, store, traffic, data."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from prometheus_client import CollectorRegistry

from penchant.data.dataset import Dataset
from penchant.report import metrics_section
from penchant.report.data_section import span
from penchant.report.html import interval
from penchant.serve.service.live import Live
from penchant.serve.service.variant import Arm
from penchant.storage.artifact import MANIFEST


class Bar(NamedTuple):
    """A count of events, and its part of the largest beside it, from 0 to 1."""

    name: str
    events: int
    part: float


class Pace(NamedTuple):
    """Requests of one address, and ms within which a half and 99 of 100 were answered.

    A bound is that of a bucket of the histogram; None where it took longer than its last.
    """

    route: str
    requests: int
    half: float | None
    most: float | None


class Traffic(NamedTuple):
    """What all workers have done since they started.

    failed  answers of 500 and above
    events  posted, by what became of them
    """

    requests: int
    failed: int
    events: dict[str, int]
    paces: list[Pace]


def arms(live: Live) -> list[dict[str, Any]]:
    """What serves, arm by arm."""
    return [_arm(live, arm) for arm in live.arms.values()]


def _arm(live: Live, arm: Arm) -> dict[str, Any]:
    model, data = arm.model, arm.model.dataset
    evaluation = model.report.evaluation
    metrics = {} if evaluation is None else evaluation.metrics
    saved = (arm.path / MANIFEST).stat().st_mtime if (arm.path / MANIFEST).exists() else None
    return {
        "name": arm.name,
        "digest": arm.digest[:12],
        "family": model.family,
        "target": data.target,
        "others": list(model.others),
        "saved": None if saved is None else f"{datetime.fromtimestamp(saved, UTC):%Y-%m-%d %H:%M}",
        "users": len(data.users),
        "items": len(data.catalogue),
        "events": len(data.events),
        "days": span(data),
        "behaviors": bars(
            [b.name for b in data.catalogue.behaviors],
            np.bincount(data.events.behavior, minlength=len(data.catalogue.behaviors)).tolist(),
        ),
        "domains": bars(list(data.catalogue.domains), _domains(data)),
        "headline": metrics_section.headline(model),
        "metrics": {name: interval(of) for name, of in metrics.items()},
        "notes": list(model.report.notes),
        "share": _shares(live)[arm.name],
    }


def _shares(live: Live) -> dict[str, float]:
    """The part of the users that each arm serves."""
    names = sorted(live.arms)
    if len(names) < 2:
        return dict.fromkeys(names, 1.0)
    return dict.fromkeys(names, 0.0) | {
        names[0]: 1 - live.settings.share,
        names[1]: live.settings.share,
    }


def _domains(data: Dataset) -> list[int]:
    of = data.events.domain
    found: list[int] = np.bincount(of[of >= 0], minlength=len(data.catalogue.domains)).tolist()
    return found


def bars(names: list[str], counts: list[int]) -> list[Bar]:
    """Counts as bars, the largest first.

    >>> bars(["view", "buy"], [1, 4])
    [Bar(name='buy', events=4, part=1.0), Bar(name='view', events=1, part=0.25)]
    """
    most = max([*counts, 1])
    pairs = sorted(zip(names, counts, strict=True), key=lambda pair: -pair[1])
    return [Bar(name, count, count / most) for name, count in pairs]


def traffic(registry: CollectorRegistry) -> Traffic:
    """What the counters of a registry tell."""
    requests: defaultdict[str, int] = defaultdict(int)
    failed, events = 0, {"accepted": 0, "duplicate": 0, "refused": 0}
    buckets: defaultdict[str, dict[float, int]] = defaultdict(dict)
    for family in registry.collect():
        for sample in family.samples:
            labels, count = sample.labels, int(sample.value)
            if sample.name == "penchant_requests_total":
                requests[labels["route"]] += count
                failed += count * (labels["status"] >= "500")
            elif sample.name == "penchant_request_seconds_bucket":
                buckets[labels["route"]][float(labels["le"])] = count
            elif sample.name == "penchant_events_total":
                events[labels["outcome"]] = count
    paces = [
        Pace(route, count, _within(buckets[route], 0.5), _within(buckets[route], 0.99))
        for route, count in sorted(requests.items(), key=lambda pair: -pair[1])
        if count
    ]
    return Traffic(sum(requests.values()), failed, events, paces)


def _within(buckets: dict[float, int], part: float) -> float | None:
    """ms of the first bucket (seconds -> requests up to there) that holds a part of all."""
    asked = part * max(buckets.values(), default=0)
    for bound in sorted(buckets):
        if buckets[bound] >= asked:
            return None if np.isinf(bound) else 1000 * bound
    return None
