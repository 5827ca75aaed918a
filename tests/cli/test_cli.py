"""The commands as a person runs them: real files, a CSV of one's own."""

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

import duckdb
import pytest

from penchant.cli import main

EVENTS = """user_id,product,action,when
ann,tea,view,2024-03-01T10:00:00
ann,cup,view,2024-03-01T10:01:00
ann,pot,buy,2024-03-02T09:00:00
bo,tea,view,2024-03-01T11:00:00
bo,cup,view,2024-03-01T11:05:00
bo,pot,buy,2024-03-03T11:00:00
cy,tea,view,2024-03-04T08:00:00
cy,"milk, whole",buy,2024-03-04T08:10:00
cy,茶,buy,2024-03-05T08:10:00
di,tea,buy,not a date
"""


def penchant(*arguments, code=0):
    """Run a command; its stdout, and its stderr where it was to fail."""
    out, errors = io.StringIO(), io.StringIO()
    command = ["penchant", *map(str, arguments)]
    with (
        redirect_stdout(out),
        redirect_stderr(errors),
        mock.patch.object(sys, "argv", command),
        pytest.raises(SystemExit) as end,
    ):
        main()
    assert end.value.code == code, errors.getvalue()
    return errors.getvalue() if code else out.getvalue()


def document(*arguments):
    """The JSON document of a command; stdout must hold nothing else."""
    return json.loads(penchant(*arguments, "--json"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop's own CSV, ingested and fitted."""
    home = tmp_path_factory.mktemp("shop")
    (home / "events.csv").write_text(EVENTS, encoding="utf-8")
    (home / "map.toml").write_text(
        'target = "buy"\n[events.columns]\n'
        'user = "user_id"\nitem = "product"\nbehavior = "action"\ntimestamp = "when"\n',
        encoding="utf-8",
    )
    arguments = home / "events.csv", "--mapping", home / "map.toml", "--out", home / "data"
    report = document("ingest", *arguments)
    assert report["rows"]["events"] == {"in": 10, "out": 10}
    assert [f["rule"] for f in report["findings"]] == ["unreadable time"]
    fitted = document("fit", home / "data", "--out", home / "run")
    assert fitted["model"] == "transition"
    assert any("not evaluated" in note for note in fitted["notes"])
    return home


def test_it_is_a_program_of_its_own():
    command = [sys.executable, "-m", "penchant.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("penchant ")


def test_recommend_in_its_ways(shop):
    run = shop / "run"
    found = document("recommend", run, "--user", "ann", "-k", "2", "--explain")
    assert set(found) == {"user", "source", "items", "short", "unknown"}
    assert found["source"] == "transition"
    assert set(found["items"][0]) >= {"item", "score", "probability", "title", "reasons"}
    assert document("recommend", run, "--history", "tea,cup")["items"][0]["item"] == "pot"
    odd = document("recommend", run, "--history", '["milk, whole", "gone"]')
    assert odd["unknown"] == ["gone"]
    assert odd["items"][0]["item"] == "茶"
    unknown = document("recommend", run, "--user", "zoe")
    assert unknown["source"] == "popular"
    text = penchant("recommend", run, "--user", "zoe")
    assert "user zoe is not in the run" in text
    assert "茶" in penchant("recommend", run, "--user", "bo")


def test_recommend_by_rules(shop, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text('deny = ["茶"]\nexplore = 1\n[repeat]\nview = true\n', "utf-8")
    asked = "recommend", shop / "run", "--user", "cy", "-k", "2", "--rules", rules
    found = document(*asked, "--request", "7", "--explain")
    assert found["removed"] == {"deny": 1, "seen": 1}
    assert found["left"] == 3
    assert {item["item"] for item in found["items"]} < {"tea", "cup", "pot"}
    (place,) = found["explored"]
    assert sorted(item["propensity"] for item in found["items"]) == [0.5, 1.0]
    assert found["items"][place - 1]["propensity"] == 0.5
    assert document(*asked, "--request", "7", "--explain") == found
    text = penchant(*asked, "--request", "7")
    assert "removed by seen: 1 item\n" in text
    explored = found["items"][place - 1]["item"]
    assert f"explored at place {place}: {explored}, propensity 0.5" in text
    plain = document("recommend", shop / "run", "--user", "ann")
    varied = document("recommend", shop / "run", "--user", "ann", "--diversity", "0")
    assert [i["item"] for i in varied["items"]] == [i["item"] for i in plain["items"]]


def test_recommend_for_all_writes_parquet(shop, tmp_path):
    out = tmp_path / "all.parquet"
    found = document("recommend", shop / "run", "--all", "--out", out, "-k", "3")
    assert found["users"] == 4
    rows = duckdb.sql(f"select * from '{out}' order by user, rank").fetchall()
    assert len(rows) == found["rows"]
    alone = document("recommend", shop / "run", "--user", "ann", "-k", "3")
    assert [row[1] for row in rows if row[0] == "ann"] == [i["item"] for i in alone["items"]]


def test_similar_and_explain(shop):
    found = document("similar", shop / "run", "--item", "pot")
    assert "pot" not in [row["item"] for row in found["items"]]
    told = document("explain", shop / "run", "--user", "ann", "--item", "pot")
    assert sum(r["contribution"] for r in told["reasons"]) == pytest.approx(told["score"])
    assert "is the sum of these events" in penchant(
        "explain", shop / "run", "--history", "tea,cup", "--item", "pot"
    )


def test_update_then_forget(shop, tmp_path):
    events = tmp_path / "more.csv"
    events.write_text(
        "user,item,behavior,timestamp\neve,sugar,buy,2024-04-01\nann,sugar,buy,2024-04-02\n",
        encoding="utf-8",
    )
    items = tmp_path / "items.csv"
    items.write_text("item,title,tags\nhoney,Honey,sweet|bee\nsugar,Sugar,sweet\n", "utf-8")
    new = tmp_path / "run"
    found = document("update", shop / "run", "--events", events, "--items", items, "--out", new)
    assert (found["events"], found["users"], found["items"]) == (2, 1, 2)
    assert 0 < found["solved"] <= found["columns"]
    assert document("recommend", new, "--user", "eve")["source"] == "transition"
    honey = next(
        i for i in document("recommend", new, "--user", "eve")["items"] if i["item"] == "honey"
    )
    assert (honey["title"], honey["source"]) == ("Honey", "transition")
    only = tmp_path / "only.csv"
    only.write_text("item,title,tags\njam,Jam,sweet\n", "utf-8")
    assert document("update", new, "--items", only)["items"] == 1
    gone = document("forget", new, "--user", "eve", "--user", "ann")
    assert (gone["users"], gone["events"]) == (2, 5)
    assert document("recommend", new, "--user", "eve")["source"] == "popular"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("recommend", "{run}"), "expected one of --user, --history and --all"),
        (("recommend", "{run}", "--user", "ann", "--behavior", "veiw"), "unknown behavior 'veiw'"),
        (("recommend", "{run}", "--all"), "expected --out FILE.parquet"),
        (("recommend", "{run}", "--all", "--diversity", "1"), "beside --user or --history"),
        (("recommend", "{run}", "--user", "ann", "--diversity", "2"), "received 2"),
        (("recommend", "{run}", "--user", "ann", "--rules", "{home}/map.toml"), "Known keys"),
        (("recommend", "{run}", "--history", "[1"), "a JSON list of texts"),
        (("similar", "{run}", "--item", "x"), "unknown item 'x'"),
        (("forget", "{run}", "--user", "x"), "unknown user 'x'"),
        (("update", "{run}"), "expected --events, --items"),
        (("evaluate", "{home}/nowhere"), "expected a saved run"),
        (("fit", "{home}/nowhere", "--out", "{home}/r"), "expected a DATA directory"),
        (("fit", "{home}/data", "--out", "{home}/r", "--model", "deep"), "unknown model 'deep'"),
        (("fit", "{home}/data", "--out", "{home}/r", "--set", "tarnsition.decay=1"), "tarnsition"),
        (("benchmark", "{home}/data"), "finds nobody to test"),
        (("benchmark", "{home}/data", "--models", "als,nope"), "nobody to test"),
        (("ingest", "{home}/nothing.csv", "--out", "{home}/d"), "expected a file"),
        (("ingest", "{home}/events.csv", "--out", "{home}/data"), "replace it with --force"),
        (("fit", "{home}/data", "--out", "{home}/run"), "replace it with --force"),
        (("demo", "--out", "{home}"), "replace it with --force"),
        (
            ("update", "{run}", "--items", "x.csv", "--out", "{home}/data"),
            "replace it with --force",
        ),
        (("forget", "{run}", "--user", "ann", "--out", "{home}/data"), "replace it with --force"),
        (
            ("forget", "{run}", "--user", "ann", "--receipt", "{home}/map.toml"),
            "a new or empty --receipt",
        ),
    ],
)
def test_bad_input_is_one_line_of_error(shop, arguments, message):
    filled = [part.format(run=shop / "run", home=shop) for part in arguments]
    told = penchant(*filled, code=1)
    assert "error: " in told
    assert message in told
    assert "Traceback" not in told


def test_the_verdict_comes_first_and_details_with_verbose(shop, tmp_path):
    files = shop / "events.csv", "--mapping", shop / "map.toml"
    text = penchant("ingest", *files, "--out", tmp_path / "data")
    assert text.startswith("All 10 rows of events kept.\n")
    assert "also found: unreadable time in 1 row (unset)" in text
    assert "not a date" not in text
    assert "not a date" in penchant(
        *("ingest", *files, "--out", tmp_path / "data", "--force", "--verbose")
    )
    text = penchant("fit", shop / "data", "--out", tmp_path / "run")
    assert text.startswith("No events were held out, so nothing was measured")
    assert "decay" not in text
    for command in (
        ("fit", shop / "data", "--out", tmp_path / "run", "--force"),
        ("evaluate", tmp_path / "run"),
    ):
        assert "\n  decay = " in penchant(*command, "--verbose")


def test_strict_makes_a_finding_an_error(shop, tmp_path):
    told = penchant(
        *("ingest", shop / "events.csv", "--mapping", shop / "map.toml"),
        *("--out", tmp_path / "d", "--strict"),
        code=1,
    )
    assert "unreadable time: 1 row" in told
    assert not (tmp_path / "d").exists()
