from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pytest

from penchant.data.dataset import Behavior
from penchant.data.ingest import ingest
from penchant.data.io.from_columns import from_columns
from penchant.data.io.load import load
from penchant.data.io.save import write
from penchant.errors import ConfigError, DataError
from penchant.storage.database import write_parquet

RECIPES = Path(__file__).parents[2] / "recipes"
NAMES = ["Z", "a", "é", "e\u0301", "商", "\uffff", "😀", "a\x00", "aa", "~"]


def names_of(data, user):
    catalogue = data.catalogue
    events = data.history(user).events
    return [
        catalogue.items.ids[i] if i >= 0 else catalogue.tokens.ids[t]
        for i, t in zip(events.item, events.token, strict=True)
    ]


def test_rows_are_in_byte_order():
    data = from_columns(NAMES, NAMES[::-1])
    expected = tuple(sorted(NAMES, key=lambda name: name.encode()))
    assert data.users.ids == data.catalogue.items.ids == expected == tuple(sorted(NAMES))
    for user, item in zip(NAMES, NAMES[::-1], strict=True):
        assert names_of(data, user) == [item]


def test_a_written_dataset_is_the_one_in_memory(tmp_path):
    rng = np.random.default_rng(0)
    n = 500
    columns = {
        "user": [f"u{i}" for i in rng.integers(0, 40, n)],
        "item": [f"i{i}" for i in rng.integers(0, 90, n)],
        "behavior": rng.choice(["view", "buy", "hide"], n),
        "domain": rng.choice(["shop", "news"], n),
        "timestamp": rng.integers(1_700_000_000, 1_700_000_050, n),
        "value": np.where(rng.random(n) < 0.2, np.nan, rng.random(n)),
    }
    items = {"item": ["i0", "new"], "title": [None, "New"], "tags": [["a", "b"], None]}
    users = {"user": ["u0", "stranger"], "age": [30, None]}
    behaviors = [Behavior("view", 0.25), Behavior("buy", 1.0)]
    write(tmp_path / "d", columns, items=items, users=users, name="x", behaviors=behaviors)
    loaded = load(tmp_path / "d")
    built = from_columns(**columns, items=items, users=users, name="x", behaviors=behaviors)
    assert loaded.users == built.users
    assert loaded.catalogue.items == built.catalogue.items
    assert loaded.catalogue.behaviors == built.catalogue.behaviors
    assert loaded.catalogue.behaviors == (
        *sorted(behaviors, key=lambda b: b.name)[:1],
        Behavior("hide", 1.0, -1),
        Behavior("view", 0.25),
    )
    for name in ("user", "item", "token", "behavior", "domain", "time", "value", "row"):
        np.testing.assert_array_equal(getattr(loaded.events, name), getattr(built.events, name))
    order = np.lexsort((loaded.events.row, loaded.events.time, loaded.events.user))
    assert (order == np.arange(n)).all()
    assert loaded.target == "buy"
    assert loaded.attributes["age"][loaded.users.index["u0"]] == 30
    assert loaded.catalogue.title(loaded.catalogue.items.index["new"]) == "New"
    assert loaded.catalogue.tags[loaded.catalogue.items.index["i0"]] == ("a", "b")
    assert loaded.catalogue.domains[loaded.catalogue.domain[0]] in ("shop", "news")
    assert loaded.catalogue.domain[loaded.catalogue.items.index["new"]] == -1


def test_searches_topics_and_creators_become_tokens(tmp_path):
    write(
        tmp_path / "d",
        {
            "user": ["u"] * 5,
            "item": ["i", None, None, None, ""],
            "query": [None, "Red  SHOES\u3000商品", None, None, "\u00c9t\u00e9"],
            "topic": [None, None, "Jazz", None, None],
            "creator": [None, None, None, "Ada L", None],
            "behavior": ["view", "search", "follow", "follow", "search"],
            "timestamp": [1, 2, 3, 4, 5],
        },
    )
    data = load(tmp_path / "d")
    expected = ["i", "query:red", "query:shoes", "query:商品", "topic:Jazz", "creator:Ada L"]
    assert names_of(data, "u") == [*expected, "query:été"]
    assert data.events.row.tolist() == [0, 1, 1, 1, 2, 3, 4]
    assert len(data.catalogue) == 1
    assert len(from_columns(["u"], ["i"]).catalogue.tokens) == 0


def test_searches_are_ingested(tmp_path):
    text = "user,item,query,timestamp\nu,,red shoes,1700000000\nu,i,,1700000001\nu,,  ,1700000002\n"
    (tmp_path / "e.csv").write_text(text)
    report = ingest(tmp_path / "e.csv", tmp_path / "d")
    assert report.count("missing item") == 1
    assert names_of(load(tmp_path / "d"), "u") == ["query:red", "query:shoes", "i"]


def test_a_missing_time_is_the_oldest():
    data = from_columns(["u"] * 3, ["a", "b", "c"], timestamp=[1700000000, None, -428716800])
    assert names_of(data, "u") == ["b", "c", "a"]
    assert data.events.sorted().item.tolist() == data.events.item.tolist()


@pytest.mark.parametrize(
    "times",
    [
        [datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), datetime(2023, 11, 14, 22, 13, 19)],
        np.array(["2023-11-14T22:13:20", "2023-11-14T22:13:19"], "datetime64[us]"),
        [1700000000, 1699999999],
        [1700000000.0, 1699999999.0],
        ["2023-11-14T22:13:20Z", "2023-11-14 22:13:19"],
        np.array([1700000000, 1699999999], np.uint32),
    ],
)
def test_times_in_memory(times):
    data = from_columns(["u", "u"], ["b", "a"], timestamp=times)
    assert data.events.time.tolist() == [1699999999000, 1700000000000]
    assert (data.time, names_of(data, "u")) == ("clock", ["a", "b"])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"timestamp": [1.7e9, float("nan")]}, "row 1 of column 'timestamp'.*received nan"),
        ({"timestamp": np.array([1.7e9, np.nan])}, "row 1 of column 'timestamp'"),
        ({"timestamp": [1.7e9, float("inf")]}, "row 1 of column 'timestamp'"),
        ({"timestamp": ["2023-11-14", "soon"]}, "row 1 of column 'timestamp'.*'soon'"),
        ({"timestamp": [1700000000, 1700000000000]}, "one unit"),
        ({"timestamp": np.array([1.7e9, 1.7e9], np.float32)}, "float32"),
        ({"timestamp": [1]}, "column 'timestamp' of events.*expected 2 rows.*received 1"),
        ({"value": [1, float("inf")]}, "row 1 of column 'value'"),
        ({"value": [1, "five"]}, "row 1 of column 'value'"),
        ({"behavior": ["view"]}, "column 'behavior' of events"),
        ({"behavior": ["view", None]}, "row 1 of column 'behavior'"),
        ({"user": ["u", None]}, "row 1 of column 'user'"),
        ({"user": ["u", ""]}, "row 1 of column 'user'"),
        ({"item": ["i", 2.5]}, "row 1 of column 'item'"),
        ({"item": "ab"}, "column 'item'"),
        ({"item": np.zeros((2, 2))}, "column 'item'"),
        ({"user": [], "item": []}, "at least one event"),
    ],
)
def test_wrong_columns_are_named(columns, words):
    with pytest.raises(DataError, match=words):
        from_columns(**{"user": ["u", "v"], "item": ["a", "b"], **columns})


def test_whole_numbers_are_identifiers_as_text():
    data = from_columns([7, 2**63 - 1], np.array([1, 2]), behavior="buy", domain="shop")
    assert data.users.ids == ("7", "9223372036854775807")
    assert (data.catalogue.items.ids, data.target) == (("1", "2"), "buy")


def test_missing_values_at_the_head_do_not_hide_the_rest(tmp_path):
    write_parquet(
        tmp_path / "x.parquet", {"a": [None] * 5000 + ["x"], "b": [None] * 5000 + [["y"]]}
    )
    rows = duckdb.sql(f"select a, b from '{tmp_path}/x.parquet' where a is not null").fetchall()
    assert rows == [("x", ["y"])]


@pytest.mark.parametrize(
    ("behaviors", "target"),
    [
        (["view", "view", "buy"], "buy"),
        (["view", "cart", "view"], "cart"),
        (["sing", "dance", "dance"], "dance"),
        (["dislike", "dislike", "sing"], "sing"),
        (["sing"] * 3, "sing"),
    ],
)
def test_the_target_is_inferred(behaviors, target):
    data = from_columns(["u"] * 3, ["a", "b", "c"], behavior=behaviors)
    assert data.target == target
    assert (data.time, data.protocol) == ("none", "random-per-domain")
    assert any(target in note for note in data.notes) == (len(set(behaviors)) > 1)


def test_only_negative_behaviors_cannot_be_a_target():
    with pytest.raises(DataError, match="positive behavior"):
        from_columns(["u"], ["a"], behavior="dislike")


def test_given_protocol_and_unseen_test_items(tmp_path):
    events = {"user": ["u", "u"], "item": ["a", "b"], "behavior": ["buy", "view"]}
    test = {"user": ["u", "w"], "item": ["zz", "a"], "behavior": ["buy", "buy"]}
    write(tmp_path / "d", events, test=test, time="none")
    data = load(tmp_path / "d")
    assert data.protocol == "given"
    assert data.catalogue.items.ids == ("a", "b", "zz")
    assert data.held_out is not None
    assert data.held_out.item.tolist() == [2, 0]
    assert data.users.ids == ("u", "w")


def test_a_foreign_test_file_is_not_mixed_in(tmp_path):
    events = {"user": ["u"], "item": ["a"]}
    write(tmp_path / "d", events, test=events)
    with pytest.raises(DataError, match=r"test\.parquet"):
        write(tmp_path / "d", events)


def test_writing_again_leaves_nothing_of_the_old(tmp_path):
    write(tmp_path / "d", {"user": ["u"], "item": ["a"]}, items={"item": ["a", "old"]})
    write(tmp_path / "d", {"user": ["u"], "item": ["a"]})
    assert load(tmp_path / "d").catalogue.items.ids == ("a",)
    assert {p.name for p in (tmp_path / "d").iterdir()} == {"events.parquet", "dataset.toml"}


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('tme = "clock"', "tme"),
        ('time = "wall"', "time"),
        ('target = "veiw"', "unknown target behavior 'veiw'"),
        ('protocol = "random"', "unknown protocol"),
        ("[behaviors.view]\nstrength = 65", "strength"),
        ("[behaviors.view]\npolarity = 2", "polarity"),
        ('protocol = "given"', r"expects test\.parquet"),
        ("time = ", "not TOML"),
    ],
)
def test_a_wrong_description_is_an_error(tmp_path, toml, words):
    write(tmp_path / "d", {"user": ["u"], "item": ["a"], "behavior": ["view"]})
    (tmp_path / "d" / "dataset.toml").write_text(toml)
    with pytest.raises((ConfigError, DataError), match=words):
        load(tmp_path / "d")


def test_a_missing_directory_or_column_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no directory"):
        load(tmp_path / "nowhere")
    with pytest.raises(DataError, match="a directory without it"):
        load(tmp_path)
    write_parquet(tmp_path / "events.parquet", {"who": ["u"], "item": ["a"]})
    with pytest.raises(DataError, match="expected a column 'user', received who, item"):
        load(tmp_path)
    write_parquet(tmp_path / "events.parquet", {"user": ["u", None], "item": ["a", "b"]})
    with pytest.raises(DataError, match=r"a user in every row, received none in 1.*row 1"):
        load(tmp_path)
    (tmp_path / "events.parquet").write_bytes(b"PAR0")
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path)


def test_no_description_is_inferred_and_said(tmp_path):
    write_parquet(
        tmp_path / "events.parquet",
        {"user": ["u", "u"], "item": ["a", "b"], "timestamp": [1700000001, 1700000000]},
    )
    data = load(tmp_path)
    assert (data.time, data.protocol, data.target) == ("clock", "leave-one-out", "event")
    assert any("no dataset.toml" in note for note in data.notes)
    assert any("times in s" in note for note in data.notes)


def test_a_column_called_row_does_not_disturb_the_order(tmp_path):
    with pytest.raises(DataError, match="'row' is taken"):
        write(tmp_path / "d", {"user": ["u"], "item": ["a"], "row": [0]})
    duckdb.sql(
        "copy (select * from (values ('u', 'b', 2), ('u', 'a', 1)) v(\"user\", item, \"row\")) "
        f"to '{tmp_path}/events.parquet'"
    )
    data = load(tmp_path)
    assert names_of(data, "u") == ["b", "a"]
    assert data.events.row.tolist() == [0, 1]


def test_an_infinite_value_is_named(tmp_path):
    write(tmp_path / "d", {"user": ["u", "u"], "item": ["a", "b"], "value": [1, float("inf")]})
    with pytest.raises(DataError, match="row 1 of column 'value'"):
        load(tmp_path / "d")


def test_repeated_items_count_once(tmp_path):
    write(
        tmp_path / "d",
        {"user": ["u"], "item": ["a"]},
        items={"item": ["a", "a"], "title": ["first", "second"]},
    )
    data = load(tmp_path / "d")
    assert data.catalogue.titles == ("first",)
    assert any("repeated" in note for note in data.notes)
    assert len(data.events) == 1


@pytest.mark.parametrize(
    ("recipe", "folder", "events", "users", "items"),
    [
        ("ml-100k", "ml-100k", 100_000, 943, 1682),
        ("ml-latest-small", "ml-latest-small", 100_004, 671, 9125),
        ("lastfm-hetrec2011", "lastfm-hetrec2011", 279_308, 1892, None),
        ("bing-news", "bing-news-dkn-sample", None, None, None),
    ],
)
def test_recipes(public_data, tmp_path, recipe, folder, events, users, items):
    source = public_data / "raw" / folder
    report = ingest(source, tmp_path / "d", mapping=RECIPES / f"{recipe}.toml")
    data = load(tmp_path / "d")
    assert len(data.events) == report.rows_out
    if events:
        assert (report.rows_out, len(data.users)) == (events, users)
    if items:
        assert len(data.catalogue) == items
    assert data.name == recipe
    assert any(data.catalogue.titles)
    assert any(data.catalogue.tags)


def test_lastfm_is_dated_tagged_and_befriended(public_data, tmp_path):
    report = ingest(
        public_data / "raw" / "lastfm-hetrec2011",
        tmp_path / "d",
        mapping=RECIPES / "lastfm-hetrec2011.toml",
    )
    assert report.count("impossible date") == 5
    assert report.rows["relations"] == (25434, 25434)
    data = load(tmp_path / "d")
    weird = data.catalogue.titles[data.catalogue.items.index["1686"]]
    assert weird == '"Weird Al" Yankovic'
    listens = data.events.behavior == data.catalogue.behavior("listen")
    assert listens.sum() == 92834
    assert np.isfinite(data.events.value[listens]).all()


@pytest.mark.parametrize(
    ("name", "events"), [("ml-1m", 1_000_209), ("retailrocket", 97_381), ("lastfm", 279_313)]
)
def test_public_directories_load(public_data, name, events):
    data = load(public_data / name)
    assert len(data.events) == events
    assert (np.diff(data.events.user) >= 0).all()
    inside = np.diff(data.events.user) == 0
    assert (np.diff(data.events.time)[inside] >= 0).all()


def test_bots_are_found_in_retailrocket_and_not_in_movielens(public_data, tmp_path):
    report = ingest(public_data / "retailrocket" / "events.parquet", tmp_path / "r")
    (bots,) = [f for f in report.findings if f.rule == "bot-like users"]
    assert bots.count == 4961
    report = ingest(public_data / "ml-1m" / "events.parquet", tmp_path / "m")
    assert report.count("bot-like users") == 0
    assert report.rows_out == 1_000_209
