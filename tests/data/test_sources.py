import csv
import json
from pathlib import Path

import numpy as np
import pytest

from penchant.config import CleaningSettings
from penchant.data.ingest import ingest
from penchant.data.io.load import load
from penchant.data.readers.column_mapping import DataMapping
from penchant.errors import ConfigError, DataError, StrictError
from penchant.storage.database import connect, write_parquet

LENIENT = CleaningSettings(bots="keep")
IDS = [
    "007",
    "7",
    "商品/1",
    "\u00e9",
    "e\u0301",
    " x",
    "x ",
    "😀",
    "\uffff",
    'say "hi"',
    "a,b",
    "two\nlines",
    "9223372036854775807",
    "NULL",
    "nan",
    "1e5",
    "a\tb",
    "it's",
]


def put(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def items_of(data, user="u"):
    return [data.catalogue.items.ids[i] for i in data.history(user).events.item]


@pytest.mark.parametrize(
    "times",
    [
        ["1700000100", "1700000050", "1700000000"],
        ["1700000100000", "1700000050000", "1700000000000"],
        ["1700000100000000", "1700000050000000", "1700000000000000"],
        ["1700000100000000000", "1700000050000000000", "1700000000000000000"],
        ["1700000100.0", "1.70000005e9", "1700000000"],
        ["2023-11-14T22:15:00Z", "2023-11-14T22:14:10Z", "2023-11-14T22:13:20Z"],
        ["2023-11-14 22:15:00", "2023-11-15T00:14:10+02:00", "2023-11-14 22:13:20.000"],
    ],
)
def test_events_are_ordered_by_time_in_every_unit(tmp_path, times):
    rows = "".join(f"u,i{n},{time}\n" for n, time in enumerate(times))
    ingest(put(tmp_path / "e.csv", "user,item,timestamp\n" + rows), tmp_path / "d")
    data = load(tmp_path / "d")
    assert items_of(data) == ["i2", "i1", "i0"]
    assert data.events.time.tolist() == [1700000000000, 1700000050000, 1700000100000]
    assert data.time == "clock"


def test_milliseconds_are_cut_exactly_from_nanoseconds(tmp_path):
    text = "user,item,timestamp\nu,a,1700000000122999999\nu,b,1700000000123000000\n"
    ingest(put(tmp_path / "e.csv", text), tmp_path / "d")
    assert load(tmp_path / "d").events.time.tolist() == [1700000000122, 1700000000123]


def test_equal_times_keep_the_order_of_the_file_whatever_other_users_do(tmp_path):
    rng = np.random.default_rng(0)
    own = [f"u,i{n:03d},1700000000" for n in rng.permutation(200)]
    for turn in range(3):
        others = [f"o{rng.integers(50)},i{rng.integers(99)},1700000000" for _ in range(500)]
        place = np.sort(rng.integers(0, len(others), len(own)))
        rows = list(others)
        for row, at in zip(reversed(own), reversed(place), strict=True):
            rows.insert(at, row)
        text = "\n".join(["user,item,timestamp", *rows])
        ingest(put(tmp_path / f"{turn}.csv", text), tmp_path / f"d{turn}")
        assert items_of(load(tmp_path / f"d{turn}")) == [row.split(",")[1] for row in own]


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "json", "parquet", "csv.gz"])
def test_identifiers_survive_byte_for_byte(tmp_path, form):
    path = tmp_path / f"e.{form}"
    if form == "parquet":
        write_parquet(path, {"user": IDS, "item": IDS})
    elif form == "jsonl":
        put(path, "\n".join(json.dumps({"user": i, "item": i}) for i in IDS))
    elif form == "json":
        put(path, json.dumps([{"user": i, "item": i} for i in IDS], ensure_ascii=False))
    else:
        plain = tmp_path / "plain"
        with plain.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t" if form == "tsv" else ",")
            writer.writerows([["user", "item"], *[[i, i] for i in IDS]])
        if form == "csv.gz":
            import gzip

            path.write_bytes(gzip.compress(plain.read_bytes()))
        else:
            plain.rename(path)
    report = ingest(path, tmp_path / "d")
    assert report.rows_in == report.rows_out == len(IDS)
    data = load(tmp_path / "d")
    assert data.users.ids == data.catalogue.items.ids == tuple(sorted(IDS))
    assert data.users.ids == tuple(sorted(IDS, key=lambda i: i.encode()))
    for name in IDS:
        assert items_of(data, name) == [name]


def test_json_integers_are_not_rounded(tmp_path):
    text = '{"user": 9223372036854775807, "item": 123456789012345678901234567890}\n'
    ingest(put(tmp_path / "e.jsonl", text + '{"user": 7, "item": "007"}\n\n'), tmp_path / "d")
    data = load(tmp_path / "d")
    assert data.users.ids == ("7", "9223372036854775807")
    assert data.catalogue.items.ids == ("007", "123456789012345678901234567890")


def test_parquet_integers_that_pandas_made_floats_are_read_as_integers(tmp_path):
    write_parquet(tmp_path / "e.parquet", {"user": np.array([7.0, 8.0]), "item": ["a", "b"]})
    ingest(tmp_path / "e.parquet", tmp_path / "d")
    assert load(tmp_path / "d").users.ids == ("7", "8")


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (["1700000000", "1700000000000"], ["1 seconds", "1 milliseconds", "1700000000000"]),
        (["1700000000", "2023-11-14"], ["1 seconds", "1 ISO dates", "2023-11-14"]),
        (["1700000000000000", "1700000000000"], ["microseconds"]),
        (["3", "2023-11-14"], ["small numbers"]),
    ],
)
def test_mixed_units_are_refused(tmp_path, times, words):
    text = "user,item,time\n" + "".join(f"u,i,{t}\n" for t in times)
    with pytest.raises(DataError, match="expected timestamps of one unit") as error:
        ingest(put(tmp_path / "e.csv", text), tmp_path / "d")
    assert all(word in str(error.value) for word in words)
    assert not (tmp_path / "d").exists()


def test_a_declared_unit_settles_a_mixture(tmp_path):
    text = "user,item,time\nu,a,1700000000\nu,b,1700000000000\n"
    mapping = DataMapping.model_validate({"events": {"unit": "s"}})
    report = ingest(put(tmp_path / "e.csv", text), tmp_path / "d", mapping=mapping)
    assert report.count("unreadable time") == 1


def test_small_numbers_are_an_order(tmp_path):
    text = "user,item,timestamp\nu,b,1\nu,a,0\nu,c,2\n"
    ingest(put(tmp_path / "e.csv", text), tmp_path / "d")
    data = load(tmp_path / "d")
    assert data.time == "order"
    assert items_of(data) == ["a", "b", "c"]
    assert data.events.time.tolist() == [0, 1, 2]


def test_a_fraction_is_no_position(tmp_path):
    with pytest.raises(DataError, match=r"whole numbers.*1\.5"):
        ingest(put(tmp_path / "e.csv", "user,item,time\nu,a,1.5\n"), tmp_path / "d")


def test_bad_encoding_names_file_line_and_byte(tmp_path):
    path = put(tmp_path / "e.csv", "user,item\nu,caf\u00e9\n", "latin-1")
    with pytest.raises(DataError, match=r"e\.csv, line 2, byte 15 \(0xe9\).*encoding="):
        ingest(path, tmp_path / "d")
    ingest(path, tmp_path / "d", encoding="latin-1")
    assert load(tmp_path / "d").catalogue.items.ids == ("caf\u00e9",)


def test_bad_byte_far_into_a_file_is_found_on_its_line(tmp_path):
    path = tmp_path / "e.csv"
    path.write_bytes(b"user,item\n" + b"u,\xe5\x95\x86\n" * 600_000 + b"u,\xff\n")
    with pytest.raises(DataError, match=rf"line 600002, byte {10 + 6 * 600_000 + 2} "):
        ingest(path, tmp_path / "d")


@pytest.mark.parametrize("encoding", ["gbk", "utf-16", "utf-8-sig"])
def test_chinese_in_other_encodings(tmp_path, encoding):
    path = put(tmp_path / "e.csv", "user,item\n" + "用户,商品\n" * 3, encoding)
    ingest(path, tmp_path / "d", encoding=encoding)
    data = load(tmp_path / "d")
    assert data.users.ids == ("用户",)
    assert items_of(data, "用户") == ["商品"] * 3


@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
def test_byte_order_mark_is_no_part_of_the_first_name(tmp_path, form):
    text = {
        "csv": "user,item\nu,i\n",
        "jsonl": '{"user": "u", "item": "i"}\n',
        "json": '[{"user": "u", "item": "i"}]',
    }[form]
    ingest(put(tmp_path / f"e.{form}", text, "utf-8-sig"), tmp_path / "d")
    assert load(tmp_path / "d").users.ids == ("u",)


def test_utf16_is_recognized_by_its_mark(tmp_path):
    path = put(tmp_path / "e.csv", "user,item\nu,i\n", "utf-16")
    with pytest.raises(DataError, match='pass encoding="utf-16"'):
        ingest(path, tmp_path / "d")
    with pytest.raises(ConfigError, match="unknown encoding 'klingon'"):
        ingest(path, tmp_path / "d", encoding="klingon")


def test_malformed_rows_are_counted_with_their_lines(tmp_path):
    text = 'user,item,value\na,"two\nlines",1\nshort,b\n\nb,b,1,2,3\nc,c,3\n'
    report = ingest(put(tmp_path / "e.csv", text), tmp_path / "d")
    (finding,) = report.findings
    assert (finding.rule, finding.count, finding.action) == ("malformed rows", 2, "dropped")
    assert [e["line"] for e in finding.examples] == [4, 6]
    assert finding.examples[0]["received"] == "short,b"
    assert (report.rows_in, report.rows_out) == (4, 2)


def test_malformed_rows_far_apart_are_all_counted(tmp_path):
    rows = [f"u{n % 100},i{n % 50}" for n in range(200_000)]
    bad = [7, 99_999, 199_999]
    for n in bad:
        rows[n] = "lonely"
    report = ingest(put(tmp_path / "e.csv", "user,item\n" + "\n".join(rows)), tmp_path / "d")
    finding = next(f for f in report.findings if f.rule == "malformed rows")
    assert [e["line"] for e in finding.examples] == [n + 2 for n in bad]
    assert report.rows["events"] == (200_000, 199_997)


def test_malformed_json_lines_are_counted(tmp_path):
    text = '{"user": "u", "item": "i"}\n\nnonsense\n[1]\n{"user": "u", "item": "j"}\n'
    report = ingest(put(tmp_path / "e.jsonl", text), tmp_path / "d")
    (finding,) = report.findings
    assert [e["line"] for e in finding.examples] == [3, 4]
    assert report.rows["events"] == (4, 2)


def test_a_quote_that_never_closes_takes_nothing_silently(tmp_path):
    text = "user,item\n" + "".join(f"u,i{n}\n" for n in range(5000))
    text = text.replace("u,i1000\n", 'u,"i1000\n')
    report = ingest(put(tmp_path / "e.csv", text), tmp_path / "d", settings=LENIENT)
    assert (report.rows_out, report.count("stray quotes")) == (5000, 1)
    assert report.findings[0].examples == ({"line": 1002, "received": 'u,"i1000'},)
    with pytest.raises(StrictError, match="stray quotes"):
        ingest(tmp_path / "e.csv", tmp_path / "d", strict=True)
    mapping = DataMapping.model_validate({"events": {"quote": ""}})
    report = ingest(tmp_path / "e.csv", tmp_path / "d", mapping=mapping, settings=LENIENT)
    assert report.rows_out == 5000


@pytest.mark.parametrize(
    "ends",
    [["\n"] * 4, ["\n", "\n", "\n", ""], ["\r\n"] * 4, ["\r\n", "\n", "\r\n", "\n"]],
)
def test_line_endings(tmp_path, ends):
    rows = zip(["user,item", "u,a", "u,b", "u,c"], ends, strict=True)
    report = ingest(put(tmp_path / "e.csv", "".join(r + e for r, e in rows)), tmp_path / "d")
    assert report.findings == []
    assert load(tmp_path / "d").catalogue.items.ids == ("a", "b", "c")


@pytest.mark.parametrize("text", ["user,item,Item\nu,i,j\n", "user,item,user\nu,i,j\n"])
def test_a_column_twice_is_refused(tmp_path, text):
    with pytest.raises(DataError, match="each column once"):
        ingest(put(tmp_path / "e.csv", text), tmp_path / "d")
    lines = '{"user": "u", "item": "i"}\n{"User": "u", "item": "i"}\n'
    with pytest.raises(DataError, match="each column once"):
        ingest(put(tmp_path / "e.jsonl", lines), tmp_path / "d")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_column_called_rowid_or_row_does_not_disturb_the_order(tmp_path, form):
    columns = {"rowid": ["3", "2", "1"], "user": ["u"] * 3, "item": ["c", "a", "b"]}
    rows = list(zip(*columns.values(), strict=True))
    path = tmp_path / f"e.{form}"
    if form == "csv":
        put(path, "\n".join(",".join(row) for row in [tuple(columns), *rows]))
    elif form == "jsonl":
        put(path, "\n".join(json.dumps(dict(zip(columns, row, strict=True))) for row in rows))
    else:
        write_parquet(path, columns)
    put(tmp_path / "i.csv", "item,row,RowId\na,1,2\nb,3,4\nc,5,6\n")
    ingest(path, tmp_path / "d", items=tmp_path / "i.csv")
    data = load(tmp_path / "d")
    assert items_of(data) == ["c", "a", "b"]
    assert data.catalogue.columns["row_"].tolist() == [1, 3, 5]


def test_float32_times_are_refused(tmp_path):
    times = np.array([1.7e9, 1.7e9 + 1], np.float32)
    write_parquet(tmp_path / "e.parquet", {"user": ["u"] * 2, "item": ["a", "b"], "time": times})
    with pytest.raises(DataError, match="float32"):
        ingest(tmp_path / "e.parquet", tmp_path / "d")


def test_keys_of_json_may_hold_any_sign(tmp_path):
    line = json.dumps({"user": "u", "item": "i", "a/b~c": 1, 'q"': [1, 2], "tags": ["x", "é y"]})
    put(tmp_path / "e.jsonl", line)
    put(tmp_path / "i.jsonl", line)
    ingest(tmp_path / "e.jsonl", tmp_path / "d", items=tmp_path / "i.jsonl")
    catalogue = load(tmp_path / "d").catalogue
    assert catalogue.columns["a/b~c"].tolist() == [1]
    assert catalogue.tags == (("x", "é y"),)


@pytest.mark.parametrize("text", ["", "user,item\n", "user,item"])
@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_an_empty_file_is_a_clear_error(tmp_path, text, form):
    if form == "tsv":
        text = text.replace(",", "\t")
    with pytest.raises(DataError, match=r"empty|no rows"):
        ingest(put(tmp_path / f"e.{form}", text), tmp_path / "d")
    with pytest.raises(DataError, match="received none"):
        ingest(tmp_path / "missing.csv", tmp_path / "d")


def test_unknown_columns_show_the_mapping_that_helps(tmp_path):
    path = put(tmp_path / "e.csv", "who,movieId,stars\na,b,3\n")
    with pytest.raises(DataError) as error:
        ingest(path, tmp_path / "d")
    message = str(error.value)
    assert "'who', 'movieId', 'stars'" in message
    assert '[events]\nfile = "e.csv"\ncolumns = {' in message
    toml = message[message.index("[events]") :].replace("...", "who")
    put(tmp_path / "m.toml", toml)
    ingest(tmp_path, tmp_path / "d", mapping=tmp_path / "m.toml")
    assert load(tmp_path / "d").users.ids == ("a",)


def test_names_are_recognized_and_said(tmp_path):
    text = "UserID,ASIN,Rating,ts,event_type,note\nu,i,3,1700000000,buy,hm\n"
    report = ingest(put(tmp_path / "e.csv", text), tmp_path / "d")
    assert any("user = UserID" in note and "'note'" in note for note in report.notes)
    data = load(tmp_path / "d")
    assert data.target == "buy"
    assert data.events.value.tolist() == [3]


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('[events]\nfile = "e.csv"\ncolums = {}', "colums"),
        ('[events]\nfile = "e.csv"\ncolumns = { usr = "user" }', "unknown column"),
        ('[events]\nfile = "e.csv"\ncolumns = { user = "nope", item = "item" }', "'nope'"),
        ('[events]\nfile = "gone.csv"', "gone.csv"),
        ('[events]\nsql = "selct 1"', "cannot be read"),
        ("[events]\nfile = ", "not TOML"),
        ("", "folder"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(tmp_path, toml, words):
    put(tmp_path / "e.csv", "user,item\nu,i\n")
    put(tmp_path / "m.toml", toml)
    with pytest.raises((DataError, ConfigError), match=words):
        ingest(tmp_path, tmp_path / "d", mapping=tmp_path / "m.toml")


def test_headerless_files_with_a_long_delimiter(tmp_path):
    put(tmp_path / "r.dat", "1::1193::5::978300760\n1::661::3::978302109\n")
    put(
        tmp_path / "m.toml",
        '[events]\nfile = "r.dat"\ndelimiter = "::"\nheader = false\n'
        "columns = { user = 0, item = 1, value = 2, timestamp = 3 }\n"
        'constants = { behavior = "rate", domain = "movies" }\n',
    )
    ingest(tmp_path, tmp_path / "d", mapping=tmp_path / "m.toml")
    data = load(tmp_path / "d")
    assert items_of(data, "1") == ["1193", "661"]
    assert (data.target, data.catalogue.domains) == ("rate", ("movies",))


def test_typed_headers_match_with_and_without_their_type(tmp_path):
    put(tmp_path / "x.inter", "user_id:token\titem_id:token\nu\ti\n")
    put(
        tmp_path / "x.item",
        "item_id:token\tname:token_seq\tgenres:token_seq\tzip:token\ni\tA B\tx y\t01\n",
    )
    ingest(tmp_path / "x.inter", tmp_path / "d", items=tmp_path / "x.item")
    catalogue = load(tmp_path / "d").catalogue
    assert (catalogue.titles, catalogue.tags) == (("A B",), (("x", "y"),))
    assert catalogue.columns["zip"].tolist() == ["01"]


def test_a_query_over_files_in_a_folder_with_a_comma(tmp_path):
    folder = tmp_path / "a, b"
    folder.mkdir()
    put(folder / "e.csv", "who,what\nu,b\nu,a\n")
    mapping = DataMapping.model_validate(
        {"events": {"sql": "select who as user, what as item from 'e.csv';"}}
    )
    ingest(folder, tmp_path / "d", mapping=mapping)
    assert items_of(load(tmp_path / "d")) == ["b", "a"]


def test_extra_columns_are_numbers_only_where_nothing_is_lost(tmp_path):
    put(tmp_path / "e.csv", "user,item\nu,1\n")
    put(
        tmp_path / "i.csv",
        "item,year,price,zip,big\n1,1999,2.5,00501,12345678901234567890\n2,,,,\n",
    )
    ingest(tmp_path / "e.csv", tmp_path / "d", items=tmp_path / "i.csv")
    columns = load(tmp_path / "d").catalogue.columns
    assert {name: cells.tolist() for name, cells in columns.items()} == {
        "year": [1999, None],
        "price": [2.5, None],
        "zip": ["00501", None],
        "big": ["12345678901234567890", None],
    }


def test_the_database_never_loads_an_extension():
    settings = connect().execute(
        "select value from duckdb_settings() where name like 'auto%known_extensions'"
    )
    assert [row[0] for row in settings.fetchall()] == ["false", "false"]
