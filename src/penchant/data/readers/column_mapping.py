"""Which column of a file is which column of the data model: declared in TOML, or recognized."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from penchant.config import Settings, parse, read_toml
from penchant.errors import DataError, unknown

Unit = Literal["s", "ms", "us", "ns", "iso"]

# In order of preference: where two of a file's columns match, the earlier name is taken.
COLUMN_ALIASES: dict[str, dict[str, tuple[str, ...]]] = {
    "events": {
        "user": (
            "user", "user_id", "userid", "uid", "customer", "customer_id", "customerid",
            "visitor", "visitor_id", "visitorid", "reviewerid",
        ),
        "item": (
            "item", "item_id", "itemid", "movieid", "movie_id", "product", "product_id",
            "productid", "article_id", "artistid", "artist_id", "bookid", "book_id", "asin",
            "sku", "iid",
        ),
        "query": ("query", "search_query", "search_term"),
        "topic": ("topic",),
        "creator": ("creator", "creator_id"),
        "behavior": ("behavior", "behaviour", "event", "event_type", "action", "type"),
        "domain": ("domain", "vertical"),
        "timestamp": (
            "timestamp", "time", "ts", "date", "datetime", "event_time", "event_timestamp",
            "unixreviewtime", "created_at", "created at", "createdat", "occurred_at",
        ),
        "value": ("value", "rating", "score", "plays", "weight", "overall", "stars"),
        "session": ("session", "session_id", "sessionid"),
        "event_id": ("event_id", "eventid"),
    },
    "items": {
        "item": (
            "item", "item_id", "itemid", "movieid", "movie_id", "product", "product_id",
            "productid", "article_id", "artistid", "artist_id", "bookid", "book_id", "asin",
            "sku", "iid", "id",
        ),
        "domain": ("domain", "vertical"),
        "title": ("title", "name", "movie_title", "product_name", "item_name"),
        "description": ("description", "overview", "abstract"),
        "tags": ("tags", "genres", "genre", "categories", "category", "keywords", "class"),
        "image": ("image", "image_path"),
        "audio": ("audio", "audio_path"),
        "variant_of": ("variant_of",),
        "available_from": ("available_from",),
        "available_until": ("available_until",),
    },
    "users": {"user": ("user", "user_id", "userid", "uid", "customer", "customer_id", "id")},
    "relations": {
        "user": ("user", "user_id", "userid", "uid"),
        "friend": ("friend", "friend_id", "friendid"),
        "kind": ("kind", "type"),
    },
    "impressions": {
        "request": ("request", "request_id", "requestid", "impression_id", "impressionid"),
        "user": ("user", "user_id", "userid", "uid", "visitor_id", "visitorid"),
        "item": (
            "item", "item_id", "itemid", "product_id", "productid", "article_id", "news_id", "iid",
        ),
        "position": ("position", "rank", "slot"),
        "propensity": ("propensity", "propensity_score"),
        "clicked": ("clicked", "click", "is_click", "label"),
        "timestamp": ("timestamp", "time", "ts", "date", "datetime", "created_at"),
    },
}  # fmt: skip
SUBJECT_COLUMNS = ("item", "query", "topic", "creator")
REQUIRED_COLUMNS = {
    "events": ("user",),
    "items": ("item",),
    "users": ("user",),
    "relations": ("user", "friend"),
    "impressions": ("user", "item", "clicked"),
}
CLOSED_TABLES = ("events", "relations", "impressions")
"""Tables that keep no further columns."""


class TableMapping(Settings):
    """One table: where its rows come from and what its columns are called there.

    file, sql       a file beside the mapping or the input, or a query over such files
    encoding        utf-8 (a byte-order mark is allowed), latin-1, gbk, utf-16 ...
    delimiter, quote, header   of delimited text; quote "" for files that do not quote
    columns         the data model's name = the file's name (or position, without a header)
    constants       the value of a column that the file lacks, or of its empty cells
    tags_delimiter  what stands between two tags
    extra           keep the other columns of items and users
    unit            of the timestamps, where it should not be detected
    """

    file: str | None = None
    sql: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = Field(default=None, max_length=1)
    header: bool = True
    columns: dict[str, str | int] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    tags_delimiter: str | None = None
    extra: bool = True
    unit: Unit | None = None


class BehaviorSettings(Settings):
    """A behavior's strength and polarity, as dataset.toml declares them."""

    strength: float = Field(1.0, ge=0, le=64)
    polarity: Literal[1, -1] = 1


class DataMapping(Settings):
    """A mapping file: the tables, and what dataset.toml should say."""

    name: str | None = None
    time: Literal["clock", "order", "none"] | None = None
    protocol: str | None = None
    target: str | None = None
    behaviors: dict[str, BehaviorSettings] = Field(default_factory=dict)
    events: TableMapping = Field(default_factory=TableMapping)
    items: TableMapping | None = None
    users: TableMapping | None = None
    relations: TableMapping | None = None
    impressions: TableMapping | None = None

    @classmethod
    def load(cls, path: str | Path) -> "DataMapping":
        """Read a mapping file; ConfigError names a key that is not known."""
        return parse(cls, read_toml(path, "a mapping file"), str(path))


def without_type(column: str) -> str:
    """A column's name without the type that RecBole writes behind it.

    >>> without_type("user_id:token"), without_type("a:b")
    ('user_id', 'a:b')
    """
    return re.sub(r":(token|float|token_seq|float_seq)$", "", column)


def resolve_columns(
    table: str, source: str, received: list[str], mapping: TableMapping
) -> tuple[dict[str, str], list[str], list[str]]:
    """Match a file's columns with the data model's.

    Returns the data model's name -> the file's name, the file's other columns, and notes on what
    was recognized without being told. Raises DataError with the mapping that would help.
    """
    matched: dict[str, str] = {}
    notes: list[str] = []
    if mapping.columns:
        exact = {without_type(name): name for name in received} | {name: name for name in received}
        for ours, theirs in mapping.columns.items():
            if ours not in COLUMN_ALIASES[table] and table in CLOSED_TABLES:
                raise unknown(f"column of [{table}] in the mapping", ours, COLUMN_ALIASES[table])
            if str(theirs) not in exact:
                raise DataError(
                    f"{source}: expected a column {str(theirs)!r} for {ours}, received the "
                    f"columns {_names(received)}; correct [{table}] columns in the mapping"
                )
            matched[ours] = exact[str(theirs)]
    else:
        matched, notes = _recognize(table, source, received)
    missing = [
        name
        for name in REQUIRED_COLUMNS[table]
        if name not in matched and name not in mapping.constants
    ]
    if table == "events" and not set(SUBJECT_COLUMNS) & (set(matched) | set(mapping.constants)):
        missing.append("item")
    if missing:
        known = matched | dict.fromkeys(missing, "...")
        pairs = ", ".join(f'{ours} = "{theirs}"' for ours, theirs in known.items())
        raise DataError(
            f"{source}: expected a column for {' and for '.join(missing)}, received the columns "
            f"{_names(received)}. Name it in a mapping file (header = false where the first line "
            f"holds data, and columns by position: user = 0):\n\n[{table}]\nfile = "
            f'"{Path(source).name}"\ncolumns = {{ {pairs} }}'
        )
    others = [name for name in received if name not in matched.values()]
    return matched, others, notes


def _recognize(table: str, source: str, received: list[str]) -> tuple[dict[str, str], list[str]]:
    lower: dict[str, str] = {}
    for name in received:
        lower.setdefault(without_type(name).strip().lower(), name)
    matched: dict[str, str] = {}
    for ours, names in COLUMN_ALIASES[table].items():
        theirs = next(
            (lower[n] for n in names if n in lower and lower[n] not in matched.values()), None
        )
        if theirs is not None:
            matched[ours] = theirs
    pairs = ", ".join(f"{ours} = {theirs}" for ours, theirs in matched.items())
    note = f"{Path(source).name}: columns recognized as {table}: {pairs}"
    others = [name for name in received if name not in matched.values()]
    if others and table in CLOSED_TABLES:
        note += f"; not read: {_names(others)}"
    return matched, [note]


def _names(columns: list[str]) -> str:
    shown = ", ".join(repr(name) for name in columns[:30])
    return shown + (f" and {len(columns) - 30} more" if len(columns) > 30 else "")
