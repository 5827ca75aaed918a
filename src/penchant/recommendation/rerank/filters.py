"""Filters: which items of a catalogue pass each rule, and what columns say of groups."""

import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import numpy as np

from penchant.data.dataset import Catalogue
from penchant.data.readers.timestamps import CLASSES, SMALL
from penchant.errors import ConfigError, unknown
from penchant.recommendation.rules import Cell, Condition, Rules
from penchant.types import Floats, Ints, Mask

_OPS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne
}  # fmt: skip
_PER_MS = {"s": 1e-3, "ms": 1.0, "us": 1e3, "ns": 1e6}


def filters(catalogue: Catalogue, rules: Rules) -> dict[str, Mask]:
    """Which items pass each filter that the rules set, by its name and in order, (N,) each.

    All but ``domain`` and ``available_at``, which a request may change. Raises ConfigError for a
    column that the catalogue does not have.
    """
    masks: dict[str, Mask] = {}
    tags = catalogue.tags or ((),) * len(catalogue)
    if rules.tags_any:
        some = set(rules.tags_any)
        masks["tags_any"] = _mask(not some.isdisjoint(of_item) for of_item in tags)
    if rules.tags_none:
        none = set(rules.tags_none)
        masks["tags_none"] = _mask(none.isdisjoint(of_item) for of_item in tags)
    if rules.allow is not None:
        masks["allow"] = _among(catalogue, rules.allow)
    if rules.deny:
        masks["deny"] = ~_among(catalogue, rules.deny)
    for condition in rules.where:
        cells = column(catalogue, condition.column)
        masks[f"where {condition}"] = _mask(passes(cell, condition) for cell in cells)
    return masks


def passes(cell: Any, condition: Condition) -> bool:
    """Whether the cell of an item meets a condition.

    >>> passes(12.5, Condition.model_validate("price <= 20"))
    True
    >>> passes(None, Condition.model_validate("price != 20"))
    False
    """
    if isinstance(condition.value, tuple):
        return any(_holds(cell, "==", value) for value in condition.value)
    return _holds(cell, condition.op, condition.value)


def _holds(cell: Any, op: str, value: Cell) -> bool:
    if isinstance(cell, list | tuple | np.ndarray):
        same = [_holds(part, "==", value) for part in cell]
        return {"==": any(same), "!=": bool(same) and not any(same)}.get(op, False)
    if missing(cell):
        return False
    if isinstance(value, bool):
        return _OPS[op](str(cell).strip().lower(), str(value).lower())
    if isinstance(value, int | float) or isinstance(cell, int | float | Decimal | np.number):
        try:
            return _OPS[op](float(cell), float(value))
        except (TypeError, ValueError):
            return False
    if isinstance(cell, date):
        mine, theirs = moment(cell), moment(value)
        return mine is not None and theirs is not None and _OPS[op](mine, theirs)
    return _OPS[op](str(cell), value)


def missing(cell: Any) -> bool:
    """Whether a cell holds nothing: None, NaN or blank text."""
    if isinstance(cell, float | np.floating | Decimal):
        return bool(cell != cell)
    return cell is None or (isinstance(cell, str) and not cell.strip())


def column(catalogue: Catalogue, name: str) -> Iterable[Any]:
    """The cells of a column, (N,): a further column, "item", "domain", "title" or "tags".

    Raises ConfigError for another one, with the known ones named.
    """
    if name in catalogue.columns:
        return catalogue.columns[name]
    if name == "domain":
        return [catalogue.domains[row] if row >= 0 else None for row in catalogue.domain]
    own = {"item": catalogue.items.ids, "title": catalogue.titles, "tags": catalogue.tags}
    if name in own:
        return own[name] or [None] * len(catalogue)
    raise unknown("column of the items", name, [*catalogue.columns, *own, "domain"])


BOUNDS = ("available_from", "available_until")


def bounds(catalogue: Catalogue, name: str) -> Floats:
    """A bound of each item's availability in ms, (N,); endless where an item has none."""
    if name not in catalogue.columns:
        return np.full(len(catalogue), bound(name, None))
    return np.array([bound(name, cell) for cell in catalogue.columns[name]], np.float64)


def bound(name: str, cell: Any) -> float:
    """One such bound; one that cannot be read is never met."""
    until = name == BOUNDS[1]
    unbound = np.inf if until else -np.inf
    if missing(cell):
        return unbound
    time = moment(cell, until)
    return -unbound if time is None else time


class Availability:
    """When items are available: from the one time on (N,), and before the other (N,), in ms."""

    def __init__(self, catalogue: Catalogue) -> None:
        known = {*BOUNDS} & catalogue.columns.keys()
        if not known:
            raise ConfigError(
                "available_at: expected items with a column available_from or available_until, "
                f"received the columns {', '.join(catalogue.columns) or 'none'}"
            )
        self.first, self.last = (bounds(catalogue, name) for name in BOUNDS)

    def at(self, time: str) -> Mask:
        """Which items are available at an ISO time or "now", (N,); ConfigError for another."""
        now = moment(datetime.now(UTC) if time == "now" else time)
        if now is None:
            raise ConfigError(
                f'available_at: expected "now" or a time as 2026-05-01T12:00, received {time!r}'
            )
        available: Mask = (self.first <= now) & (now < self.last)
        return available


def moment(cell: Any, until: bool = False) -> float | None:
    """A time as UTC milliseconds; None where it is none. ``until`` includes a whole date."""
    if isinstance(cell, int | float | Decimal | np.number):
        return _number(float(cell))
    if isinstance(cell, str):
        try:
            whole = len(cell.strip()) == len("2026-05-01")
            cell = datetime.fromisoformat(cell.strip())
            cell = cell.date() if whole else cell
        except ValueError:
            return None
    if not isinstance(cell, date):
        return None
    if not isinstance(cell, datetime):
        cell = datetime(cell.year, cell.month, cell.day, tzinfo=UTC)
        if until:
            cell += timedelta(days=1)
    elif cell.tzinfo is None:
        cell = cell.replace(tzinfo=UTC)
    return float(cell.timestamp() * 1000)


def _number(time: float) -> float | None:
    """A time in s, ms, us or ns, told by its size, as milliseconds."""
    for unit, top in CLASSES.items():
        if SMALL <= time < top:
            return time / _PER_MS[unit]
    return None


def groups(catalogue: Catalogue, name: str) -> Ints:
    """The group of each item that a column names, (N,): an item without a value has its own.

    A value that is an item's identifier is that item's group, and a chain of them is followed.
    """
    ids, index = catalogue.items.ids, catalogue.items.index
    cells = _single(catalogue, name)
    own = [ids[row] if cell is None else cell for row, cell in enumerate(cells)]

    def end(row: int) -> str:
        path, at = [ids[row]], own[row]
        while at in index and at not in path:
            path.append(at)
            at = own[index[at]]
        # items that name each other in a circle are one group
        return min(path[path.index(at) :]) if at in path else at

    return numbered(end(row) for row in range(len(ids)))


def values(catalogue: Catalogue, name: str) -> Ints:
    """The number of each item's value in a column, (N,); -1 for an item without one."""
    return numbered(_single(catalogue, name))


def _single(catalogue: Catalogue, name: str) -> list[str | None]:
    """The cells of a column as text; ConfigError where one is a list."""
    texts: list[str | None] = []
    for cell in column(catalogue, name):
        if isinstance(cell, list | tuple | np.ndarray):
            raise ConfigError(
                f"column {name!r}: expected one value an item to group by, received lists"
            )
        texts.append(None if missing(cell) else str(cell))
    return texts


def titles(catalogue: Catalogue) -> Ints:
    """The number of each item's title within its domain, (N,); -1 for an item without one.

    Titles are equal where only case, blanks, punctuation or the form of their letters differ.
    """
    named = catalogue.titles or (None,) * len(catalogue)
    plain = [None if title is None else normalized(title) for title in named]
    return numbered(
        [
            (row, title) if title else None
            for row, title in zip(catalogue.domain, plain, strict=True)
        ]
    )


def normalized(title: str) -> str:
    """A title without what two spellings of it may differ in.

    >>> normalized(" The  Tea-Pot!") == normalized("the tea pot")
    True
    >>> normalized("C++") == normalized("C")
    False
    """
    text = unicodedata.normalize("NFKC", title).casefold()
    marks = {c for c in text if unicodedata.category(c)[0] == "P" and c not in "#%&@"}
    return " ".join("".join(" " if c in marks else c for c in text).split())


def numbered(names: Iterable[Any]) -> Ints:
    """Numbers for hashable names, in order of their first appearance; -1 for None.

    >>> numbered(["b", None, "a", "b"]).tolist()
    [0, -1, 1, 0]
    """
    seen: dict[Any, int] = {}
    return np.array(
        [-1 if name is None else seen.setdefault(name, len(seen)) for name in names], np.int64
    )


def _mask(passing: Iterable[bool]) -> Mask:
    return np.fromiter(passing, np.bool_)


def _among(catalogue: Catalogue, ids: Iterable[str]) -> Mask:
    rows = catalogue.items.rows(ids)
    mask = np.zeros(len(catalogue), bool)
    mask[rows[rows >= 0]] = True
    return mask
