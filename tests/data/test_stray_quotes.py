"""Quotes that are opened by accident swallow nothing; texts of several lines stay whole."""

from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.data.readers.stray_quotes import Dialect, records

THREE = Dialect(",", '"', 3)
PIECES = ["a", "b c", "1", '"', '""', ",", ";", "\n", "\r\n", " ", "é", "5 inch", '"x"', ",,"]


def read(text, dialect=THREE):
    return list(records(text.splitlines(keepends=True), dialect))


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
@settings(max_examples=2000, deadline=None)
def test_every_line_is_in_a_record_or_blank(text):
    lines = text.replace("\r\n", "\n").split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    found = list(records((line + "\n" for line in lines), THREE))
    in_records = [n for record in found for n in range(record.line, record.line + record.lines)]
    assert len(set(in_records)) == len(in_records)
    blank = {n for n, line in enumerate(lines, 1) if not line.strip("\r\n")}
    assert set(in_records) | blank == set(range(1, len(lines) + 1))
    for record in found:
        if record.problem is None:
            cells = record.cells or THREE.parse(record.text.splitlines(keepends=True))
            assert len(cells) == 3


def test_a_quote_that_swallows_rows_gives_them_back():
    rows = [f"u{n},i{n},x\n" for n in range(270)]
    found = read('u,i,"5 inch\n' + "".join(rows) + 'v,j,"6 inch\n' + rows[0])
    assert len(found) == 273
    assert [record.line for record in found if record.cells] == [1, 272]
    assert found[0].cells == ["u", "i", '"5 inch']
    assert not any(record.problem for record in found)


def test_a_quote_closed_by_accident_before_a_comma_gives_rows_back_too():
    found = read('u1,"red hat,x\nu2,i2,x\nu3,blue 5",x\nu4,i4,x\n')
    assert [record.cells or record.text for record in found] == [
        ["u1", '"red hat', "x"],
        "u2,i2,x\n",
        'u3,blue 5",x\n',
        "u4,i4,x\n",
    ]


def test_a_text_of_several_lines_stays_whole():
    found = read('u1,"green tea\nfrom Japan,\nin leaves",x\nu2,"cup\r\nwith ""ears""",y\r\n')
    assert [(record.line, record.lines, record.cells) for record in found] == [
        (1, 3, None),
        (4, 2, None),
    ]


def test_a_quote_within_a_field_is_text():
    (inches,) = read('u,TV 42" wide,x\n')
    assert inches.cells is None
    assert inches.problem is None
    (closed,) = read('u,"Title" quoted,x\n')
    assert closed.cells == ["u", '"Title" quoted', "x"]


def test_what_cannot_be_read_is_named():
    found = read('u,i\nu,"open\nu,i,x,y\n')
    assert [record.problem for record in found] == [
        "2 fields",
        "2 fields, and a quote that is opened and not closed",
        "4 fields",
    ]
