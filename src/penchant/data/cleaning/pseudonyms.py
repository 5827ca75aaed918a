"""Pseudonyms: keyed digests in the place of user ids; the key stays outside of data and runs."""

from penchant.data.cleaning.exclusions import USER_COLUMNS, all_users
from penchant.data.readers.sources import Sources
from penchant.storage.database import Connection, create_table, identifier, table_exists
from penchant.storage.signing_key import SigningKey

LENGTH = 32


def pseudonym(user: str, key: SigningKey) -> str:
    """What stands for a user: a keyed digest, 32 hex characters.

    >>> pseudonym("ann", SigningKey(bytes(32)))
    'afb07dcba9aaac3206c978242f4cc24f'
    """
    return key.digest("pseudonym", user)[:LENGTH]


def pseudonymize(database: Connection, sources: Sources, key: SigningKey) -> None:
    """Put pseudonyms in the place of all user ids of the tables that ``read_sources`` made.

    Rows that could not be read are no longer shown, as they may hold ids.
    """
    names = all_users(database)
    columns = {"name": names, "pseudonym": [pseudonym(name, key) for name in names]}
    create_table(database, "pseudonyms", columns)
    for table, user_columns in USER_COLUMNS.items():
        if table_exists(database, table):
            for column in map(identifier, user_columns):
                database.execute(
                    f"update {table} set {column} = p.pseudonym from pseudonyms p "
                    f"where {table}.{column} = p.name"
                )
    database.execute("drop table pseudonyms")
    for raw in sources.raw.values():
        raw.examples.clear()
    sources.notes.append(
        f"user ids are pseudonyms of the key {key.id}, which is kept outside; other columns of "
        "users stay as they are"
    )
