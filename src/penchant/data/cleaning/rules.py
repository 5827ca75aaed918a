"""Cleaning: each rule says what it found, what it did, how many rows, and shows some of them."""

from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from penchant.config import CleaningSettings
from penchant.data.cleaning.exclusions import Forgotten, exclude_users
from penchant.data.cleaning.report import CleaningReport, Finding
from penchant.data.readers.sources import Sources
from penchant.errors import ConfigError, StrictError, counted
from penchant.storage.database import (
    Connection,
    column_types,
    identifier,
    literal,
    scalar,
    table_exists,
)

EXAMPLES = 5
SUBJECT = "coalesce(item, query, topic, creator)"
# Below this robust spread of log(1 + events) users are too alike to call one an outlier: at the
# usual six spreads, a bot has at least 120 times the events of the median user.
SPREAD_FLOOR = 0.8


def clean(
    database: Connection,
    sources: Sources,
    settings: CleaningSettings,
    strict: bool = False,
    forgotten: Forgotten | None = None,
) -> CleaningReport:
    """Apply the rules to the tables that ``read_sources`` made, in place.

    Whom ``forgotten`` gives back of some users is dropped first. A row that is dropped is counted
    by the first rule that finds it. Raises StrictError, listing the findings, where ``strict`` is
    set and there are any.
    """
    report = CleaningReport(notes=list(sources.notes))
    arrived: dict[str, int] = {}
    for table, raw in sources.raw.items():
        arrived[table] = _count(database, table) + raw.rejected
        if raw.rejected:
            shown = tuple(raw.examples)
            report.findings.append(Finding("malformed rows", "dropped", raw.rejected, table, shown))
        if raw.stray_quotes:
            shown = tuple(raw.stray_examples)
            detail = "a quote is opened or closed by accident: it is taken as text"
            report.findings.append(
                Finding("stray quotes", "kept", raw.stray_quotes, table, shown, detail)
            )
    exclude_users(database, report, forgotten)
    _Rules(database, report, settings, sources).apply()
    for table, rows in arrived.items():
        gone = sum(
            f.count
            for f in report.findings
            if f.table == table and f.action in ("dropped", "merged")
        )
        left = _count(database, table)
        assert rows == left + gone, f"{table}: {rows} rows in, {left} out, {gone} accounted for"
        report.rows[table] = (rows, left)
    if strict and report.findings:
        findings = "; ".join(map(str, report.findings))
        raise StrictError(
            f"expected clean input under strict, received {findings}; correct the "
            "input, or ingest it without strict to have these rules applied"
        )
    return report


def _count(database: Connection, table: str) -> int:
    return int(scalar(database, f"select count(*) from {identifier(table)}"))


@dataclass
class _Rules:
    database: Connection
    report: CleaningReport
    settings: CleaningSettings
    sources: Sources

    def apply(self) -> None:
        for table, keys in (
            ("items", ("item",)),
            ("users", ("user",)),
            ("relations", ("user", "friend")),
        ):
            if table_exists(self.database, table):
                self._attributes(table, keys)
        steps: tuple[Callable[[], None], ...] = (
            self._identifiers,
            self._labels,
            self._times,
            self._values,
            self._repeats,
            self._bots,
            self._unknown_items,
            self._core,
            self._impressions,
        )
        for step in steps:
            step()

    def _find(
        self,
        rule: str,
        action: str,
        where: str,
        *,
        table: str = "events",
        shown: str = "",
        change: str = "",
        detail: str = "",
    ) -> int:
        """Count the rows of a condition, show some, and drop or change them.

        ``shown`` is SQL for a further column of the examples, ``change`` the assignments of an
        update.
        """
        count = int(scalar(self.database, f"select count(*) from {table} where {where}"))
        if not count:
            return 0
        names = column_types(self.database, table)
        columns = [n for n in ("user", "item", "friend") if n in names]
        cells = ", ".join(["row", *map(identifier, columns), *([shown] if shown else [])])
        answer = self.database.execute(
            f"select {cells} from {table} where {where} order by row limit {EXAMPLES}"
        )
        heads = [head[0] for head in answer.description or []]
        examples = tuple(dict(zip(heads, row, strict=True)) for row in answer.fetchall())
        if action in ("dropped", "merged"):
            self.database.execute(f"delete from {table} where {where}")
        elif change:
            self.database.execute(f"update {table} set {change} where {where}")
        self.report.findings.append(Finding(rule, action, count, table, examples, detail))
        return count

    def _attributes(self, table: str, keys: tuple[str, ...]) -> None:
        for key in keys:
            self._find(f"missing {key}", "dropped", f"{identifier(key)} is null", table=table)
        same = ", ".join(map(identifier, keys))
        if "kind" in column_types(self.database, table) and table == "relations":
            same += ", kind"
        self._find(
            f"duplicate {table}",
            "merged",
            f"row not in (select min(row) from {table} group by {same})",
            table=table,
        )

    def _identifiers(self) -> None:
        about = "coalesce(item, query, topic, creator) as about, behavior"
        self._find("missing user", "dropped", '"user" is null', shown=about)
        self._find("missing item", "dropped", f"{SUBJECT} is null", shown="behavior")

    def _labels(self) -> None:
        for column, action, filling in (
            ("behavior", self.settings.missing_behavior, self.settings.fill_behavior),
            ("domain", self.settings.missing_domain, self.settings.fill_domain),
        ):
            constants = self.sources.mapping.events.constants
            where = f"{column} is null"
            if column not in self.sources.columns["events"] and column not in constants:
                # a column that never existed is a fact about the file, not about its rows
                self.database.execute(f"update events set {column} = {literal(filling)}")
                self.report.notes.append(f"no {column} column: every event has {filling!r}")
            elif action == "drop":
                self._find(f"missing {column}", "dropped", where)
            else:
                change = f"{column} = {literal(filling)}"
                self._find(f"missing {column}", "filled", where, change=change, detail=filling)

    def _times(self) -> None:
        time = self.sources.time
        drop = self.settings.missing_time == "drop"
        if "timestamp" not in self.sources.columns["events"]:
            self.report.notes.append("no timestamp column: events have no time")
            return
        if self.sources.mapping.time == "none":
            return
        bad = "bad_time is not null"
        shown = "bad_time as received"
        if drop:
            self._find("unreadable time", "dropped", bad, shown=shown)
        else:
            self._find("unreadable time", "unset", bad, shown=shown)
        self._find(
            "missing time", "dropped" if drop else "kept", "time is null and bad_time is null"
        )
        if time.kind != "clock":
            return
        first, last = self._moment("earliest"), self._moment("latest")
        where = f"time is not null and (time < {first} or time > {last})"
        action = {"drop": "dropped", "unset": "unset", "keep": "kept"}[self.settings.junk_dates]
        self._find(
            "impossible date",
            action,
            where,
            # years beyond the calendar are shown as the number they are
            shown="coalesce(try(cast(cast(make_timestamp_ms(time) as date) as varchar)), "
            "cast(time as varchar)) as date",
            change="time = null" if action == "unset" else "",
            detail=f"outside {self.settings.earliest} to {self.settings.latest}",
        )

    def _moment(self, name: str) -> int:
        text = getattr(self.settings, name)
        cell = "now()" if text == "now" else f"timestamptz {literal(text)}"
        try:
            return int(scalar(self.database, f"select epoch_ms({cell})"))
        except duckdb.Error as error:
            raise ConfigError(
                f"cleaning.{name}: expected an ISO date or 'now', received {text!r}"
            ) from error

    def _values(self) -> None:
        action = "dropped" if self.settings.bad_values == "drop" else "unset"
        self._find("bad value", action, "bad_value is not null", shown="bad_value as received")

    def _repeats(self) -> None:
        self._find(
            "repeated event_id",
            "merged",
            "event_id is not null and row not in "
            "(select min(row) from events where event_id is not null group by event_id)",
            shown="event_id",
        )
        merge = self.settings.repeats == "merge"
        self._find(
            "repeated event",
            "merged" if merge else "kept",
            "event_id is null and row not in (select min(row) from events where event_id is null "
            'group by "user", item, query, topic, creator, behavior, domain, time)',
            shown="behavior",
            detail="" if merge else "same user, item, behavior and time; set repeats to merge",
        )

    def _bots(self) -> None:
        self.database.execute(
            'create temp table activity as select "user", count(*) as events, '
            'ln(1 + count(*)) as size from events group by "user"'
        )
        limit = scalar(
            self.database,
            f"select median(size) + {self.settings.bot_sigma} * "
            f"greatest(1.4826 * mad(size), {SPREAD_FLOOR}) from activity",
        )
        where = f"size > {limit if limit is not None else 0}"
        bots = self.database.execute(
            f'select "user", events from activity where {where} order by events desc, "user"'
        ).fetchall()
        if bots:
            drop = self.settings.bots == "drop"
            who = f'"user" in (select "user" from activity where {where})'
            count = int(scalar(self.database, f"select count(*) from events where {who}"))
            if drop:
                self.database.execute(f"delete from events where {who}")
            self.report.findings.append(
                Finding(
                    "bot-like users",
                    "dropped" if drop else "kept",
                    count,
                    examples=tuple({"user": u, "events": n} for u, n in bots[:EXAMPLES]),
                    detail=counted(len(bots), "user"),
                )
            )
        self.database.execute("drop table activity")

    def _unknown_items(self) -> None:
        if table_exists(self.database, "items"):
            self._find(
                "unknown items",
                "dropped" if self.settings.unknown_items == "drop" else "kept",
                "item is not null and item not in (select item from items)",
                shown="behavior",
            )

    def _impressions(self) -> None:
        """What was shown is no event: no other rule reads it."""
        if not table_exists(self.database, "impressions"):
            return
        for rule, action, where, shown in (
            ("missing user", "dropped", '"user" is null', "request"),
            ("missing item", "dropped", "item is null", "request"),
            ("neither clicked nor not", "dropped", "clicked is null", "bad_clicked as received"),
            ("bad position", "unset", "bad_position is not null", "bad_position as received"),
            ("bad propensity", "unset", "bad_propensity is not null", "bad_propensity as received"),
            ("unreadable time", "unset", "bad_time is not null", "bad_time as received"),
        ):
            self._find(rule, action, where, table="impressions", shown=shown)

    def _core(self) -> None:
        """Iterate until every user and every item has its least number of events."""
        users, items = self.settings.min_user_events, self.settings.min_item_events
        if users <= 1 and items <= 1:
            return
        self.database.execute('create temp table before as select row, "user", item from events')
        poor = (
            f'"user" in (select "user" from events group by "user" having count(*) < {users})',
            f"item in (select item from events where item is not null group by item "
            f"having count(*) < {items})",
        )
        while sum(int(scalar(self.database, f"delete from events where {p}") or 0) for p in poor):
            pass
        gone = "from before where row not in (select row from events)"
        count = int(scalar(self.database, f"select count(*) {gone}"))
        if count:
            shown = self.database.execute(
                f'select row, "user", item {gone} order by row limit {EXAMPLES}'
            ).fetchall()
            examples = tuple({"row": r, "user": u, "item": i} for r, u, i in shown)
            detail = f"users with fewer than {users} events, items with fewer than {items}"
            self.report.findings.append(
                Finding("k-core", "dropped", count, examples=examples, detail=detail)
            )
        self.database.execute("drop table before")
