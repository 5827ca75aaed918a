"""Files as people have them: nothing is lost without a count, nothing is read as what it is not."""

import bz2
import gzip
import lzma
import zipfile

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penchant.config import CleaningSettings, Recipe
from penchant.data.ingest import ingest
from penchant.errors import ConfigError, DataError, StrictError

EVENTS = [f"u{n % 7},i{n % 5},x{n}" for n in range(30)]
HEADER = "user,item,note"
TEXT = "\n".join([HEADER, *EVENTS]) + "\n"
KEEP_ALL = CleaningSettings(repeats="keep", bots="keep")


def report_of(tmp_path, text, name="events.csv", **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return ingest(path, tmp_path / "data", settings=KEEP_ALL, **options)


def rows(report):
    return report.rows["events"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("opened", "closed"), [('u1,i1,"5 inch', 'u2,i2,"6 inch'), ('u1,i1,"5 inch', 'u2,i2 6",x')]
)
def test_a_stray_quote_swallows_no_row(tmp_path, opened, closed, end):
    lines = [HEADER, *EVENTS[:10], opened, *EVENTS[10:25], closed, *EVENTS[25:]]
    report = report_of(tmp_path, end.join(lines) + end)
    assert rows(report) == (32, 32)
    (finding,) = [f for f in report.findings if f.rule == "stray quotes"]
    assert finding.examples[0] == {"line": 12, "received": opened}
    with pytest.raises(StrictError, match="stray quotes"):
        report_of(tmp_path, end.join(lines) + end, strict=True)


def test_texts_of_several_lines_are_no_finding(tmp_path):
    lines = [f'u{n},i{n},"green tea\nfrom Japan, in ""leaves"""' for n in range(20)]
    report = report_of(tmp_path, "\n".join([HEADER, *lines]) + "\n", strict=True)
    assert rows(report) == (20, 20)


PIECES = ["u1", "i 2", '"', '""', ",", ",", "\n", "\n", "5 inch", '"a,b"', "é", "x,y,z\n"]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=40).map("".join))
def test_lines_in_are_rows_and_lines_reported(tmp_path, text):
    body = "u,i,x\n" + text
    report = report_of(tmp_path, HEADER + "\n" + body)
    lines = body.split("\n")
    filled = [line for line in lines if line.strip("\r\n")]
    read = duckdb.connect().execute(
        f"select count(*) from read_parquet('{tmp_path / 'data' / 'events.parquet'}')"
    )
    assert rows(report)[1] == read.fetchall()[0][0]
    arrived, left = rows(report)
    dropped = sum(f.count for f in report.findings if f.action == "dropped")
    assert arrived == left + dropped
    # a row of several lines is the only way to fewer rows than lines
    assert arrived <= len(lines)
    if '"' not in text:
        assert arrived == len(filled)


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zip", "zst"])
def test_packed_files_are_read_and_damaged_ones_named(tmp_path, ending):
    path = tmp_path / f"events.csv.{ending}"
    data = TEXT.encode()
    if ending == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("events.csv", data)
    elif ending == "zst":
        database = duckdb.connect()
        values = ", ".join(f"('{line}')" for line in [HEADER, *EVENTS])
        database.execute(f"create table lines as select * from (values {values}) as t(line)")
        database.execute(
            f"copy lines to '{path}' (format csv, header false, quote '', escape '', "
            "delimiter '|', compression zstd)"
        )
    else:
        pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[ending]
        path.write_bytes(pack(data))
    whole = path.read_bytes()
    assert rows(ingest(path, tmp_path / "data", settings=KEEP_ALL)) == (30, 30)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"truncated|damaged"):
        ingest(path, tmp_path / "data")
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF
    broken[len(whole) // 2 + 1] ^= 0xFF
    path.write_bytes(bytes(broken))
    with pytest.raises(DataError):
        ingest(path, tmp_path / "data")


def test_members_of_a_gzip_are_one_file_and_a_zip_of_two_is_refused(tmp_path):
    half = len(TEXT) // 2
    two = gzip.compress(TEXT[:half].encode()) + gzip.compress(TEXT[half:].encode())
    assert rows(report_of(tmp_path, two, "events.csv.gz")) == (30, 30)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", TEXT)
        archive.writestr("b.csv", TEXT)
    with pytest.raises(DataError, match=r"zip of one file, received 2: a\.csv, b\.csv"):
        ingest(tmp_path / "two.zip", tmp_path / "data")
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "")
    with pytest.raises(DataError, match="Excel workbook: save the sheet as CSV"):
        ingest(tmp_path / "book.xlsx", tmp_path / "data")


@pytest.mark.parametrize(
    ("text", "unnamed"),
    [
        ("," + TEXT.replace("\nu", "\n0,u"), 1),  # the index that pandas writes
        (TEXT.replace("\n", ",\n"), 1),
        (TEXT.replace("\n", ",\n").replace(",\n", "\n", 1), 1),
        (TEXT.replace("\n", ",\n", 1), 0),
        ("sep=,\n" + TEXT, 0),
        ("sep=;\n" + TEXT.replace(",", ";"), 0),
        ("\n\r\n" + TEXT, 0),
        (TEXT.replace("\n", "\n\n"), 0),
    ],
    ids=["index", "both", "rows", "header", "sep", "sep;", "blank", "blanks"],
)
def test_what_spreadsheets_and_data_frames_leave(tmp_path, text, unnamed):
    report = report_of(tmp_path, text, strict=True)
    assert rows(report) == (30, 30)
    assert sum("without a name" in note for note in report.notes) == unnamed


def test_a_header_once_more_is_no_event(tmp_path):
    report = report_of(tmp_path, TEXT + TEXT)
    assert rows(report) == (61, 60)
    (finding,) = [f for f in report.findings if f.rule == "malformed rows"]
    assert finding.count == 1
    assert finding.examples[0]["received"] == "the header once more"


def test_the_time_of_a_shops_export_is_known(tmp_path):
    lines = [f"c{n % 4},p{n % 3},2025-01-0{n + 1} 10:00:00" for n in range(9)]
    text = "customer_id,product_id,created_at\n" + "\n".join(lines) + "\n"
    report = report_of(tmp_path, text)
    assert any("timestamp = created_at" in note for note in report.notes)


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0c", "\x1c"])
def test_what_ends_a_line_elsewhere_is_text(tmp_path, mark):
    report = report_of(tmp_path, TEXT.replace("note", f"no{mark}te"))
    assert rows(report) == (30, 30)


def test_excels_line_may_name_a_tab(tmp_path):
    report = report_of(tmp_path, "sep=\t\n" + TEXT.replace(",", "\t"))
    assert rows(report) == (30, 30)


def test_lines_longer_than_what_is_looked_at_first_keep_their_last_delimiter(tmp_path):
    long = "x" * 30_000
    lines = [f"u{n},i{n},{long}," for n in range(4)]
    report = report_of(tmp_path, "\n".join([HEADER, *lines]) + "\n")
    assert rows(report) == (4, 4)


def test_a_column_may_be_called_unnamed(tmp_path):
    report = report_of(tmp_path, TEXT.replace("note", "unnamed column 3"))
    assert not any("without a name" in note for note in report.notes)


def test_thousands_of_lines_that_cannot_be_read_are_counted_and_five_are_shown(tmp_path):
    lines = [*EVENTS, *(f'u{n},"open' for n in range(3000))]
    report = report_of(tmp_path, "\n".join([HEADER, *lines]) + "\n")
    assert rows(report) == (3030, 30)
    (finding,) = [f for f in report.findings if f.rule == "malformed rows"]
    assert (finding.count, len(finding.examples)) == (3000, 5)
    assert [example["line"] for example in finding.examples] == [32, 33, 34, 35, 36]


def test_a_skippable_frame_of_zstandard_is_skipped(tmp_path):
    path = tmp_path / "events.csv.zst"
    database = duckdb.connect()
    values = ", ".join(f"('{line}')" for line in [HEADER, *EVENTS])
    database.execute(f"create table lines as select * from (values {values}) as t(line)")
    database.execute(
        f"copy lines to '{path}' (format csv, header false, quote '', escape '', "
        "delimiter '|', compression zstd)"
    )
    note = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"
    path.write_bytes(path.read_bytes() + note)
    assert rows(ingest(path, tmp_path / "data", settings=KEEP_ALL)) == (30, 30)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(DataError, match="truncated"):
        ingest(path, tmp_path / "data")


def test_a_file_of_settings_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_bytes('target = "caf\xe9"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="is not TOML"):
        Recipe.load(path)
    path.write_bytes(b"\xef\xbb\xbfseed = 3\n")
    assert Recipe.load(path).seed == 3
