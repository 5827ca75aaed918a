"""The tables of the store, and its database engine: SQLite or PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from penchant.errors import ConfigError, MissingExtraError

metadata = MetaData()


def _serial_number(name: str) -> "Column[Any]":
    """A number that grows with each row and is never used twice."""
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column(name, kind, primary_key=True, autoincrement=True)


events = Table(
    "events",
    metadata,
    _serial_number("seq"),
    Column("id", Text, nullable=False, unique=True),
    Column("user", Text),  # null while a session is anonymous
    Column("session", Text),
    Column("kind", Text, nullable=False),  # what it is about: item, query, topic or creator
    Column("about", Text, nullable=False),
    Column("behavior", Text, nullable=False),
    Column("domain", Text),
    Column("time", BigInteger, nullable=False),  # UTC milliseconds
    Column("value", Float),
    Column("request", Text),  # the request of the list that led to it
    Index("events_of_user", "user", "seq"),
    Index("events_of_session", "session"),
    Index("events_of_request", "request"),
    sqlite_autoincrement=True,
)
users = Table(
    "people",  # the name of stores of 0.1.0
    metadata,
    Column("user", Text, primary_key=True),
    Column("controls", JSON, nullable=False),
    Column("consent", Boolean),
)
profiles = Table(
    "profiles",
    metadata,
    Column("user", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("edited", Boolean, nullable=False),  # then the text is the user's own
    Column("model", Text),
    Column("made", Text, nullable=False),  # a digest of the interests it was generated from
    Column("note", Text),
)
sessions = Table(
    "sessions",
    metadata,
    Column("session", Text, primary_key=True),
    Column("user", Text, nullable=False, index=True),
)
changes = Table(
    "changes",
    metadata,
    _serial_number("id"),
    Column("kind", Text, nullable=False),  # item, state, artifact or forgotten
    Column("key", Text, nullable=False),
    Column("content", JSON, nullable=False),
    Column("time", BigInteger, nullable=False),
    Index("changes_of_key", "kind", "key"),
    sqlite_autoincrement=True,
)
forgotten = Table(
    "forgotten",
    metadata,
    Column("mark", Text, primary_key=True),  # a keyed digest, which does not reveal the user
    Column("time", BigInteger, nullable=False),
)
impressions = Table(
    "impressions",
    metadata,
    _serial_number("id"),
    Column("request", Text, nullable=False, index=True),
    Column("user", Text, index=True),
    Column("session", Text),
    Column("arm", Text, key="variant", nullable=False),  # the name of stores of 0.1.0
    Column("artifact", Text, nullable=False),
    Column("behavior", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("item", Text, nullable=False),
    Column("propensity", Float, nullable=False),
    Column("candidates", JSON),  # of an explored position: the items it was sampled from
    Column("time", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("revoked", BigInteger),
)
secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)


def engine_of(url: str) -> Engine:
    """The engine of a database; ConfigError for an address that is not valid."""
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            f"expected --database as sqlite:///file.sqlite or postgresql+psycopg://user@host/name, "
            f"received {url!r}"
        ) from error
    name = address.get_backend_name()
    if name not in ("sqlite", "postgresql"):
        raise ConfigError(f"expected a database of SQLite or PostgreSQL, received {name!r}")
    if name == "sqlite" and address.database in (None, "", ":memory:"):
        raise ConfigError("expected a file, since several workers share it: sqlite:///file.sqlite")
    try:
        if name == "postgresql":
            return create_engine(address, pool_size=8, max_overflow=8, pool_pre_ping=True)
        engine = create_engine(address, pool_size=8, max_overflow=8)
    except (ImportError, NoSuchModuleError) as error:
        raise MissingExtraError("psycopg", "postgres") from error
    event.listen(engine, "connect", _configure_sqlite)
    return engine


def _configure_sqlite(connection: Any, record: Any) -> None:
    # only transactions that are begun explicitly: readers never hold one open
    connection.isolation_level = None
    cursor = connection.cursor()
    for line in (
        "journal_mode = WAL",
        "synchronous = FULL",  # a commit is on disk before the response
        "busy_timeout = 15000",
        "secure_delete = ON",  # what is erased is overwritten
    ):
        cursor.execute(f"PRAGMA {line}")
    cursor.close()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes; SQLite's takes its lock at once, so that it never fails later."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.rollback()
            raise
        connection.commit()


def lock_table(connection: Connection, table: Table) -> None:
    """Make other writers of a table wait until the transaction ends.

    Numbers then appear in order: a reader up to one of them has missed none below it. SQLite has
    one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN EXCLUSIVE MODE")
