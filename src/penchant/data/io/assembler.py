"""Tables of text into arrays: vocabularies, rows, and events in order, all joined in SQL."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from penchant.data.dataset import Behavior, Catalogue, Dataset, Events, behaviors_of
from penchant.data.io.layout import DatasetSettings
from penchant.data.splitting.protocols import LEAVE_ONE_NEW_OUT, default_protocol
from penchant.data.vocabulary import Vocabulary
from penchant.errors import DataError, counted, unknown
from penchant.storage.database import (
    Connection,
    column_list,
    column_types,
    identifier,
    literal,
    scalar,
    table_exists,
)
from penchant.types import TimeKind

# From the strongest to the weakest: which behavior a dataset is about, where it does not say.
BEHAVIOR_ORDER = (
    "buy", "purchase", "order", "transaction", "subscribe", "cart", "add_to_cart", "addtocart",
    "rate", "review", "like", "fav", "favorite", "save", "share", "follow", "listen", "play",
    "read", "watch", "click", "view",
)  # fmt: skip
PROTOCOLS = (
    "leave-one-out", LEAVE_ONE_NEW_OUT, "leave-one-out-per-domain", "random-per-domain", "time",
    "given",
)  # fmt: skip
TOKEN_PREFIXES = {"query": "query:", "topic": "topic:", "creator": "creator:"}


@dataclass
class Assembly:
    """Tables ``events``, ``test`` (optional), ``items`` and ``users`` (optional) of a database.

    ``events`` and ``test`` have row, user, item, query, topic, creator, behavior, domain, time
    (milliseconds or positions, null where missing) and value.
    """

    database: Connection
    name: str
    time: TimeKind
    settings: DatasetSettings
    notes: list[str] = field(default_factory=list)

    def dataset(self) -> Dataset:
        """Encode everything. Raises DataError or ConfigError where it does not fit together."""
        parts = [part for part in ("events", "test") if table_exists(self.database, part)]
        for part in parts:
            self._check(part)
            self._explode(part)
        both = " union all ".join(f"select * from {identifier(f'{part} about')}" for part in parts)
        self.database.execute(f"create temp view everything as {both}")
        user_sources = [
            f"select user from {t}" for t in ("users",) if table_exists(self.database, t)
        ]
        if table_exists(self.database, "relations"):
            user_sources += ["select user from relations", "select friend from relations"]
        users = self._vocabulary("user", *user_sources)
        item_sources = ["select item from items"] if table_exists(self.database, "items") else []
        items = self._vocabulary("item", *item_sources)
        tokens = self._vocabulary("token")
        names = [row[0] for row in self.database.execute(
            "select distinct behavior from everything").fetchall()]  # fmt: skip
        behaviors = behaviors_of(
            names,
            {
                name: {"strength": b.strength, "polarity": b.polarity}
                for name, b in self.settings.behaviors.items()
            },
        )
        self._rows("behavior", [behavior.name for behavior in behaviors])
        item_domains, domains = self._domains()
        target = self._target(behaviors)
        timed = self if self._timed(target) else replace(self, time="none")
        events = timed._events("events", bool(tokens))
        held_out = timed._events("test", bool(tokens)) if "test" in parts else None
        catalogue = self._catalogue(items, tokens, behaviors, domains, item_domains)
        dataset = Dataset(
            name=self.name,
            catalogue=catalogue,
            users=users,
            events=events,
            time=timed.time,
            target=target,
            held_out=held_out,
            attributes=self._columns("users", "user", len(users), {"user"}),
            relations=self._relations(),
        )
        return replace(dataset, protocol=self._protocol(dataset), notes=tuple(self.notes))

    def _check(self, part: str) -> None:
        query = "case when query ~ '[^\\s\\p{Z}]' then query end"
        about = f"coalesce(nullif(item, ''), {query}, nullif(topic, ''), creator, '')"
        for column, cell in (("user", "coalesce(\"user\", '')"), ("item", about)):
            where = f"from {part} where {cell} = ''"
            count, first = self.database.execute(f"select count(*), min(row) {where}").fetchall()[0]
            if count:
                raise DataError(
                    f"{self.name}, {part}: expected a {column} in every row, received none in "
                    f"{count} of them, the first at row {first}; remove them, or let penchant "
                    "ingest clean the source"
                )

    def _explode(self, part: str) -> None:
        """One event for each term of a query; topics and creators become tokens."""
        shared = 'row, "user", item, cast(null as varchar) as token, behavior, domain, time, value'
        rows = [f"select {shared}, 0 as n from {part} where coalesce(item, '') <> ''"]
        about = "coalesce(item, '') = ''"
        for column, prefix in TOKEN_PREFIXES.items():
            if scalar(self.database, f"select count(*) from {part} where {about}"):
                # the separators are those of Python's str.split, so that a live query agrees
                terms = (
                    f"list_filter(regexp_split_to_array(lower({column}), '[\\s\\p{{Z}}]+'), "
                    "lambda t: t <> '')"
                    if column == "query"
                    else f"[{column}]"
                )
                rows.append(
                    f"select row, \"user\", null, '{prefix}' || term, behavior, domain, time, "
                    f"value, n from (select *, unnest({terms}) as term, "
                    f"generate_subscripts({terms}, 1) as n from {part} where {about} "
                    f"and coalesce({column}, '') <> '')"
                )
                about += f" and coalesce({column}, '') = ''"
        self.database.execute(
            f"create temp table {identifier(f'{part} about')} as {' union all '.join(rows)}"
        )

    def _vocabulary(self, column: str, *further: str) -> Vocabulary:
        """Create ``<column> rows`` (name, number) in byte order; DuckDB compares bytes."""
        source = f"select {identifier(column)} as name from everything"
        source = " union all ".join((source, *further))
        self.database.execute(
            f"create temp table {identifier(f'{column} rows')} as "
            "select name, row_number() over (order by name) - 1 as number "
            f"from (select distinct name from ({source}) where name is not null)"
        )
        names = self.database.execute(
            f"select name from {identifier(f'{column} rows')} order by number"
        ).fetchnumpy()["name"]
        return Vocabulary(tuple(names.tolist()))

    def _rows(self, column: str, names: list[str]) -> None:
        table = identifier(f"{column} rows")
        self.database.execute(f"create temp table {table} (name varchar, number bigint)")
        if names:
            pairs = ", ".join(f"({literal(name)}, {row})" for row, name in enumerate(names))
            self.database.execute(f"insert into {table} values {pairs}")

    def _domains(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Each item's domain: the catalogue's word, else that of its first event."""
        declared = "null"
        if table_exists(self.database, "items") and "domain" in column_types(
            self.database, "items"
        ):
            declared = "nullif(i.domain, '')"
        joined = "left join items i on i.item = r.name" if declared != "null" else ""
        self.database.execute(
            f'create temp table "item domains" as select r.number, coalesce({declared}, e.domain) '
            f'as domain from "item rows" r {joined} left join (select item, min_by(domain, row) as '
            "domain from everything where item is not null group by item) e on e.item = r.name"
        )
        names = [row[0] for row in self.database.execute(
            'select distinct domain from everything union select domain from "item domains"'
        ).fetchall() if row[0] is not None]  # fmt: skip
        domains = tuple(sorted(names))
        self._rows("domain", list(domains))
        rows = self.database.execute(
            'select coalesce(d.number, -1) as d from "item domains" i '
            'left join "domain rows" d on d.name = i.domain order by i.number'
        ).fetchnumpy()["d"]
        return np.asarray(rows, np.int64), domains

    def _events(self, part: str, tokens: bool) -> Events:
        source = identifier(f"{part} about")
        # a missing time is older than any other, so that it sorts first
        oldest = scalar(self.database, "select min(time) from everything")
        missing = 0 if oldest is None else min(0, int(oldest) - 1)
        time = "0" if self.time == "none" else f"coalesce(e.time, {missing})"
        token = 'left join "token rows" t on t.name = e.token' if tokens else ""
        arrays = self.database.execute(
            'select u.number as "user", coalesce(i.number, -1) as item, '
            f"{'coalesce(t.number, -1)' if tokens else '-1'} as token, b.number as behavior, "
            f"d.number as domain, {time} as time, coalesce(e.value, 'nan'::double) as value, "
            f'e.row as row from {source} e join "user rows" u on u.name = e."user" '
            f'left join "item rows" i on i.name = e.item {token} '
            'join "behavior rows" b on b.name = e.behavior join "domain rows" d '
            "on d.name = e.domain order by 1, 6, 8, e.n"
        ).fetchnumpy()
        value = np.ascontiguousarray(arrays.pop("value"), np.float64)
        rows = {name: np.ascontiguousarray(cells, np.int64) for name, cells in arrays.items()}
        return Events(value=value, **rows)

    def _catalogue(
        self,
        items: Vocabulary,
        tokens: Vocabulary,
        behaviors: list[Behavior],
        domains: tuple[str, ...],
        item_domains: NDArray[np.int64],
    ) -> Catalogue:
        columns = self._columns("items", "item", len(items), {"item", "domain"})
        titles = columns.pop("title", None)
        tags = columns.pop("tags", None)
        return Catalogue(
            items=items,
            behaviors=tuple(behaviors),
            domains=domains,
            domain=item_domains,
            tokens=tokens,
            titles=() if titles is None else tuple(titles.tolist()),
            tags=() if tags is None else tuple(tuple(t) if t else () for t in tags),
            columns=columns,
        )

    def _columns(
        self, table: str, key: str, length: int, without: set[str]
    ) -> dict[str, NDArray[np.object_]]:
        """The further columns of items or users, one object a row of the vocabulary."""
        if not table_exists(self.database, table):
            return {}
        kinds = column_types(self.database, table)
        names = [name for name in kinds if name not in without and name != "row"]
        if "tags" in names and not kinds["tags"].endswith("[]"):
            raise DataError(
                f"{self.name}, {table}: expected tags as lists of text, received "
                f"{kinds['tags']}; let penchant ingest read the source (tags_delimiter splits them)"
            )
        repeated = scalar(
            self.database, f"select count(*) - count(distinct {identifier(key)}) from {table}"
        )
        if repeated:
            repeats = counted(repeated, "repeated row")
            self.notes.append(f"{table}: {repeats}; the first of each {key} counts")
        if not names:
            return {}
        rows = self.database.execute(
            f"select {column_list(names)} from {identifier(f'{key} rows')} r left join "
            f"(select * from {table} qualify row_number() over "
            f"(partition by {identifier(key)} order by row) = 1) t "
            f"on t.{identifier(key)} = r.name order by r.number"
        ).fetchall()
        assert len(rows) == length
        result = {}
        for name, cells in zip(names, zip(*rows, strict=True), strict=True):
            result[name] = np.empty(length, object)
            result[name][:] = cells
        return result

    def _relations(self) -> NDArray[np.int64]:
        """Pairs of rows of users, distinct, in order, (R, 2)."""
        if not table_exists(self.database, "relations"):
            return np.zeros((0, 2), np.int64)
        pairs = self.database.execute(
            "select distinct u.number as a, f.number as b from relations r "
            'join "user rows" u on u.name = r.user join "user rows" f on f.name = r.friend '
            "where u.number <> f.number order by 1, 2"
        ).fetchnumpy()
        return np.stack([pairs["a"], pairs["b"]], axis=1).astype(np.int64)

    def _timed(self, target: str) -> bool:
        """Whether any event of the target has a time; where none has, there is no order to learn.

        Events of other behaviors may have times: all those of the target would come first.
        """
        query = "select count(time), count(*) from everything where behavior = ?"
        times, count = self.database.execute(query, [target]).fetchall()[0]
        if self.time == "none" or times or not count:
            return True
        self.notes.append(f"no event of {target!r} has a time: the order of events is not used")
        return False

    def _target(self, behaviors: list[Behavior]) -> str:
        names = [behavior.name for behavior in behaviors]
        declared = self.settings.target
        if declared is not None:
            if declared not in names:
                raise unknown("target behavior", declared, names)
            return declared
        positive = [behavior.name for behavior in behaviors if behavior.polarity == 1]
        if not positive:
            raise DataError(
                f"{self.name}: expected a positive behavior to recommend for, received only "
                f"{', '.join(names)}; declare polarity = 1 for one in dataset.toml"
            )
        known = [name for name in BEHAVIOR_ORDER if name in positive]
        query = "select behavior, count(*) from everything group by behavior"
        counts = dict(self.database.execute(query).fetchall())
        commonest = max(positive, key=lambda name: counts.get(name, 0))
        target = known[0] if known else commonest
        if len(names) > 1:
            why = "the strongest behavior present" if known else "the commonest behavior"
            self.notes.append(f"target taken to be {target!r}: {why}")
        return target

    def _protocol(self, dataset: Dataset) -> str:
        declared, given = self.settings.protocol, dataset.held_out is not None
        if declared is not None:
            if declared not in PROTOCOLS:
                raise unknown("protocol", declared, PROTOCOLS)
            if declared == "given" and not given:
                raise DataError(f'{self.name}: protocol "given" expects test.parquet, found none')
            return declared
        if given:
            protocol, why = "given", "test.parquet is there"
        elif dataset.time == "none":
            protocol, why = "random-per-domain", "events have no order in time"
        else:
            protocol, why = default_protocol(dataset), "the usual one where events have an order"
            if protocol == LEAVE_ONE_NEW_OUT:
                why = (
                    f"most events of {dataset.target!r} are about items that their user met "
                    "before, which lists leave out"
                )
        self.notes.append(f"protocol taken to be {protocol!r}: {why}")
        return protocol
