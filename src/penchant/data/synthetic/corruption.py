"""A world's raw files, with a known number of bad rows of each kind for cleaning to find."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from penchant.data.dataset import Catalogue, Dataset
from penchant.errors import ConfigError
from penchant.types import Ints

BOTS = ("bot-1", "机器人-2")
BOT_EVENTS = 3000
MIN_EVENTS = 200

CORRUPTIONS: dict[str, Callable[[int], int]] = {
    "repeated_ids": lambda events: 5 + events // 100,
    "repeats": lambda events: 5 + events // 100,
    "junk_dates": lambda events: 4 + events // 200,
    "bots": lambda events: len(BOTS) * BOT_EVENTS,
    "missing_behavior": lambda events: 3 + events // 200,
    "unknown_items": lambda events: 3 + events // 200,
    "bad_values": lambda events: 4 + events // 200,
    "malformed": lambda events: 4 + events // 500,
}
"""Rows spoiled under each rule, by the number of clean events.

repeated_ids      a row over again, its event id too
repeats           a row over again, neither with an event id
junk_dates        1970 and 2099
bots              two users of 3,000 events each
missing_behavior  an empty behavior
unknown_items     an item that the items file lacks
bad_values        NaN, inf and text as the value of a row that has none (no row is added)
malformed         too few fields, or too many
"""

FIELDS = ("event_id", "user", "item", "behavior", "domain", "timestamp", "value", "session")


def write_events(
    path: Path, dataset: Dataset, session: Ints, counts: dict[str, int], seed: int
) -> None:
    """Write events.csv, the clean rows in order and the dirty ones strewn among them."""
    rng = np.random.default_rng((seed, 1))
    rows = _rows(dataset, session)
    if counts and len(rows) < MIN_EVENTS:
        raise ConfigError(
            f"dirt needs a world of at least {MIN_EVENTS} events, received {len(rows)}; add users"
        )
    added: list[list[str]] = []
    rest = iter(rng.permutation(len(rows)).tolist())

    def pick(rule: str) -> list[list[str]]:
        """Rows that no other rule has touched."""
        return [rows[next(rest)] for _ in range(counts.get(rule, 0))]

    added.extend(list(row) for row in pick("repeated_ids"))
    for row in pick("repeats"):
        row[0] = ""
        added.append(list(row))
    for count, row in enumerate(_valueless(rows, rest, counts.get("bad_values", 0))):
        row[6] = ("NaN", "inf", "-inf", "n/a?")[count % 4]
    for count, row in enumerate(pick("junk_dates")):
        date = ("1970-01-01T00:00:00Z", "2099-12-31T23:59:59Z")[count % 2]
        added.append([f"junk-{count}", *row[1:5], date, *row[6:]])
    for count, row in enumerate(pick("missing_behavior")):
        added.append([f"mute-{count}", row[1], row[2], "", *row[4:]])
    for count, row in enumerate(pick("unknown_items")):
        added.append([f"ghost-{count}", row[1], f"ghost-{count:04d}", *row[3:]])
    for count, row in enumerate(pick("malformed")):
        torn = row[:3] if count % 2 else [*row, "spilled", "over", "the", "edge"]
        added.append([f"torn-{count}", *torn[1:]])
    if counts.get("bots"):
        added.extend(_bots(dataset, rng))

    place = np.concatenate([np.arange(len(rows)), rng.random(len(added)) * len(rows)])
    order = np.argsort(place, kind="stable")
    everything = rows + added
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        writer.writerows(everything[i] for i in order.tolist())


def write_items(path: Path, catalogue: Catalogue) -> None:
    """Write items.jsonl: one item a line."""
    with path.open("w", encoding="utf-8") as file:
        for row, item in enumerate(catalogue.items.ids):
            record = {
                "item": item,
                "domain": catalogue.domains[catalogue.domain[row]],
                "title": catalogue.title(row),
                "tags": list(catalogue.tags[row]),
            }
            record |= {name: column[row] for name, column in catalogue.columns.items()}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _valueless(rows: list[list[str]], rest: Iterator[int], count: int) -> list[list[str]]:
    """The next rows without a value, among those that no rule has touched."""
    valueless: list[list[str]] = []
    while len(valueless) < count:
        row = rows[next(rest)]
        if not row[6]:
            valueless.append(row)
    return valueless


def _rows(dataset: Dataset, session: Ints) -> list[list[str]]:
    e, catalogue = dataset.events, dataset.catalogue
    users, items = dataset.users.ids, catalogue.items.ids
    behaviors = [behavior.name for behavior in catalogue.behaviors]
    times = np.datetime_as_string((e.time // 1000).astype("datetime64[s]"), timezone="UTC").tolist()
    columns = zip(e.user, e.item, e.behavior, e.domain, times, e.value, session, strict=True)
    return [
        [
            f"e{number}",
            users[user],
            items[item],
            behaviors[behavior],
            catalogue.domains[domain],
            time,
            "" if np.isnan(value) else f"{value:g}",
            f"s{visit}",
        ]
        for number, (user, item, behavior, domain, time, value, visit) in enumerate(columns)
    ]


def _bots(dataset: Dataset, rng: np.random.Generator) -> list[list[str]]:
    """Two users who view an item every 20 seconds, at random."""
    catalogue = dataset.catalogue
    start = np.datetime64(int(dataset.events.time.min()) // 1000, "s")
    rows = []
    for bot in BOTS:
        viewed = rng.integers(0, len(catalogue), BOT_EVENTS)
        for count, item in enumerate(viewed.tolist()):
            time = np.datetime_as_string(start + 20 * count, timezone="UTC")
            domain = catalogue.domains[catalogue.domain[item]]
            name = catalogue.items.ids[item]
            rows.append([f"{bot}-{count}", bot, name, "view", domain, str(time), "", "s-bot"])
    return rows
