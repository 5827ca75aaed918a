"""What commands print: tables for a person on stdout, or one JSON document; progress on stderr."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isnan
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from penchant.evaluation.metrics import Interval

screen = Console(highlight=False, soft_wrap=False)
errors = Console(stderr=True)


def emit(content: Any) -> None:
    """Print one JSON document on stdout."""
    json.dump(content, sys.stdout, ensure_ascii=False, indent=1, allow_nan=False)
    sys.stdout.write("\n")


def say(text: str, style: str | None = None) -> None:
    """Print a line for a person; identifiers in it are never read as markup."""
    screen.print(text, style=style, markup=False, soft_wrap=True)


def table(
    title: str | None,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: int = 1,
    fold: Sequence[str] = (),
) -> None:
    """Print a table; the first ``left`` columns hold text, the others numbers.

    On a narrow screen the columns of ``fold`` take several lines: by default the first.
    """
    if title is not None:
        say(title, "bold")
    grid = Table()
    for place, name in enumerate(columns):
        side: Literal["left", "right"] = "left" if place < left else "right"
        whole = name not in (fold or columns[:1])
        grid.add_column(name, justify=side, overflow="fold", no_wrap=whole)
    for row in rows:
        grid.add_row(*(_plain(cell) for cell in row))
    wide = screen if screen.is_terminal else Console(width=160, highlight=False)
    wide.print(grid)


def bar(share: float, width: int = 20) -> str:
    """A bar of a share from 0 to 1.

    >>> bar(0.5, width=4)
    '██  '
    """
    return ("█" * round(share * width)).ljust(width)


def _plain(cell: str) -> str:
    return cell.replace("[", "\\[")


@contextmanager
def working(what: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Progress on stderr: a bar on a terminal, a line for each step elsewhere.

    Gives a function that takes (text), or (done, total) for a bar of known length.
    """
    if not errors.is_terminal:

        def plain(step: str | int, total: int | None = None) -> None:
            if isinstance(step, str):
                errors.print(step, markup=False, highlight=False, soft_wrap=True)

        errors.print(what, markup=False, highlight=False, soft_wrap=True)
        yield plain
        return
    columns = SpinnerColumn(), BarColumn(20), TextColumn("{task.description}", markup=False)
    with Progress(*columns, TimeElapsedColumn(), console=errors, transient=True) as progress:
        task = progress.add_task(what, total=total)

        def update(step: str | int, total: int | None = None) -> None:
            if isinstance(step, str):
                progress.update(task, description=step)
            else:
                progress.update(task, completed=step, total=total)

        yield update


def number(value: float | None, digits: int = 4) -> str:
    """A number for a table; nothing where there is none."""
    return "" if value is None or value != value else f"{value:.{digits}f}"


def interval(entry: "Interval", digits: int = 4) -> str:
    """A mean and the half-width of its interval, as 0.0638 ±0.0025."""
    half = (entry.high - entry.low) / 2
    if isnan(entry.value) or isnan(half):
        return number(entry.value, digits)
    return f"{entry.value:.{digits}f} ±{half:.{digits}f}"


def signed(entry: "Interval") -> str:
    """A difference with the bounds of its interval, as +0.0060 [+0.0045, +0.0073]."""
    return f"{entry.value:+.4f} [{entry.low:+.4f}, {entry.high:+.4f}]"
