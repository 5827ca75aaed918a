"""Whose rows are kept out at ingest: who was forgotten, and who does not consent."""

from collections.abc import Callable, Sequence

from penchant.data.cleaning.report import CleaningReport, Finding
from penchant.storage.database import Connection, exists, identifier, one, register, types

NO = ("no", "false", "0", "n")
"""What a column ``consent`` says, in any case, where there is none."""

PEOPLE = {
    "events": ("user",),
    "users": ("user",),
    "relations": ("user", "friend"),
    "impressions": ("user",),
}
"""The columns that name people, by table."""

Forgotten = Callable[[Sequence[str]], list[str]]
"""Those of some users who were forgotten."""


def people(database: Connection) -> list[str]:
    """Everybody that the tables name, ascending."""
    parts = [
        f"select {identifier(column)} as name from {table}"
        for table, columns in PEOPLE.items()
        if exists(database, table)
        for column in columns
    ]
    query = f"select distinct name from ({' union all '.join(parts)}) where name is not null"
    return [name for (name,) in database.execute(f"{query} order by name").fetchall()]


def withhold(
    database: Connection, report: CleaningReport, forgotten: Forgotten | None = None
) -> None:
    """Drop the rows of who was forgotten or does not consent; a finding for each table.

    Who does not consent stays as a row of ``users`` that says that and nothing else, so that a
    service keeps to it. No finding shows an example: these are people that nobody is to see.
    """
    if forgotten is not None:
        _named(database, forgotten(people(database)))
        for table, columns in PEOPLE.items():
            _drop(database, report, "forgotten user", table, columns)
        database.execute("drop table withheld")
    names = types(database, "users") if exists(database, "users") else {}
    said = next((name for name in names if name.lower() == "consent"), None)
    if said is None:
        return
    answer = f"lower(trim(cast({identifier(said)} as varchar)))"
    refusing = f'select distinct "user" from users where {answer} in {NO} and "user" is not null'
    _named(database, [user for (user,) in database.execute(refusing).fetchall()])
    for table, columns in PEOPLE.items():
        if table != "users":
            _drop(database, report, "no_consent", table, columns)
    mine = '"user" in (select name from withheld)'
    # of two rows of one user that disagree, the one that refuses counts
    _drop(
        database, report, "no_consent", "users", ("user",), f"not coalesce({answer} in {NO}, false)"
    )
    others = [identifier(name) for name in names if name not in ("row", "user", said)]
    count = int(one(database, f"select count(*) from users where {mine}"))
    if count and others:
        cleared = ", ".join(f"{name} = null" for name in others)
        database.execute(f"update users set {cleared} where {mine}")
        report.findings.append(Finding("no_consent", "unset", count, "users"))
    database.execute("drop table withheld")


def _named(database: Connection, users: list[str]) -> None:
    database.execute("create temp table withheld (name varchar)")
    if users:
        register(database, "withheld users", {"name": users})
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
    if not exists(database, table):
        return
    named = " or ".join(f"{identifier(c)} in (select name from withheld)" for c in columns)
    where = f"({named}) and {only}"
    count = int(one(database, f"select count(*) from {table} where {where}"))
    if count:
        database.execute(f"delete from {table} where {where}")
        report.findings.append(Finding(rule, "dropped", count, table))
