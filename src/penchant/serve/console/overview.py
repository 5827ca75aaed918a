"""The state of the service in numbers: variants, store, traffic, data."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from prometheus_client import CollectorRegistry

from penchant.data.dataset import Dataset
from penchant.report import metrics_section
from penchant.report.data_section import span
from penchant.report.html import interval
from penchant.serve.service.recommendation_service import RecommendationService
from penchant.serve.service.variant import Variant
from penchant.storage.artifact import MANIFEST


class Bar(NamedTuple):
    """A count of events, and it as a fraction of the largest count beside it."""

    name: str
    events: int
    fraction: float


class RouteTiming(NamedTuple):
    """Requests of one endpoint, and upper bounds of their response times in ms.

    A bound is that of a bucket of the histogram; None where it took longer than the last.
    """

    route: str
    requests: int
    median: float | None
    p99: float | None


class Traffic(NamedTuple):
    """What all workers have done since they started.

    failed  responses of 500 and above
    events  posted events, by outcome
    """

    requests: int
    failed: int
    events: dict[str, int]
    routes: list[RouteTiming]


@dataclass(frozen=True)
class VariantSummary:
    """A variant in service: its artifact, its training data, what it measured."""

    name: str
    digest: str
    family: str
    predicts: list[str]
    saved: str | None
    users: int
    items: int
    events: int
    days: tuple[str, str] | None
    behaviors: list[Bar]
    domains: list[Bar]
    headline: str
    metrics: dict[str, str]
    notes: tuple[str, ...]
    share: float


def variant_summaries(service: RecommendationService) -> list[VariantSummary]:
    """What serves, variant by variant."""
    shares = _shares(service)
    return [_summary(variant, shares[name]) for name, variant in service.variants.items()]


def _summary(variant: Variant, share: float) -> VariantSummary:
    model, data = variant.model, variant.model.dataset
    evaluation = model.report.evaluation
    metrics = {} if evaluation is None else evaluation.metrics
    manifest = variant.path / MANIFEST
    saved = datetime.fromtimestamp(manifest.stat().st_mtime, UTC) if manifest.exists() else None
    behaviors = data.catalogue.behaviors
    counts = np.bincount(data.events.behavior, minlength=len(behaviors)).tolist()
    return VariantSummary(
        name=variant.name,
        digest=variant.digest[:12],
        family=model.family,
        predicts=[data.target, *model.others],
        saved=None if saved is None else f"{saved:%Y-%m-%d %H:%M}",
        users=len(data.users),
        items=len(data.catalogue),
        events=len(data.events),
        days=span(data),
        behaviors=bars([behavior.name for behavior in behaviors], counts),
        domains=bars(list(data.catalogue.domains), _domain_counts(data)),
        headline=metrics_section.headline(model),
        metrics={name: interval(metric) for name, metric in metrics.items()},
        notes=tuple(model.report.notes),
        share=share,
    )


def _shares(service: RecommendationService) -> dict[str, float]:
    """The fraction of users that each variant serves."""
    names = sorted(service.variants)
    if len(names) < 2:
        return dict.fromkeys(names, 1.0)
    share = service.settings.share
    return dict.fromkeys(names, 0.0) | {names[0]: 1 - share, names[1]: share}


def _domain_counts(data: Dataset) -> list[int]:
    domain = data.events.domain
    counts: list[int] = np.bincount(
        domain[domain >= 0], minlength=len(data.catalogue.domains)
    ).tolist()
    return counts


def bars(names: list[str], counts: list[int]) -> list[Bar]:
    """Counts as bars, the largest first.

    >>> bars(["view", "buy"], [1, 4])
    [Bar(name='buy', events=4, fraction=1.0), Bar(name='view', events=1, fraction=0.25)]
    """
    largest = max([*counts, 1])
    pairs = sorted(zip(names, counts, strict=True), key=lambda pair: -pair[1])
    return [Bar(name, count, count / largest) for name, count in pairs]


def traffic(registry: CollectorRegistry) -> Traffic:
    """What the counters of a registry hold."""
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
    routes = []
    for route, count in sorted(requests.items(), key=lambda pair: -pair[1]):
        if count:
            bounds = (_quantile_bound(buckets[route], quantile) for quantile in (0.5, 0.99))
            routes.append(RouteTiming(route, count, *bounds))
    return Traffic(sum(requests.values()), failed, events, routes)


def _quantile_bound(buckets: dict[float, int], quantile: float) -> float | None:
    """ms of the first bucket (seconds -> requests up to there) that reaches a quantile."""
    needed = quantile * max(buckets.values(), default=0)
    for bound in sorted(buckets):
        if buckets[bound] >= needed:
            return None if np.isinf(bound) else 1000 * bound
    return None
