"""Delimited text as a table, with every line accounted for."""

import csv
from dataclasses import dataclass
from pathlib import Path

import duckdb

from penchant.data.readers.column_mapping import TableMapping
from penchant.data.readers.raw_table import RawTable, suffix
from penchant.data.readers.text_encoding import TextFile, unify_newlines
from penchant.errors import DataError, counted
from penchant.storage.database import Connection, column_list, identifier, literal, scalar

LONGEST_LINE = 16_000_000
TABS = (".tsv", ".tab", ".inter", ".item", ".user", ".link", ".net")
UNQUOTED = (".dat", ".inter", ".item", ".user", ".link", ".net")


@dataclass(frozen=True)
class CsvFormat:
    """How delimited text is laid out: its columns, and whether a header line names them."""

    columns: list[str]
    delimiter: str
    quote: str
    header: bool


def read_delimited(
    database: Connection, table: str, text: TextFile, mapping: TableMapping, scratch: Path
) -> RawTable:
    """Read delimited text: rejects are counted, and no line is lost without a word."""
    kind = suffix(text.original)
    head = text.head()
    delimiter = mapping.delimiter or _delimiter(head.split("\n", 1)[0], kind)
    quote = mapping.quote
    if quote is None:
        quote = "" if kind in UNQUOTED or len(delimiter) > 1 else '"'
    fields = _fields(head, delimiter, quote)
    if mapping.header:
        columns = fields
        check_unique_columns(text.name, columns)
    else:
        columns = [str(position) for position in range(len(fields))]
    layout = CsvFormat(columns, delimiter, quote, mapping.header)
    try:
        scan_csv(database, table, text, layout)
    except duckdb.InvalidInputException:
        # the strict reader refuses a file that ends its lines in two ways
        text = unify_newlines(text, scratch)
        try:
            scan_csv(database, table, text, layout)
        except duckdb.Error as error:
            raise DataError(f"{text.name} cannot be read: {str(error).splitlines()[0]}") from error
    rejects = database.execute(
        "select line_byte_position, any_value(csv_line), min_by(error_type, column_idx), "
        "any_value(error_message) from reject_errors group by line, line_byte_position order by 1"
    ).fetchall()
    expected = f"{len(columns)} fields"
    examples: list[dict[str, object]] = [
        {
            "line": text.line_at(byte),
            "received": line.strip("\r\n")[:80],
            "expected": expected if "COLUMNS" in error else message.split("\n")[0],
        }
        for byte, line, error, message in rejects[:5]
    ]
    _check_complete(database, table, text, layout, rejects)
    notes = []
    if mapping.delimiter is None and delimiter not in (",", "\t"):
        notes.append(f"{text.original.name}: fields taken to be separated by {delimiter!r}")
    return RawTable(text.name, columns, len(rejects), examples, notes)


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
        f"create table {identifier(table)} as select {column_list(layout.columns)} from "
        f"read_csv({literal(str(text.path))}, auto_detect = false, header = {layout.header}, "
        f"delim = {literal(layout.delimiter)}, quote = {quote}, escape = {quote}, "
        f"columns = {{{named}}}, store_rejects = true, rejects_limit = 0, parallel = false, "
        f"max_line_size = {LONGEST_LINE})"
    )


def _check_complete(
    database: Connection,
    table: str,
    text: TextFile,
    layout: CsvFormat,
    rejects: list[tuple[int, str, str, str]],
) -> None:
    """Refuse a file some of whose lines became neither a row nor a reject.

    A quote that is opened and never closed takes the rest of the file with it, and the reader may
    say nothing. Every line must be found again: in a row, a newline inside a row, or a reject.
    """
    name = identifier(table)
    accounted = int(layout.header) + scalar(database, f"select count(*) from {name}")
    accounted += sum(1 + line.strip("\r\n").count("\n") for _, line, _, _ in rejects)
    if text.quotes and layout.quote:
        inside = " + ".join(
            f"coalesce(length({c}) - length(replace({c}, chr(10), '')), 0)"
            for c in map(identifier, layout.columns)
        )
        accounted += scalar(database, f"select coalesce(sum({inside}), 0) from {name}")
    lost = text.lines - accounted
    if lost <= 0 or not layout.quote or len(layout.delimiter) > 1:
        return
    with text.path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream, delimiter=layout.delimiter, quotechar=layout.quote, strict=True)
        begin = 1
        while True:
            try:
                next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end" in str(error):
                    break
            begin = rows.line_num + 1
    raise DataError(
        f"{text.name}, line {begin}: a quote is opened and never closed, so "
        f"{counted(lost, 'line')} would be lost; close it, or pass "
        'quote = "" in the mapping if the file does not quote'
    )


def _delimiter(line: str, kind: str) -> str:
    if kind in TABS:
        return "\t"
    default = "," if kind == ".csv" else "\t"
    if default in line:
        return default
    counts = {mark: line.count(mark) for mark in ("\t", "::", ",", ";", "|")}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else default


def _fields(head: str, delimiter: str, quote: str) -> list[str]:
    first = head.lstrip("\r\n")
    if len(delimiter) > 1 or not quote:
        return first.splitlines()[0].split(delimiter) if first else []
    return next(csv.reader(first.splitlines(keepends=True), delimiter=delimiter, quotechar=quote))
