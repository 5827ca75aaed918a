"""The page that holds a report: one file, without scripts, that asks nothing of the network.

Whatever comes from data passes ``text``; all other strings here are HTML that is already safe.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple

from penchant.evaluation.metrics import Interval

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class Section(NamedTuple):
    """A part of the page: its anchor, its heading, and its HTML."""

    anchor: str
    title: str
    body: str


def text(value: object) -> str:
    """Anything as text of a page or of an attribute; what XML cannot hold is replaced.

    >>> text('<b title="x">\\x00')
    '&lt;b title=&quot;x&quot;&gt;\\ufffd'
    """
    return escape(_CONTROLS.sub("\ufffd", str(value)), quote=True)


def short(value: object, length: int = 40) -> str:
    """Text of at most so many letters, unescaped."""
    whole = " ".join(str(value).split())
    return whole if len(whole) <= length else whole[: length - 1].rstrip() + "…"


def number(value: float | None, digits: int = 4, signed: bool = False) -> str:
    """A number for a person; a dash where there is none."""
    if value is None or value != value:
        return "–"
    return f"{value:{'+' if signed else ''},.{digits}f}"


def interval(entry: Interval | None, digits: int = 4, signed: bool = False) -> str:
    """A value with its bounds, as 0.0638 [0.0613, 0.0663]."""
    if entry is None:
        return "–"
    value, low, high = (number(bound, digits, signed) for bound in entry)
    return value if low == high == "–" else f"{value} [{low}, {high}]"


def share(value: float) -> str:
    """A share in per cent, with a decimal where it is small.

    >>> share(0.314), share(0.0314), share(1)
    ('31%', '3.1%', '100%')
    """
    return f"{value:.0%}" if value >= 0.0995 or value == 0 else f"{value:.1%}"


def paragraph(*sentences: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    mark = f' class="{kind}"' if kind else ""
    return f"<p{mark}>{' '.join(map(text, sentences))}</p>"


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    left: int = 1,
    caption: str | None = None,
) -> str:
    """A table; the first ``left`` columns hold text, the others numbers."""
    head = "".join(_cell("th", name, place < left) for place, name in enumerate(columns))
    body = "".join(
        f"<tr>{''.join(_cell('td', cell, place < left) for place, cell in enumerate(row))}</tr>"
        for row in rows
    )
    named = f"<caption>{text(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide"><table>{named}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def details(summary: str, body: str) -> str:
    """Something to unfold."""
    return f"<details><summary>{text(summary)}</summary>{body}</details>"


def figures(*plots: str, caption: str = "") -> str:
    """Plots side by side, one below the other where the screen is narrow."""
    named = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    boxes = "".join(f'<div class="plot">{plot}</div>' for plot in plots)
    return f'<figure><div class="plots">{boxes}</div>{named}</figure>'


def items(lines: Iterable[str]) -> str:
    """A list of plain lines."""
    return f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>"


def page(title: str, sections: Sequence[Section], foot: str) -> str:
    """The whole document."""
    style = files("penchant.report").joinpath("html.css").read_text(encoding="utf-8")
    links = "".join(f'<a href="#{s.anchor}">{text(s.title)}</a>' for s in sections)
    parts = "".join(
        f'<section id="{s.anchor}"><h2>{text(s.title)}</h2>{s.body}</section>' for s in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{text(title)}</title><style>{style}</style></head>\n<body><main>"
        f"<h1>{text(title)}</h1><nav>{links}</nav>{parts}"
        f"<footer>{text(foot)}</footer></main></body></html>\n"
    )


def _cell(name: str, value: Any, left: bool) -> str:
    mark = "" if left else ' class="n"'
    return f"<{name}{mark}>{text(value)}</{name}>"
