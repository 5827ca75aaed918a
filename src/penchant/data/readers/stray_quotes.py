"""Records of delimited text in which a quote may be opened by accident.

A quote that is opened by accident takes the lines after it into one field, up to the next quote.
What tells such a field from a text of several lines is its inner lines: those of a text rarely have
as many fields as the header, those that were swallowed nearly all do.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from penchant.data.readers.text_encoding import TextFile

MOST_LINES = 2_000
"""Lines that a quoted field may have."""
MOST_CHARACTERS = 4_000_000
"""Characters that a record of several lines may have."""


@dataclass(frozen=True)
class Dialect:
    """How a file parts its fields.

    Parameters
    ----------
    delimiter, quote
        One character each.
    fields
        Fields of a record, those of the header.
    """

    delimiter: str
    quote: str
    fields: int

    def parse(self, lines: list[str]) -> list[str] | None:
        """The fields of one record, None where a quote is still open after the last line.

        Raises csv.Error where a quote is closed and no delimiter follows.
        """
        rows = csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=True)
        try:
            row = next(rows)
        except StopIteration:
            return []
        except csv.Error as error:
            if "unexpected end" in str(error):
                return None
            raise
        if rows.line_num < len(lines):
            raise csv.Error("the record ends before its last line")
        return row

    def alone(self, line: str) -> int:
        """Fields of a line for itself, quotes taken as text where they are no proper ones."""
        return self.proper(line) or line.count(self.delimiter) + 1

    def proper(self, line: str) -> int:
        """Fields of a line for itself; 0 where its quotes are no proper ones."""
        if self.quote not in line:
            return line.count(self.delimiter) + 1
        try:
            return len(self.parse([line]) or ())
        except csv.Error:
            return 0

    def swallows(self, lines: list[str]) -> bool:
        """Whether a quote that the first line opens and the last closes took in rows.

        It did where most lines between have as many fields as the header, and there are three such
        lines or the first line has as many for itself; where none is between, if the first and the
        last have.
        """
        if self.fields < 2:
            return False
        rows = sum(self.proper(line) == self.fields for line in lines[1:-1])
        whole = lines[0].count(self.delimiter) + 1 == self.fields
        if len(lines) == 2:
            return whole and lines[1].count(self.delimiter) + 1 == self.fields
        return 2 * rows >= len(lines) - 2 and (whole or rows >= 3)


@dataclass(frozen=True)
class Record:
    """One record: ``text`` as it stands in the file, from ``line`` on, over ``lines`` lines.

    ``cells`` are given where a quote that was opened by accident is taken as text; ``problem``
    says why the record cannot be read.
    """

    line: int
    text: str
    lines: int = 1
    cells: list[str] | None = None
    problem: str | None = None


def records(lines: Iterable[str], dialect: Dialect) -> Iterator[Record]:
    """The records of a file's lines (each with its end), blank lines left out.

    Examples
    --------
    >>> lines = ["u1,tea,\\"5 inch\\n", "u2,cup,x\\n", "u3,pot,\\"5 inch\\n"]
    >>> [record.cells or record.text for record in records(lines, Dialect(",", '"', 3))]
    [['u1', 'tea', '"5 inch'], 'u2,cup,x\\n', ['u3', 'pot', '"5 inch']]
    >>> lines = ["u1,tea,\\"green\\n", "or black\\"\\n"]
    >>> [(record.lines, record.cells) for record in records(lines, Dialect(",", '"', 3))]
    [(2, None)]
    """
    waiting: deque[str] = deque()
    source = iter(lines)
    number = 0
    while True:
        if not waiting:
            waiting.extend(line for line in (next(source, None),) if line is not None)
            if not waiting:
                return
        line = waiting.popleft()
        number += 1
        if not line.strip("\r\n"):
            continue
        record = _record(line, number, waiting, source, dialect)
        for _ in range(record.lines - 1):
            waiting.popleft()
        number += record.lines - 1
        yield record


def _record(
    line: str, number: int, waiting: deque[str], source: Iterator[str], dialect: Dialect
) -> Record:
    """The record that begins with a line; what is read ahead of it stays in ``waiting``."""
    if dialect.quote not in line:
        count = line.count(dialect.delimiter) + 1
        problem = None if count == dialect.fields else f"{count} fields"
        return Record(number, line, problem=problem)
    try:
        row = dialect.parse([line])
    except csv.Error:
        return _as_text(line, number, dialect, "closed within a field")
    if row is None:
        return _opened(line, number, waiting, source, dialect)
    problem = None if len(row) == dialect.fields else f"{len(row)} fields"
    return Record(number, line, problem=problem)


def _as_text(line: str, number: int, dialect: Dialect, what: str) -> Record:
    """The record of a line whose quotes are text."""
    cells = line.rstrip("\r\n").split(dialect.delimiter)
    if len(cells) == dialect.fields:
        return Record(number, line, cells=cells)
    return Record(number, line, problem=f"{len(cells)} fields, and a quote that is {what}")


def _opened(
    line: str, number: int, waiting: deque[str], source: Iterator[str], dialect: Dialect
) -> Record:
    """The record of a line that opens a quote which it does not close."""
    held, size = [line], len(line)
    quotes = line.count(dialect.quote)
    while len(held) < MOST_LINES and size < MOST_CHARACTERS:
        if len(held) > len(waiting):
            following = next(source, None)
            if following is None:
                break
            waiting.append(following)
        following = waiting[len(held) - 1]
        held.append(following)
        size += len(following)
        more = following.count(dialect.quote)
        quotes += more
        if not more or quotes % 2:
            continue
        try:
            row = dialect.parse(held)
        except csv.Error:
            break
        if row is None:
            continue
        if dialect.swallows(held):
            break
        problem = None if len(row) == dialect.fields else f"{len(row)} fields"
        return Record(number, "".join(held), len(held), problem=problem)
    return _as_text(line, number, dialect, "opened and not closed")


@dataclass(frozen=True)
class Repaired:
    """A copy of a file in which each record can be read.

    Parameters
    ----------
    text
        The copy.
    rejected, first_rejected
        How many lines were left out of it; the first with their number, from 1, and the problem.
    stray, first_stray
        In how many lines a quote was taken as text, and the first of them.
    """

    text: TextFile
    rejected: int
    first_rejected: list[tuple[int, str, str]]
    stray: int
    first_stray: list[tuple[int, str]]


def repair(text: TextFile, dialect: Dialect, folder: Path, examples: int = 5) -> Repaired:
    """Copy a file without the records that cannot be read, stray quotes taken as text.

    Parameters
    ----------
    text
        The file, with its header where it has one.
    dialect
        How it parts its fields.
    folder
        Where the copy goes.
    examples
        How many of the lines that were left out, and of those with stray quotes, come back.
    """
    copy = folder / f"{len(list(folder.iterdir()))}.txt"
    first_rejected: list[tuple[int, str, str]] = []
    first_stray: list[tuple[int, str]] = []
    rejected = stray = lines = quotes = 0
    with (
        text.path.open(encoding="utf-8", errors="surrogatepass", newline="\n") as source,
        copy.open("w", encoding="utf-8", errors="surrogatepass", newline="") as target,
    ):
        for record in records(source, dialect):
            if record.problem is not None:
                rejected += record.lines
                if len(first_rejected) < examples:
                    first_rejected.append((record.line, record.text, record.problem))
                continue
            written = record.text
            if record.cells is not None:
                stray += 1
                if len(first_stray) < examples:
                    first_stray.append((record.line, record.text))
                written = _quoted(record.cells, dialect)
            lines += _write(target, written)
            quotes += written.count(dialect.quote)
    repaired = TextFile(copy, text.original, lines, quotes)
    return Repaired(repaired, rejected, first_rejected, stray, first_stray)


def _quoted(cells: list[str], dialect: Dialect) -> str:
    q = dialect.quote
    return dialect.delimiter.join(f"{q}{cell.replace(q, q + q)}{q}" for cell in cells) + "\n"


def _write(target: TextIO, record: str) -> int:
    """Write a record with one kind of line end; how many lines it has."""
    body = record.rstrip("\r\n").replace("\r\n", "\n") + "\n"
    target.write(body)
    return body.count("\n")
