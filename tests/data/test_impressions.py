"""Impressions stand beside the events: cleaned and counted, never an event, read on demand."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest

from penchant.data.ingest import ingest
from penchant.data.io.from_columns import from_columns
from penchant.data.io.impressions import Impressions, read_impressions
from penchant.data.io.load import load
from penchant.data.io.save import save
from penchant.data.vocabulary import Vocabulary
from penchant.errors import ConfigError, DataError, StrictError
from penchant.storage.database import write_parquet

EVENTS = "user,item,behavior,timestamp\nann,tea,click,1700000000\nbo,cup,click,1700000060\n"
ROWS = [
    "r1,ann,tea,1,0.5,1,1700000000",
    "r1,ann,cup,2,0.25,0,1700000000",
    "r2,bo,cup,1,1,TRUE,1700000060",
    "r2,bo,new,2,0.5,false,1700000060",
    "r3,,tea,1,0.5,0,1700000061",
    "r3,bo,,1,0.5,0,1700000061",
    "r3,bo,tea,1,0.5,maybe,1700000061",
    "r3,bo,tea,1,0.5,,1700000061",
    "r4,cy,tea,first,1.5,0,soon",
    ",ann,pot,,,0,",
]
HEAD = "request_id,user,item,position,propensity,clicked,timestamp"


@pytest.fixture
def shown(tmp_path):
    (tmp_path / "e.csv").write_text(EVENTS)
    (tmp_path / "i.csv").write_text("item,title\ntea,Tea\nnew,New\n")
    (tmp_path / "s.csv").write_text("\n".join([HEAD, *ROWS]) + "\n")
    return tmp_path


def stored(folder):
    path = folder / "d" / "impressions.parquet"
    return duckdb.sql(f"select * from read_parquet('{path}')").fetchall()


def test_bad_rows_are_counted_and_left_out(shown):
    report = ingest(
        shown / "e.csv", shown / "d", items=shown / "i.csv", impressions=shown / "s.csv"
    )
    assert report.rows["impressions"] == (10, 6)
    assert report.rows["events"] == (2, 2)
    found = [(f.rule, f.action, f.count) for f in report.findings if f.table == "impressions"]
    assert found == [
        ("missing user", "dropped", 1),
        ("missing item", "dropped", 1),
        ("neither clicked nor not", "dropped", 2),
        ("bad position", "unset", 1),
        ("bad propensity", "unset", 1),
        ("unreadable time", "unset", 1),
    ]
    assert report.findings[-1].examples[0]["received"] == "soon"
    rows = stored(shown)
    assert rows[0] == ("r1", "ann", "tea", 1, 0.5, True, 1_700_000_000_000)
    assert rows[3] == ("r2", "bo", "new", 2, 0.5, False, 1_700_000_060_000)
    assert rows[4] == ("r4", "cy", "tea", None, None, False, None)
    assert rows[5] == (None, "ann", "pot", None, None, False, None)


def test_they_are_no_events_and_bring_no_items(shown):
    ingest(shown / "e.csv", shown / "d", items=shown / "i.csv", impressions=shown / "s.csv")
    data = load(shown / "d")
    assert len(data.events) == 2
    assert data.users.ids == ("ann", "bo")
    assert data.catalogue.items.ids == ("cup", "new", "tea")  # pot stands in no table of items
    found = read_impressions(shown / "d", data)
    ids = data.catalogue.items.ids
    assert [data.users.ids[user] for user in found.user] == ["ann", "ann", "bo", "bo"]
    assert [ids[item] for item in found.item] == ["tea", "cup", "cup", "new"]
    assert found.clicked.tolist() == [True, False, True, False]
    assert [found.requests.ids[request] for request in found.request] == ["r1", "r1", "r2", "r2"]
    assert (found.unknown_users, found.unknown_items) == (1, 1)


def test_a_mapping_takes_them_from_a_query(shown):
    mapping = shown / "map.toml"
    mapping.write_text(
        '[events]\nfile = "e.csv"\n[impressions]\nsql = """select "user", item, position = \'1\' '
        "as clicked from read_csv('s.csv', all_varchar = true) where request_id < 'r3'\"\"\"\n"
    )
    report = ingest(shown, shown / "d", mapping=mapping)
    assert report.rows["impressions"] == (4, 4)
    assert stored(shown) == [
        ("ann", "tea", True),
        ("ann", "cup", False),
        ("bo", "cup", True),
        ("bo", "new", False),
    ]
    found = read_impressions(shown / "d", load(shown / "d"))
    assert found.request.tolist() == [-1] * 3
    assert found.unknown_items == 1


def test_writing_again_leaves_none_of_the_old(shown):
    ingest(shown / "e.csv", shown / "d", impressions=shown / "s.csv")
    data = load(shown / "d")
    ingest(shown / "e.csv", shown / "d")
    with pytest.raises(DataError, match=r"expected impressions\.parquet in .*received none"):
        read_impressions(shown / "d", data)
    save(data, shown / "saved")
    assert not (shown / "saved" / "impressions.parquet").exists()


def test_what_cannot_be_read_is_an_error(shown):
    ingest(shown / "e.csv", shown / "d")
    data = load(shown / "d")
    file = shown / "d" / "impressions.parquet"
    write_parquet(file, {"user": ["ann"], "item": ["tea"]})
    with pytest.raises(DataError, match="expected a column 'clicked', received user, item"):
        read_impressions(shown / "d", data)
    write_parquet(file, {"user": ["ann"] * 2, "item": ["tea"] * 2, "clicked": ["1", "perhaps"]})
    with pytest.raises(DataError, match="row 1 of column 'clicked'"):
        read_impressions(shown / "d", data)
    with pytest.raises(StrictError, match="impressions: missing user: 1 row dropped"):
        ingest(shown / "e.csv", shown / "d", impressions=shown / "s.csv", strict=True)
    (shown / "s.csv").write_text("user,item\nann,tea\n")
    with pytest.raises(DataError, match="expected a column for clicked"):
        ingest(shown / "e.csv", shown / "d", impressions=shown / "s.csv")
    (shown / "map.toml").write_text('[impressions.columns]\nuser = "user"\nprice = "item"\n')
    with pytest.raises(ConfigError, match=r"column of \[impressions\] in the mapping 'price'"):
        ingest(
            shown / "e.csv",
            shown / "d",
            impressions=shown / "s.csv",
            mapping=shown / "map.toml",
        )


def test_the_command_takes_a_file_of_them(shown):
    command = [sys.executable, "-m", "penchant.cli", "ingest", "e.csv", "--impressions", "s.csv"]
    command += ["--out", "d", "--json"]
    done = subprocess.run(command, cwd=shown, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["rows"]["impressions"] == {"in": 10, "out": 6}


def test_the_benchmark_asks_who_clicked_some_and_not_others(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    script = importlib.import_module("impressions")
    shown = Impressions(
        user=np.array([0, 0, 0, 0, 1, 1, 2, 2, 2]),
        item=np.array([0, 1, 2, 1, 0, 1, 0, 1, 2]),
        clicked=np.array([True, True, False, False, True, True, False, True, False]),
        request=np.zeros(9, np.int64),
        requests=Vocabulary(("test",)),
        unknown_users=0,
        unknown_items=0,
    )
    cases = script.asked(shown, shown.request == 0)
    assert [(user, items.tolist(), clicked.tolist()) for user, items, clicked in cases] == [
        (0, [0, 1, 2], [True, True, False]),
        (2, [0, 1, 2], [False, True, False]),
    ]
    data = from_columns(["a", "b", "c"], ["x", "y", "z"])

    class Fixed:
        def score(self, histories):
            return np.array([[2.0, 0.0, 1.0], [-np.inf, 1.0, -np.inf]])[: len(histories)]

    assert script.aucs(Fixed(), data, cases).tolist() == [0.5, 1.0]
    monkeypatch.setattr(Fixed, "score", lambda self, histories: np.full((2, 3), -np.inf))
    assert script.aucs(Fixed(), data, cases).tolist() == [0.5, 0.5]
