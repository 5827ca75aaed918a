import math

import pytest

from penchant.config import CleaningSettings
from penchant.data.cleaning.report import CleaningReport
from penchant.data.ingest import ingest
from penchant.data.io.load import load
from penchant.errors import ConfigError, DataError, StrictError

HEAD = "user,item,behavior,domain,timestamp,value,event_id"


def run(tmp_path, rows, head=HEAD, items=None, strict=False, **settings):
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "e.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    if items is not None:
        (tmp_path / "i.csv").write_text("\n".join(["item,title", *items]) + "\n", encoding="utf-8")
    return ingest(
        tmp_path / "e.csv",
        tmp_path / "d",
        items=tmp_path / "i.csv" if items is not None else None,
        settings=CleaningSettings(**settings),
        strict=strict,
    )


def summary(report):
    return [(f.rule, f.action, f.count) for f in report.findings]


def test_clean_data_yields_no_finding(tmp_path):
    rows = [f"u{n % 3},i{n},view,shop,{1700000000 + n},1," for n in range(9)]
    report = run(tmp_path, rows, strict=True)
    assert report.findings == []
    assert report.rows == {"events": (9, 9)}


def test_the_same_event_at_three_times_counts_three(tmp_path):
    rows = [f"u,i,view,shop,{1700000000 + n},," for n in range(3)]
    report = run(tmp_path, rows, repeats="merge", strict=True)
    assert report.rows_out == 3
    assert len(load(tmp_path / "d").events) == 3


@pytest.mark.parametrize(("repeats", "left"), [("keep", 4), ("merge", 2)])
def test_repeats_without_an_identifier(tmp_path, repeats, left):
    rows = [f"u,{i},view,shop,1700000000,," for i in "aaab"]
    report = run(tmp_path, rows, repeats=repeats)
    assert report.count("repeated event") == 2
    assert [e["row"] for e in report.findings[0].examples] == [2, 3]
    assert report.rows == {"events": (4, left)}


def test_repeats_with_an_identifier_are_merged_into_the_first(tmp_path):
    rows = ["u,a,view,s,1700000000,1,x", "u,b,view,s,1700000001,2,x", "u,a,view,s,1700000000,3,y"]
    report = run(tmp_path, rows)
    assert summary(report) == [("repeated event_id", "merged", 1)]
    assert load(tmp_path / "d").events.value.tolist() == [1, 3]


def test_all_rows_equal(tmp_path):
    report = run(tmp_path, ["u,a,view,s,1700000000,1,"] * 50)
    assert summary(report) == [("repeated event", "kept", 49)]
    assert report.rows_out == 50


def test_missing_cells_are_counted_once_each(tmp_path):
    rows = [
        ",a,view,s,1700000000,1,",
        '"","",view,s,1700000000,1,',
        "u,,view,s,1700000000,1,",
        "u,a,,s,1700000001,1,",
        "u,a,view,,1700000002,1,",
        "u,a,view,s,,1,",
        "u,a,view,s,yesterday,1,",
    ]
    report = run(tmp_path, rows)
    assert summary(report) == [
        ("missing user", "dropped", 2),
        ("missing item", "dropped", 1),
        ("missing behavior", "filled", 1),
        ("missing domain", "filled", 1),
        ("unreadable time", "unset", 1),
        ("missing time", "kept", 1),
        ("repeated event", "kept", 1),
    ]
    assert report.findings[4].examples[0]["received"] == "yesterday"
    data = load(tmp_path / "d")
    assert [b.name for b in data.catalogue.behaviors] == ["event", "view"]
    assert data.catalogue.domains == ("default", "s")
    assert data.events.time.tolist() == [0, 0, 1700000001000, 1700000002000]


def test_missing_cells_can_be_dropped(tmp_path):
    rows = [
        "u,a,,s,1700000001,1,",
        "u,a,view,,1700000002,1,",
        "u,a,view,s,,1,",
        "u,a,view,s,nan,1,",
        "u,b,view,s,1700000003,1,",
    ]
    drop = {f"missing_{name}": "drop" for name in ("behavior", "domain", "time")}
    report = run(tmp_path, rows, **drop)
    assert all(f.action == "dropped" and f.count == 1 for f in report.findings)
    assert report.rows == {"events": (5, 1)}


@pytest.mark.parametrize("action", ["drop", "unset", "keep"])
def test_impossible_dates(tmp_path, action):
    rows = [
        f"u,{i},view,s,{t},,"
        for i, t in zip("abcd", [-428716800, 0, 1700000000, 32503680000], strict=True)
    ]
    report = run(tmp_path, rows, junk_dates=action)
    (finding,) = report.findings
    assert (finding.rule, finding.count) == ("impossible date", 3)
    assert [e["date"] for e in finding.examples] == ["1956-06-01", "1970-01-01", "3000-01-01"]
    data = load(tmp_path / "d")
    assert len(data.events) == (1 if action == "drop" else 4)
    if action == "keep":
        assert data.events.time.tolist()[0] == -428716800000


def test_the_limits_of_dates_are_settings(tmp_path):
    rows = ["u,a,view,s,1700000000,,", "u,b,view,s,1600000000,,"]
    report = run(tmp_path, rows, earliest="2021-01-01", latest="2024-01-01")
    assert report.count("impossible date") == 1
    with pytest.raises(ConfigError, match=r"cleaning\.earliest: expected an ISO date"):
        run(tmp_path, rows, earliest="soon")


def test_positions_are_never_impossible_dates(tmp_path):
    assert run(tmp_path, ["u,a,view,s,0,,", "u,b,view,s,1,,"], strict=True).rows_out == 2


@pytest.mark.parametrize("action", ["unset", "drop"])
def test_bad_values(tmp_path, action):
    values = ["nan", "inf", "-inf", "five", "", "5", " 4 ", "1e999"]
    rows = [f"u,i{n},rate,s,170000000{n},{v}," for n, v in enumerate(values)]
    report = run(tmp_path, rows, bad_values=action)
    (finding,) = report.findings
    assert (finding.rule, finding.count) == ("bad value", 5)
    assert [e["received"] for e in finding.examples] == ["nan", "inf", "-inf", "five", "1e999"]
    value = load(tmp_path / "d").events.value
    assert len(value) == (8 if action == "unset" else 3)
    assert sorted(v for v in value if not math.isnan(v)) == [4, 5]


def test_negative_and_zero_ratings_are_kept(tmp_path):
    rows = [f"u,i{n},rate,s,170000000{n},{v}," for n, v in enumerate(["-3", "0", "-0.5"])]
    assert run(tmp_path, rows, strict=True).rows_out == 3
    assert load(tmp_path / "d").events.value.tolist() == [-3, 0, -0.5]


def crowd(users, bot):
    rows = [f"u{u},i{n},view,s,,," for u in range(users) for n in range(1 + u % 20)]
    return rows + [f"bot,i{n},view,s,,," for n in range(bot)]


@pytest.mark.parametrize(("settings", "left"), [({}, 0), ({"bots": "keep"}, 3000)])
def test_a_bot_is_caught_alone(tmp_path, settings, left):
    rows = crowd(200, 3000)
    report = run(tmp_path, rows, **settings)
    finding = next(f for f in report.findings if f.rule == "bot-like users")
    assert (finding.count, finding.detail) == (3000, "1 user")
    assert finding.examples == ({"user": "bot", "events": 3000},)
    assert report.rows_out == len(rows) - 3000 + left


def test_an_active_reader_among_people_alike_is_no_bot(tmp_path):
    rows = [f"u{u},i{u},view,s,,," for u in range(100)] + [f"v,i{n},view,s,,," for n in range(100)]
    assert run(tmp_path, rows).count("bot-like users") == 0


@pytest.mark.parametrize("action", ["keep", "drop"])
def test_unknown_and_duplicate_items(tmp_path, action):
    rows = ["u,a,view,s,1,,", "u,x,view,s,2,,", "u,b,view,s,3,,"]
    items = ["a,First", "b,B", "a,Second", ",None"]
    report = run(tmp_path, rows, items=items, unknown_items=action)
    assert [(f.table, f.rule, f.count) for f in report.findings] == [
        ("items", "missing item", 1),
        ("items", "duplicate items", 1),
        ("events", "unknown items", 1),
    ]
    assert report.rows == {"events": (3, 2 if action == "drop" else 3), "items": (4, 2)}
    catalogue = load(tmp_path / "d").catalogue
    assert catalogue.items.ids == (("a", "b") if action == "drop" else ("a", "b", "x"))
    assert catalogue.titles[:2] == ("First", "B")


def test_the_core_is_iterated_until_it_holds(tmp_path):
    # a chain: dropping w leaves item c with one event, and that leaves v with one
    pairs = ["ua", "ub", "xa", "xb", "va", "vc", "wc"]
    rows = [f"{p[0]},{p[1]},view,s,{n},," for n, p in enumerate(pairs)]
    report = run(tmp_path, rows, min_user_events=2, min_item_events=2)
    (finding,) = report.findings
    assert (finding.rule, finding.count) == ("k-core", 3)
    assert [e["row"] for e in finding.examples] == [5, 6, 7]
    assert load(tmp_path / "d").users.ids == ("u", "x")


def test_a_core_that_leaves_nothing_is_an_error(tmp_path):
    with pytest.raises(DataError, match="received none of 1 rows: events: k-core: 1 row dropped"):
        run(tmp_path, ["u,a,view,s,1,,"], min_user_events=5)
    assert not (tmp_path / "d").exists()


def test_strict_lists_the_findings_and_writes_nothing(tmp_path):
    rows = ["u,a,view,s,1700000000,nan,", ",a,view,s,1700000000,1,", "broken"]
    with pytest.raises(StrictError) as error:
        run(tmp_path, rows, strict=True)
    for words in ("malformed rows: 1 row", "missing user: 1 row", "bad value: 1 row"):
        assert words in str(error.value)
    assert not (tmp_path / "d").exists()


def test_a_column_that_never_was_is_a_note_and_no_finding(tmp_path):
    report = run(tmp_path, ["u,a", "u,b"], head="user,item", strict=True)
    assert any("no behavior column" in note for note in report.notes)
    assert any("no timestamp column" in note for note in report.notes)


def test_the_report_is_told_to_people_and_machines(tmp_path):
    report = run(tmp_path, ["u,a,view,s,1700000000,nan,", "u,b,view,s,1700000001,1,"])
    assert "events: bad value: 1 row unset" in report.lines()
    assert any("received 'nan'" in line for line in report.lines())
    told = report.to_dict()
    assert told["rows"] == {"events": {"in": 2, "out": 2}}
    assert told["findings"][0]["examples"] == [
        {"row": 1, "user": "u", "item": "a", "received": "nan"}
    ]
    assert CleaningReport.from_dict(told) == report


def test_one_user_with_one_item(tmp_path):
    assert run(tmp_path, ["u,a,view,s,1700000000,,"], strict=True).rows_out == 1
    data = load(tmp_path / "d")
    assert (len(data.users), len(data.catalogue), len(data.events)) == (1, 1, 1)
