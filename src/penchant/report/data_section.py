"""The health of a run's data: how much there is, how it is spread, what is missing."""

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np

from penchant.data.cleaning.report import CleaningReport
from penchant.data.dataset import Catalogue, Dataset
from penchant.recommendation import Model
from penchant.report.html import Section, details, paragraph, share, table
from penchant.types import Ints

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


def data_health(model: Model) -> Section:
    """Counts, quantiles, what items lack, and what cleaning did."""
    data = model.dataset
    body = paragraph(_sentence(data))
    by_user = np.bincount(data.events.user, minlength=len(data.users))
    rows = [
        ("events of a user", *_quantiles(by_user)),
        ("events of an item", *_quantiles(data.event_counts)),
    ]
    names = ("", "min", "25%", "median", "75%", "95%", "max")
    body += table(
        names,
        rows,
        caption="Events of a user and of an item: minimum, quartiles, 95th percentile, maximum",
    )
    events = data.events
    total = max(1, len(events))
    behaviors = np.bincount(events.behavior, minlength=len(data.catalogue.behaviors)).tolist()
    body += table(
        ("behavior", "polarity", "events", "share", "strength"),
        [
            (
                of.name,
                "positive" if of.polarity > 0 else "negative",
                f"{count:,}",
                share(count / total),
                f"{of.strength:g}",
            )
            for of, count in zip(data.catalogue.behaviors, behaviors, strict=True)
        ],
        left=2,
    )
    if len(data.catalogue.domains) > 1:
        body += _domains(data)
    body += table(("items without", "items", "share"), _lacking(data.catalogue))
    body += _cleaning(model.report.cleaning)
    return Section("data", "The data", body)


def span(data: Dataset) -> tuple[str, str] | None:
    """The first and the last day of the events; None where time is no clock."""
    times = data.events.time[data.events.time != 0]
    if data.time != "clock" or not len(times):
        return None
    first, last = (
        datetime.fromtimestamp(int(t) / 1000, UTC).date().isoformat()
        for t in (times.min(), times.max())
    )
    return first, last


def _sentence(data: Dataset) -> str:
    days = span(data)
    when = f", from {days[0]} to {days[1]}" if days else ""
    unmet = int(np.count_nonzero(data.event_counts == 0))
    once = int(np.count_nonzero(data.event_counts == 1))
    N = max(1, len(data.catalogue))
    meaning = {
        "clock": "Events have times",
        "order": "Events have an order, but no times that could be compared between users",
        "none": "Events have neither times nor an order",
    }[data.time]
    return (
        f"{len(data.events):,} events of {len(data.users):,} users on {N:,} items{when}. "
        f"{meaning}. "
        f"{share(unmet / N)} of the items have no event, {share(once / N)} have one."
    )


def _quantiles(counts: Ints) -> Iterable[str]:
    if not len(counts):
        return ["–"] * len(_QUANTILES)
    found = np.quantile(counts, _QUANTILES, method="inverted_cdf")
    return [f"{int(value):,}" for value in found]


def _domains(data: Dataset) -> str:
    """Items and events of each domain."""
    domains = data.catalogue.domains
    of_items, of_events = (
        np.bincount(of[of >= 0], minlength=len(domains)).tolist()
        for of in (data.catalogue.domain, data.events.domain)
    )
    rows = [
        (name, f"{items_in:,}", f"{count:,}", share(count / max(1, len(data.events))))
        for name, items_in, count in zip(domains, of_items, of_events, strict=True)
    ]
    return table(("domain", "items", "events", "share of events"), rows)


def _lacking(catalogue: Catalogue) -> list[tuple[str, str, str]]:
    """How many items have no title, tags, image ..."""
    N = len(catalogue)
    there = {
        "title": [bool(title) for title in catalogue.titles],
        "tags": [bool(tags) for tags in catalogue.tags],
    }
    for name in ("description", "image", "audio"):
        there[name] = [bool(cell) for cell in catalogue.columns.get(name, ())]
    found = []
    for name, have in there.items():
        missing = N - sum(have)
        found.append((name, f"{missing:,}", share(missing / max(1, N))))
    for name, feature in catalogue.features.items():
        read = int(np.count_nonzero(feature.rows.any(axis=1)))
        found.append((f"{name} as an encoder read it", f"{N - read:,}", share(1 - read / N)))
    return found


def _cleaning(found: CleaningReport | None) -> str:
    """What cleaning did, where the run tells."""
    if found is None:
        return paragraph(
            "The run holds no cleaning report; penchant ingest prints one.", kind="absent"
        )
    lines = [f"{name}: {came:,} rows in, {left:,} out" for name, (came, left) in found.rows.items()]
    rows = [(of.table, of.rule, of.action, of.detail, f"{of.count:,}") for of in found.findings]
    body = "<h3>Cleaning</h3>" + paragraph("; ".join(lines) + ".")
    if rows:
        columns = ("table", "rule", "rows were", "how", "rows")
        body += details(f"{len(rows)} findings", table(columns, rows, left=4))
    return body
