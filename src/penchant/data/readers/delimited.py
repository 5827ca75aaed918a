"""Delimited text as a table, with every line accounted for."""

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb

from penchant.data.readers.column_mapping import TableMapping
from penchant.data.readers.raw_table import RawTable, suffix
from penchant.data.readers.stray_quotes import Dialect, repair
from penchant.data.readers.text_encoding import TextFile, unify_newlines, without_start
from penchant.errors import DataError, counted
from penchant.storage.database import Connection, column_list, identifier, literal, scalar

LONGEST_LINE = 16_000_000
TABS = (".tsv", ".tab", ".inter", ".item", ".user", ".link", ".net")
UNQUOTED = (".dat", ".inter", ".item", ".user", ".link", ".net")
SEPARATOR = re.compile(r'"?sep=(.)"?$', re.IGNORECASE)
"""The line with which Excel begins a file, to say what parts its fields."""
_SAMPLE = 50  # lines after the header whose fields are counted

Example = dict[str, object]
EXAMPLES = 5


@dataclass(frozen=True)
class CsvFormat:
    """How a file of delimited text is laid out.

    Parameters
    ----------
    columns
        The names in the header, or the positions.
    delimiter, quote
        What parts fields, and what they are quoted with; "" for a file that does not quote.
    header
        Whether the first line names them.
    start
        The lines before it: blank ones, and that of Excel.
    unnamed
        Those of the columns that have no name in the header.
    """

    columns: list[str]
    delimiter: str
    quote: str
    header: bool
    start: str = ""
    unnamed: tuple[str, ...] = ()

    @property
    def named(self) -> list[str]:
        """The columns that are read."""
        return [column for column in self.columns if column not in self.unnamed]


@dataclass(frozen=True)
class Rejects:
    """Lines that could not be read: how many, and what was expected of the first of them."""

    count: int = 0
    examples: tuple[Example, ...] = ()

    def __add__(self, other: "Rejects") -> "Rejects":
        examples = (*self.examples, *other.examples)[:EXAMPLES]
        return Rejects(self.count + other.count, examples)


def read_delimited(
    database: Connection, table: str, text: TextFile, mapping: TableMapping, scratch: Path
) -> RawTable:
    """Read delimited text: every line becomes a row, a part of one, or is reported."""
    layout = layout_of(text, mapping)
    if not layout.columns:
        raise DataError(f"{text.name} holds no lines: expected a header and at least one row")
    check_unique_columns(text.name, layout.columns)
    if layout.start:
        text = without_start(text, layout.start, scratch)
    text = _scanned(database, table, text, layout, scratch)
    rejects = _rejects(database, text, layout)
    strays = Rejects()
    if _suspicious(database, table, text, layout):
        dialect = Dialect(layout.delimiter, layout.quote, len(layout.columns))
        repaired = repair(text, dialect, scratch)
        database.execute(f"drop table {identifier(table)}")
        _scanned(database, table, repaired.text, layout, scratch)
        rejected = _as_rejects(repaired.rejected, repaired.first_rejected, layout)
        rejects = rejected + _rejects(database, repaired.text, layout)
        lines = (_example(line, received, layout) for line, received in repaired.first_stray)
        strays = Rejects(repaired.stray, tuple(lines))
    rejects += _repeated_headers(database, table, layout)
    for column in layout.unnamed:
        database.execute(f"alter table {identifier(table)} drop column {identifier(column)}")
    notes = []
    name = text.original.name
    if mapping.delimiter is None and layout.delimiter not in (",", "\t"):
        notes.append(f"{name}: fields are separated by {layout.delimiter!r}")
    if layout.unnamed:
        notes.append(
            f"{name}: {counted(len(layout.unnamed), 'column')} without a name not read; to read "
            "one, name it in the first line"
        )
    return RawTable(
        text.name,
        layout.named,
        rejects.count,
        list(rejects.examples),
        notes,
        stray_quotes=strays.count,
        stray_examples=list(strays.examples),
    )


def layout_of(text: TextFile, mapping: TableMapping) -> CsvFormat:
    """How a file is laid out, from its first kilobytes and what a mapping says."""
    kind = suffix(text.original)
    lines = text.first_lines()
    skipped = next((n for n, line in enumerate(lines) if line.strip("\r\n")), 0)
    separator = SEPARATOR.match(lines[skipped].rstrip("\r\n")) if lines else None
    if separator is not None:
        skipped += 1
    start, lines = "".join(lines[:skipped]), lines[skipped:]
    delimiter = mapping.delimiter or (separator.group(1) if separator else "")
    delimiter = delimiter or _delimiter(lines[0] if lines else "", kind)
    quote = mapping.quote
    if quote is None:
        quote = "" if kind in UNQUOTED or len(delimiter) > 1 else '"'
    columns, length = _first_record(lines, delimiter, quote)
    if not mapping.header:
        columns = [str(position) for position in range(len(columns))]
        return CsvFormat(columns, delimiter, quote, False, start)
    columns = _as_wide_as_rows(columns, lines[length : length + _SAMPLE], delimiter, quote)
    unnamed = {n: f"unnamed column {n}" for n, name in enumerate(columns, 1) if not name.strip()}
    columns = [unnamed.get(n, name) for n, name in enumerate(columns, 1)]
    return CsvFormat(columns, delimiter, quote, True, start, tuple(unnamed.values()))


def check_unique_columns(name: str, columns: list[str]) -> None:
    """Refuse two columns of one name; SQL does not tell case apart."""
    lower = [column.lower() for column in columns]
    twice = next((column for column in columns if lower.count(column.lower()) > 1), None)
    if twice is not None:
        raise DataError(
            f"{name}: expected each column once, whatever its case, received {twice!r} twice; "
            "rename one (or pass header = false in the mapping)"
        )


def scan_csv(database: Connection, table: str, text: TextFile, layout: CsvFormat) -> None:
    """Create a table of text columns from a file, in its order; rejects go to reject_errors."""
    named = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in layout.columns)
    quote = literal(layout.quote)
    for leftover in ("reject_errors", "reject_scans"):
        database.execute(f"drop table if exists {leftover}")
    # one thread: the rows' order and the rejects' positions are those of the file
    database.execute(
        f"create table {identifier(table)} as select {column_list(layout.columns)} from read_csv("
        f"{literal(str(text.path))}, auto_detect = false, header = {layout.header}, "
        f"delim = {literal(layout.delimiter)}, quote = {quote}, escape = {quote}, "
        f"columns = {{{named}}}, store_rejects = true, rejects_limit = 0, parallel = false, "
        f"max_line_size = {LONGEST_LINE})"
    )


def _scanned(
    database: Connection, table: str, text: TextFile, layout: CsvFormat, scratch: Path
) -> TextFile:
    """Scan a file, with one kind of line end where it has two; the file that was scanned."""
    try:
        scan_csv(database, table, text, layout)
    except duckdb.InvalidInputException:
        # the strict reader refuses a file that ends its lines in two ways
        text = unify_newlines(text, scratch)
        try:
            scan_csv(database, table, text, layout)
        except duckdb.Error as error:
            raise DataError(f"{text.name} cannot be read: {str(error).splitlines()[0]}") from error
    return text


def _rejects(database: Connection, text: TextFile, layout: CsvFormat) -> Rejects:
    """What the scan could not read."""
    count = scalar(
        database,
        "select count(*) from (select distinct line, line_byte_position from reject_errors)",
    )
    rows = database.execute(
        "select line_byte_position, any_value(csv_line), min_by(error_type, column_idx), "
        "any_value(error_message) from reject_errors group by line, line_byte_position "
        f"order by 1 limit {EXAMPLES}"
    ).fetchall()
    first = [
        (text.line_at(byte), line, "" if "COLUMNS" in error else message.split("\n")[0])
        for byte, line, error, message in rows
    ]
    return _as_rejects(count, first, layout)


def _as_rejects(count: int, first: list[tuple[int, str, str]], layout: CsvFormat) -> Rejects:
    """How many, and the first lines with what was expected of them, as the file numbers them."""
    fields = counted(len(layout.columns), "field")
    examples = (
        _example(line, received, layout)
        | {"expected": fields + (f", received {problem}" if problem else "")}
        for line, received, problem in first
    )
    return Rejects(count, tuple(examples))


def _example(line: int, received: str, layout: CsvFormat) -> Example:
    before = layout.start.count("\n")
    return {"line": line + before, "received": received.strip("\r\n")[:80]}


def _suspicious(database: Connection, table: str, text: TextFile, layout: CsvFormat) -> bool:
    """Whether quotes took in lines, or lines got lost: then each record is looked at by itself."""
    if not text.quotes or not layout.quote or len(layout.delimiter) > 1:
        return False
    name = identifier(table)
    inside = " + ".join(f"contains({c}, chr(10))::int" for c in map(identifier, layout.columns))
    within = scalar(database, f"select count(*) from {name} where {inside} > 0")
    quote = literal(layout.quote)
    quoted = scalar(
        database, f"select count(*) from reject_errors where contains(csv_line, {quote})"
    )
    rejected = scalar(database, "select count(distinct line) from reject_errors")
    rows = scalar(database, f"select count(*) from {name}")
    return bool(within or quoted or text.lines > int(layout.header) + rows + rejected)


def _repeated_headers(database: Connection, table: str, layout: CsvFormat) -> Rejects:
    """Take out rows that are the header once more, as where files were joined."""
    if not layout.header or not layout.named:
        return Rejects()
    name = identifier(table)
    same = " and ".join(
        f"{identifier(column)} is not distinct from {literal(column)}" for column in layout.named
    )
    rows = database.execute(f"select rowid from {name} where {same} order by rowid").fetchall()
    if rows:
        database.execute(
            f"create table without_headers as select * from {name} where not ({same}) "
            f"order by rowid; drop table {name}; alter table without_headers rename to {name}"
        )
    examples: tuple[Example, ...] = tuple(
        {"row": row + 1, "received": "the header once more", "expected": "a row"}
        for (row,) in rows[:EXAMPLES]
    )
    return Rejects(len(rows), examples)


def _delimiter(line: str, kind: str) -> str:
    if kind in TABS:
        return "\t"
    expected = "," if kind == ".csv" else "\t"
    if expected in line:
        return expected
    counts = {mark: line.count(mark) for mark in ("\t", "::", ",", ";", "|")}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else expected


def _first_record(lines: list[str], delimiter: str, quote: str) -> tuple[list[str], int]:
    """The fields of the first record, and how many lines it has.

    A quote that is opened there and not closed is text, unless the lines that it takes in look
    like no lines of their own.
    """
    if not lines:
        return [], 0
    first = lines[0].rstrip("\r\n")
    split = first.split(delimiter)
    if len(delimiter) > 1 or not quote or quote not in first:
        return split, 1
    for length in range(1, min(len(lines), 20) + 1):
        dialect = Dialect(delimiter, quote, len(split))
        try:
            row = dialect.parse(lines[:length])
        except csv.Error:
            break
        if row is not None:
            if length > 1 and dialect.swallows(lines[:length]):
                break
            return row, length
    return split, 1


def _as_wide_as_rows(columns: list[str], lines: list[str], delimiter: str, quote: str) -> list[str]:
    """The header with a column for a delimiter that ends each row, or without one of its own."""
    if len(delimiter) > 1:
        return columns
    dialect = Dialect(delimiter, quote or "\0", len(columns))
    widths = Counter(dialect.alone(line) for line in lines if line.strip("\r\n"))
    if not widths:
        return columns
    width = widths.most_common(1)[0][0]
    ends = [line.rstrip("\r\n").endswith(delimiter) for line in lines if line.strip("\r\n")]
    if width == len(columns) + 1 and all(ends):
        return [*columns, ""]
    if width == len(columns) - 1 and not columns[-1].strip():
        return columns[:-1]
    return columns
