"""The store: one suite, each database runs it."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed; it is in the extra serve")

import postgres
from penchant.errors import ConfigError
from penchant.recommendation.interests import Control
from penchant.serve.store.impression_queries import viewer_counts
from penchant.serve.store.records import Impression, IncomingEvent
from penchant.serve.store.store import REASONS, Store
from penchant.serve.store.subject_access import SubjectAccess
from penchant.serve.store.tables import metadata, writing


def event(id, user="ann", item="tea", time=1000, **others):
    values = {"session": None, "behavior": "buy", "domain": None, "value": None} | others
    return IncomingEvent(id=id, user=user, kind="item", about=item, time=time, **values)


def shown(request, user, item="tea", time=1000):
    return Impression(request, user, None, "main", "digest", "buy", 1, item, 1.0, None, time)


class StoreSuite:
    """What each store must do; a subclass gives the address of an empty database."""

    @pytest.fixture
    def store(self, address):
        made = Store(address)
        yield made
        made.close()

    def test_an_event_is_kept_once_however_often_it_comes(self, store):
        assert store.add([event("1"), event("2")])[:2] == (2, 0)
        assert store.add([event("2"), event("3"), event("3")])[:2] == (1, 2)
        assert [e.seq for e in store.snapshot("ann").events] == sorted(
            e.seq for e in store.snapshot("ann").events
        )
        assert len(store.snapshot("ann").events) == 3

    def test_a_history_is_in_order_of_time_then_of_arrival(self, store):
        store.add([event("a", item="late", time=9), event("b", item="one", time=5)])
        store.add([event("c", item="two", time=5), event("d", "bob", "other")])
        assert [e.about for e in store.snapshot("ann").events] == ["one", "two", "late"]

    def test_a_reader_gets_what_came_after_a_number(self, store):
        store.add([event("a", item="old")])
        after = store.last_numbers()[0]
        store.add([event("b", item="new")])
        assert [e.about for e in store.snapshot("ann", after=after).events] == ["new"]
        assert [e.about for e in store.events_between(0, after)] == ["old"]

    @pytest.mark.parametrize(
        "name", ["a/b", "ä 中 🎉", "'; drop table events; --", "<b>", " ", "\t"]
    )
    def test_any_identifier_comes_back_as_it_was(self, store, name):
        store.add([event(name, name, name)])
        assert [e.about for e in store.snapshot(name).events] == [name]
        assert "events" in metadata.tables
        assert store.counts()["events"] == 1

    def test_what_users_say_is_kept_and_replaced(self, store):
        store.set_controls("ann", [Control("1", 0.0, ("tea",))])
        store.set_consent("ann", True)
        assert store.snapshot("ann").preferences == ((Control("1", 0.0, ("tea",)),), True, None)
        store.set_controls("ann", [])
        store.set_consent("ann", False)
        assert store.snapshot("ann").preferences == ((), False, None)

    def test_who_does_not_consent_leaves_no_events(self, store):
        store.set_consent("ann", False)
        found = store.add([event("1"), event("2", "bob")])
        assert found == (1, 0, ((0, REASONS["consent"]),))
        assert not store.snapshot("ann").events

    def test_a_session_is_anonymous_until_somebody_signs_in(self, store):
        store.add([event("1", None, session="s"), event("2", None, session="other")])
        assert [e.about for e in store.snapshot(None, "s").events] == ["tea"]
        before = store.last_numbers()[0]
        assert store.merge("s", "ann") == 1
        assert not store.snapshot(None, "s").events
        assert len(store.snapshot("ann", after=before).events) == 1  # nobody has read past it
        store.add([event("3", None, session="s")])
        assert len(store.snapshot("ann").events) == 2
        assert store.merge("s", "bob") == 0
        assert not store.snapshot("bob").events

    def test_who_is_forgotten_leaves_a_mark_that_tells_nothing(self, store):
        store.add([event("1"), event("2", "bob"), event("3", None, session="s")])
        store.merge("s", "ann")
        store.set_controls("ann", [Control("1", 0.0, ("tea",))])
        store.add_impressions([shown("r", "ann"), shown("r2", "bob")])
        erased = {"impressions": 1, "events": 2, "people": 1, "profiles": 0, "sessions": 1}
        assert store.forget("ann") == erased
        assert store.snapshot("ann")[1:] == (((), None, None), ())
        assert len(store.snapshot("bob").events) == 1
        with store.reader.connect() as connection:
            rows = [
                str(row)
                for table in metadata.sorted_tables
                for row in connection.execute(table.select())
            ]
        assert not any("ann" in row for row in rows)
        assert store.mark("ann") in store.forgotten()

    def test_events_from_before_a_forgetting_stay_out_and_later_ones_begin_anew(self, store):
        store.forget("ann")
        at = store.forgotten()[store.mark("ann")]
        found = store.add([event("1", time=at), event("2", time=at + 1)])
        assert found == (1, 0, ((0, REASONS["forgotten"]),))
        store.add_impressions([shown("r", "ann", time=at), shown("r", "ann", time=at + 1)])
        assert store.counts()["impressions"] == 1

    def test_changes_come_in_order_and_an_item_has_one_row(self, store):
        first = store.publish("state", {"tea": {"stock": 3}})
        last = store.publish("state", {"tea": {"hidden": True}, "cup": {"stock": 0}})
        assert store.revision == last == first + 2
        assert [(c.key, c.content) for c in store.changes(0)] == [
            ("tea", {"stock": 3, "hidden": True}),
            ("cup", {"stock": 0}),
        ]
        assert store.changes(last) == []

    def test_who_reads_up_to_a_number_misses_nothing_below_it(self, store):
        """Writers at once, and a reader that asks again and again what came since."""
        done, seen, last = threading.Event(), [], 0

        def write(writer):
            for number in range(20):
                store.add([event(f"{writer}-{number}-{n}", f"u{writer}") for n in range(5)])

        writers = [threading.Thread(target=write, args=(w,)) for w in range(4)]
        for writer in writers:
            writer.start()
        while not done.is_set():
            if not any(writer.is_alive() for writer in writers):
                done.set()
            until = store.last_numbers()[0]
            seen += [e.id for e in store.events_between(last, until)]
            last = until
        assert len(seen) == len(set(seen)) == 400

    def test_an_error_within_a_transaction_leaves_nothing(self, store):
        with pytest.raises(ZeroDivisionError), writing(store.engine) as connection:  # noqa: PT012
            connection.execute(metadata.tables["sessions"].insert().values(session="s", user="u"))
            _ = 1 / 0
        assert store.merge("s", "ann") == 0
        store.add([event("1", None, session="s")])
        assert len(store.snapshot("ann").events) == 1


class TestSQLite(StoreSuite):
    @pytest.fixture
    def address(self, tmp_path):
        return f"sqlite:///{tmp_path / 'store.sqlite'}"

    def test_a_commit_is_on_the_disk(self, store):
        with store.engine.connect() as connection:
            assert connection.exec_driver_sql("pragma synchronous").scalar() == 2
            assert connection.exec_driver_sql("pragma journal_mode").scalar() == "wal"


@pytest.fixture(scope="module")
def cluster():
    with postgres.cluster() as address:
        yield address


@pytest.mark.skipif(postgres.BINARIES is None, reason=postgres.WHY)
class TestPostgreSQL(StoreSuite):
    @pytest.fixture
    def address(self, cluster):
        store = Store(cluster)
        metadata.drop_all(store.engine)
        store.close()
        return cluster


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("nonsense", "expected --database as sqlite:///"),
        ("mysql://u@h/d", "expected a database of SQLite or PostgreSQL"),
        ("sqlite://", "expected a file"),
    ],
)
def test_an_address_that_is_none_is_told(address, expected):
    with pytest.raises(ConfigError, match=expected):
        Store(address)


def test_a_store_of_0_1_0_opens(tmp_path):
    """Its columns keep their names, under which the records of today are read and written."""
    file = tmp_path / "store.sqlite"
    dump = Path(__file__).parent.parent / "fixtures" / "store-0.1.0.sql"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    with closing(Store(f"sqlite:///{file}")) as store:
        assert [event.about for event in store.snapshot("ann").events] == ["tea"]
        assert store.snapshot(None, "s-9").events[0].about == "green tea"
        assert store.snapshot("bob").preferences.consent is False
        assert store.mark("eve") in store.forgotten()
        assert store.changes(0, "item")[0].content == {"title": "Tea pot"}
        store.add_impressions(
            [Impression("r2", "ann", None, "other", "d", "buy", 1, "tea", 1.0, None, 950)]
        )
        counts = [
            (row.variant, row.impressions, row.clicks) for row in viewer_counts(store, ["buy"])
        ]
        assert counts == [("main", 2, 1), ("other", 1, 0)]
        rows = SubjectAccess(store).records("ann")["impressions"]
        assert [row["variant"] for row in rows] == ["main", "main", "other"]
