"""Columns of a catalogue: tags, categories, numbers, years and prices."""

from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pytest

from penchant.config import parse
from penchant.data.item_columns import ColumnSettings, encode_columns
from penchant.errors import ConfigError
from penchant.features.kernels import tag_columns, tag_rows

same = np.testing.assert_array_equal


def rows_of(columns, **settings):
    found = encode_columns(columns, ColumnSettings(**settings))
    dense = found.rows.toarray()
    assert dense.shape[1] == len(found.names) == len(set(found.names))
    assert np.isfinite(dense).all()
    return dense, found


def test_tags_are_those_of_the_kernels():
    tags = [["a", "b"], ["b"], [], None, ["c", "b", "b"], ("a",)]
    dense, found = rows_of({"tags": tags})
    given = [tuple(of_item or ()) for of_item in tags]
    same(dense, tag_rows(given).toarray())
    assert found.names == tuple(f"tags={tag}" for tag in tag_columns(given).ids)


def test_missing_is_nothing_at_all():
    missing = [None, float("nan"), np.nan, float("inf")]
    dense, _ = rows_of(
        {
            "color": ["red", "blue", None, "", " ", None],
            "length": [1, 2, *missing],
            "year": [1990, 2000, *missing],
            "tags": [["x"], ["y"], [], None, [None], [""]],
        }
    )
    assert dense[:2].any(axis=1).all()
    assert not dense[2:].any()


def test_a_category_is_weighed_by_how_rare_it_is():
    dense, found = rows_of(
        {"color": ["red", "red", "blue", "red"], "new": [True, False, True, None]}
    )
    assert found.names == ("color=blue", "color=red", "new=False", "new=True")
    same(dense[2], [2.0, 0.0, 0.0, 1.0])
    same(dense[0], [0.0, np.rint(4 * np.log2(4 / 3)) / 4, 0.0, 1.0])


def test_numbers_are_near_where_their_ranks_are():
    minutes = [90, 100, 1_000_000, np.float32(95.5), Decimal("97"), None]
    dense, found = rows_of({"minutes": minutes})
    assert found.names == ("minutes:low", "minutes:high")
    products = dense[:5] @ dense[:5].T
    np.testing.assert_allclose(products.diagonal(), 1)
    order = [0, 3, 4, 1, 2]
    for here in range(5):
        falling = products[order[here], order[here:]]
        assert (np.diff(falling) < 0).all()
    assert products.min() > 0


@pytest.mark.parametrize("name", ["year", "releaseDate", "price_eur", "Release Year", "list-price"])
def test_years_and_prices_are_binned(name):
    dense, found = rows_of({name: list(range(1900, 2000))}, bins=4)
    assert found.names == tuple(
        f"{name}={low}..{high}"
        for low, high in [(1900, 1924), (1925, 1949), (1950, 1974), (1975, 1999)]
    )
    same(dense.sum(axis=0), [50.0] * 4)  # 25 items of idf 2


def test_other_columns_are_binned_where_that_is_declared():
    minutes = {"minutes": list(range(100))}
    assert rows_of(minutes)[1].names == ("minutes:low", "minutes:high")
    assert len(rows_of(minutes, binned=("minutes",), bins=5)[1].names) == 5


def test_equal_numbers_stay_together():
    dense, found = rows_of({"price": [0] * 90 + [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}, bins=10)
    assert found.names[0] == "price=0..0"
    assert (dense[:90] == dense[0]).all()


def test_dates_and_texts_of_years():
    released = [date(1990, 7, 1), datetime(1991, 1, 1, 12), "1992-03-04", "1993", 1994, "soon"]
    _, found = rows_of({"released": released}, bins=2)
    assert len(found.names) == 2
    assert found.names[0].startswith("released=1990.49")
    assert found.notes == ("column 'released': 1 value left out, not a number",)
    _, found = rows_of({"release": ["deluxe", "standard", "deluxe", "2"]})
    assert found.names == ("release=2", "release=deluxe", "release=standard")


def test_numbers_that_are_names():
    codes = {"genre_id": [1, 2, 1, 3]}
    _, found = rows_of(codes, categories=("genre_id",))
    assert found.names == ("genre_id=1", "genre_id=2", "genre_id=3")


def test_an_open_ended_column_is_hashed_by_seed_and_value_alone():
    actors = [f"actor {n % 300}" for n in range(900)]
    dense, found = rows_of({"actor": actors}, limit=100, hashed=64)
    assert found.names == tuple(f"actor#{slot}" for slot in range(64))
    assert ((dense > 0).sum(axis=1) == 1).all()
    same(dense[:300] > 0, dense[300:600] > 0)
    fewer, _ = rows_of({"actor": actors[::-1][:450]}, limit=100, hashed=64)
    same(fewer[::-1] > 0, dense[450:] > 0)
    other, _ = rows_of({"actor": actors}, limit=100, hashed=64, seed=1)
    assert ((other > 0) != (dense > 0)).any()
    elsewhere, _ = rows_of({"writer": actors}, limit=100, hashed=64)
    assert ((elsewhere > 0) != (dense > 0)).any()


def test_two_tags_of_one_slot_count_once():
    tags = [[f"tag {n}" for n in range(start, start + 8)] for start in range(50)]
    dense, _ = rows_of({"tags": tags}, limit=10, hashed=4)
    weights = dense.max(axis=0)
    assert ((dense == 0) | (dense == weights)).all()


def test_what_tells_nothing_is_left_out_and_told():
    columns = {
        "same": ["x"] * 300,
        "none": [None] * 300,
        "constant": [7] * 300,
        "year": [1999] * 300,
        "address": [f"item {n}" for n in range(300)],
        "color": ["red", "blue", "green"] * 100,
    }
    dense, found = rows_of(columns, limit=100)
    assert found.names == ("color=blue", "color=green", "color=red")
    assert [note.split("'")[1] for note in found.notes] == list(columns)[:5]
    assert dense.shape == (300, 3)


def test_no_columns_and_no_items():
    assert encode_columns({}).rows.shape == (0, 0)
    assert encode_columns({"color": []}).rows.shape == (0, 0)
    assert encode_columns({"color": [None, None]}).rows.shape == (2, 0)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="bins"):
        parse(ColumnSettings, {"bins": 1}, "the recipe")
