"""Whose rows are kept out at ingest: who was forgotten, and who does not consent."""

from collections.abc import Callable, Sequence

from penchant.data.cleaning.report import CleaningReport, Finding
from penchant.storage.database import (
    Connection,
    column_types,
    create_table,
    identifier,
    scalar,
    table_exists,
)

REFUSALS = ("no", "false", "0", "n")
"""What a column ``consent`` says, in any case, where there is none."""

USER_COLUMNS = {
    "events": ("user",),
    "users": ("user",),
    "relations": ("user", "friend"),
    "impressions": ("user",),
}
"""The columns that name people, by table."""

Forgotten = Callable[[Sequence[str]], list[str]]
"""Those of some users who were forgotten."""


def all_users(database: Connection) -> list[str]:
    """Everybody that the tables name, ascending."""
    parts = [
        f"select {identifier(column)} as name from {table}"
        for table, columns in USER_COLUMNS.items()
        if table_exists(database, table)
        for column in columns
    ]
    query = f"select distinct name from ({' union all '.join(parts)}) where name is not null"
    return [name for (name,) in database.execute(f"{query} order by name").fetchall()]


def exclude_users(
    database: Connection, report: CleaningReport, forgotten: Forgotten | None = None
) -> None:
    """Drop the rows of who was forgotten or does not consent; a finding for each table.

    Who does not consent stays as a row of ``users`` that says that and nothing else, so that a
    service keeps to it. No finding shows an example: these are people that nobody is to see.
    """
    if forgotten is not None:
        _create_excluded(database, forgotten(all_users(database)))
        for table, columns in USER_COLUMNS.items():
            _drop(database, report, "forgotten user", table, columns)
        database.execute("drop table withheld")
    names = column_types(database, "users") if table_exists(database, "users") else {}
    consent = next((name for name in names if name.lower() == "consent"), None)
    if consent is None:
        return
    answer = f"lower(trim(cast({identifier(consent)} as varchar)))"
    refusing = (
        f'select distinct "user" from users where {answer} in {REFUSALS} and "user" is not null'
    )
    _create_excluded(database, [user for (user,) in database.execute(refusing).fetchall()])
    for table, columns in USER_COLUMNS.items():
        if table != "users":
            _drop(database, report, "no_consent", table, columns)
    mine = '"user" in (select name from withheld)'
    # of two rows of one user that disagree, the one that refuses counts
    _drop(
        database,
        report,
        "no_consent",
        "users",
        ("user",),
        f"not coalesce({answer} in {REFUSALS}, false)",
    )
    others = [identifier(name) for name in names if name not in ("row", "user", consent)]
    count = int(scalar(database, f"select count(*) from users where {mine}"))
    if count and others:
        cleared = ", ".join(f"{name} = null" for name in others)
        database.execute(f"update users set {cleared} where {mine}")
        report.findings.append(Finding("no_consent", "unset", count, "users"))
    database.execute("drop table withheld")


def _create_excluded(database: Connection, users: list[str]) -> None:
    database.execute("create temp table withheld (name varchar)")
    if users:
        create_table(database, "withheld users", {"name": users})
        database.execute('insert into withheld select name from "withheld users"')
        database.execute('drop table "withheld users"')


def _drop(
    database: Connection,
    report: CleaningReport,
    rule: str,
    table: str,
    columns: tuple[str, ...],
    only: str = "true",
) -> None:
    if not table_exists(database, table):
        return
    named = " or ".join(f"{identifier(c)} in (select name from withheld)" for c in columns)
    where = f"({named}) and {only}"
    count = int(scalar(database, f"select count(*) from {table} where {where}"))
    if count:
        database.execute(f"delete from {table} where {where}")
        report.findings.append(Finding(rule, "dropped", count, table))
