"""Plots of a report as SVG: narrow enough for a phone, colored by the page that they stand on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from penchant.report.html import number, short, text
from penchant.types import Floats

WIDTH = 340
COLORS = 6
SHAPES = 4
_RIGHT = 12


class IntervalRow(NamedTuple):
    """A line of a plot of intervals; a group's heading where it has no value."""

    label: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    cases: int = 0


class Point(NamedTuple):
    """A point of a curve and what is written beside it."""

    x: float
    y: float
    label: str


class MapMark(NamedTuple):
    """A dot of a map: where, how large, of which kind (-1: none), and its tooltip."""

    x: float
    y: float
    radius: float
    kind: int
    tooltip: str


def svg(title: str, width: float, height: float, body: str) -> str:
    """A drawing with its title."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img"><title>{text(title)}</title>{body}</svg>'
    )


def intervals(title: str, axis: str, rows: Sequence[IntervalRow], few: int = 0) -> str:
    """A dot with its interval for each row, all on one axis that begins at 0.

    A row of less than ``few`` cases is pale.
    """
    left, top, step = 120, 26, 21
    height = top + step * len(rows) + 40
    floor = height - 38
    known = [v for row in rows for v in (row.value, row.high) if v is not None]
    ends = ticks(0.0, max([*known, 1e-9]))
    most = ends[-1]

    def x(value: float) -> float:
        return round(left + (WIDTH - left - _RIGHT) * min(1.0, value / most), 1)

    parts = [_words(0, 14, title, "title")]
    parts += [f'<path class="grid" d="M{x(at)} {top}V{floor}"/>' for at in ends]
    for place, row in enumerate(rows):
        y = top + step * place + step / 2 + 2
        if row.value is None:
            parts.append(_words(0, y + 4, short(row.label, 44), "title"))
            continue
        low, high = (row.value if v is None else v for v in (row.low, row.high))
        pale = " few" if row.cases < few else ""
        parts += [
            _words(left - 8, y + 4, short(row.label, 17), anchor="end"),
            f'<path class="interval{pale}" d="M{x(low)} {y}H{x(high)}"/>',
            f'<circle class="dot{pale}" cx="{x(row.value)}" cy="{y}" r="4.5"><title>'
            f"{text(row.label)}: {number(row.value)} [{number(row.low)}, {number(row.high)}], "
            f"{row.cases:,} cases</title></circle>",
        ]
    shown = ends if len(ends) < 6 else ends[::2]
    parts += [_words(x(at), floor + 15, f"{at:g}", "soft", "middle") for at in shown]
    parts.append(_words((left + WIDTH - _RIGHT) / 2, floor + 32, axis, "soft", "middle"))
    return svg(f"{title}: {axis}", WIDTH, height, "".join(parts))


def curve(title: str, across: str, up: str, points: Sequence[Point]) -> str:
    """Points joined in their order, each with its label; both axes fit what is shown."""
    left, top, height = 58, 32, 300
    floor = height - 44
    xs = ticks(min(p.x for p in points), max(p.x for p in points))
    ys = ticks(min(p.y for p in points), max(p.y for p in points))

    def x(value: float) -> float:
        return round(left + (WIDTH - left - 26) * (value - xs[0]) / (xs[-1] - xs[0]), 1)

    def y(value: float) -> float:
        return round(floor - (floor - top) * (value - ys[0]) / (ys[-1] - ys[0]), 1)

    parts = [_words(0, 14, title, "title")]
    parts += [f'<path class="grid" d="M{x(at)} {top}V{floor}"/>' for at in xs]
    for at in ys:
        parts.append(f'<path class="grid" d="M{left} {y(at)}H{WIDTH - 26}"/>')
        parts.append(_words(left - 6, y(at) + 4, f"{at:g}", "soft", "end"))
    shown = xs if len(xs) < 6 else xs[::2]
    parts += [_words(x(at), floor + 16, f"{at:g}", "soft", "middle") for at in shown]
    joined = "L".join(f"{x(p.x)} {y(p.y)}" for p in points)
    parts.append(f'<path class="interval" d="M{joined}"/>')
    taken: list[tuple[float, float]] = []
    for p in points:
        here = (x(p.x), y(p.y))
        parts.append(
            f'<circle class="dot" cx="{here[0]}" cy="{here[1]}" r="4.5"><title>{text(p.label)}: '
            f"{text(across)} {number(p.x)}, {text(up)} {number(p.y)}</title></circle>"
        )
        spots = [(here[0] + dx, here[1] + dy) for dx, dy in _BESIDE]
        free = [s for s in spots if all(abs(s[0] - a) > 22 or abs(s[1] - b) > 13 for a, b in taken)]
        if free:
            taken.append(free[0])
            parts.append(_words(free[0][0], free[0][1], p.label, anchor="middle"))
    middle = (left + WIDTH - 26) / 2
    parts.append(_words(middle, floor + 36, across, "soft", "middle"))
    parts.append(
        f'<text class="soft" transform="translate(11 {(top + floor) / 2}) rotate(-90)" '
        f'text-anchor="middle">{text(up)}</text>'
    )
    return svg(f"{title}: {up} by {across}", WIDTH, height, "".join(parts))


def scatter(
    title: str, across: str, up: str, marks: Sequence[MapMark], labels: Sequence[str] = ()
) -> str:
    """Marks on a plane of which only nearness means anything: one scale, axes without numbers.

    ``labels`` are those of the kinds, each written above its marks.
    """
    side, edge = WIDTH - 28, 24
    x = np.array([m.x for m in marks])
    y = np.array([m.y for m in marks])
    wide = max(float(np.ptp(x)), float(np.ptp(y)), 1e-9)
    scale = (side - 2 * edge) / wide
    x = 22 + side / 2 + (x - (x.max() + x.min()) / 2) * scale
    y = 6 + side / 2 - (y - (y.max() + y.min()) / 2) * scale
    parts = [f'<rect class="frame" x="22" y="6" width="{side}" height="{side}"/>']
    order = sorted(range(len(marks)), key=lambda place: (marks[place].kind >= 0, -place))
    for place in order:
        m = marks[place]
        parts.append(symbol(m.kind, float(x[place]), float(y[place]), m.radius, m.tooltip))
    parts += _named([m.kind for m in marks], x, y, labels)
    parts.append(_words(22 + side / 2, side + 22, across, "soft", "middle"))
    parts.append(
        f'<text class="soft" transform="translate(14 {6 + side / 2}) rotate(-90)" '
        f'text-anchor="middle">{text(up)}</text>'
    )
    return svg(title, WIDTH, side + 30, "".join(parts))


def _named(kinds: Sequence[int], x: Floats, y: Floats, labels: Sequence[str]) -> list[str]:
    """The label of each kind above its marks; lower where another one stands."""
    parts: list[str] = []
    taken: list[tuple[float, float]] = []
    of = np.array(kinds)
    for kind, label in enumerate(labels):
        mine = of == kind
        if not mine.any():
            continue
        named = short(label, 24)
        wide = 3.4 * len(named)  # half of about 6.8 pixels a letter
        middle = min(max(float(np.median(x[mine])), 26 + wide), WIDTH - 10 - wide)
        at = max(float(y[mine].min()) - 9, 20.0)
        while any(abs(at - b) < 15 and abs(middle - a) < 150 for a, b in taken):
            at += 15
        at = min(at, WIDTH - 28.0)
        taken.append((middle, at))
        parts.append(_words(middle, at, named, "title", "middle"))
    return parts


def symbol(kind: int, x: float, y: float, radius: float, tooltip: str = "") -> str:
    """The mark of a kind: a color of six and a shape of four, so that twelve kinds differ."""
    named = f"<title>{text(tooltip)}</title>" if tooltip else ""
    if kind < 0:
        return (
            f'<circle class="stray" cx="{x:.1f}" cy="{y:.1f}" r="{radius - 1:.1f}">{named}</circle>'
        )
    color, shape = f"c{kind % COLORS}", kind % SHAPES
    if shape == 0:
        return (
            f'<circle class="{color}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}">{named}</circle>'
        )
    corners = {
        1: ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        2: ((0, -1.2), (1.1, 0.8), (-1.1, 0.8)),
        3: ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
    }[shape]
    path = "L".join(f"{x + a * radius:.1f} {y + b * radius:.1f}" for a, b in corners)
    return f'<path class="{color}" d="M{path}Z">{named}</path>'


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers that hold both bounds, about so many steps apart.

    >>> ticks(0.0, 0.23)
    [0.0, 0.1, 0.2, 0.3]
    """
    if high - low < 1e-12:
        low, high = low - abs(low) * 0.1, high + max(abs(high) * 0.1, 1e-3)
    rough = (high - low) / count
    unit = 10.0 ** np.floor(np.log10(rough))
    step = float(next(unit * n for n in (1, 2, 2.5, 5, 10) if unit * n >= rough * 0.999))
    first, last = np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9)
    return [round(float(n * step), 12) + 0.0 for n in np.arange(first, last + 1)]


_BESIDE = ((0, -9), (0, 19), (20, 4), (-20, 4), (20, -10), (-20, 17))


def _words(x: float, y: float, words: str, kind: str = "", anchor: str = "") -> str:
    marks = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text{marks} x="{x:g}" y="{y:g}">{text(words)}</text>'
