"""The mapping files of recipes/ read the layouts that they name, made here in a few lines."""

from pathlib import Path

from penchant.data.ingest import ingest
from penchant.data.io.impressions import read_impressions
from penchant.data.io.load import load

RECIPES = Path(__file__).parents[2] / "recipes"


def test_movielens_1m(tmp_path):
    (tmp_path / "ratings.dat").write_text(
        "1::1193::5::978300760\n1::661::3::978302109\n2::661::4::978302129\n", "latin-1"
    )
    (tmp_path / "movies.dat").write_text(
        "1193::One Flew (1975)::Drama\n661::Café: Noir (1996)::Animation|Musical\n", "latin-1"
    )
    ingest(tmp_path, tmp_path / "data", mapping=RECIPES / "ml-1m.toml")
    data = load(tmp_path / "data")
    assert data.catalogue.items.ids == ("1193", "661")
    assert data.catalogue.titles == ("One Flew (1975)", "Café: Noir (1996)")
    assert data.catalogue.tags == (("Drama",), ("Animation", "Musical"))
    assert data.events.time.tolist() == [978300760000, 978302109000, 978302129000]
    assert data.events.value.tolist() == [5, 3, 4]
    assert (data.time, data.target) == ("clock", "rate")


def test_amazon_beauty_in_the_layout_of_s3_rec(tmp_path):
    (tmp_path / "Beauty.txt").write_text("1 10 11 12\n2 10 12 13 14\n")
    (tmp_path / "Beauty_item2attributes.json").write_text(
        '{"10": [1, 2], "11": [2], "12": [], "13": [1], "14": [3]}'
    )
    ingest(tmp_path, tmp_path / "data", mapping=RECIPES / "amazon-beauty.toml")
    data = load(tmp_path / "data")
    ids = data.catalogue.items.ids
    assert [ids[i] for i in data.events.item] == ["10", "11", "12", "10", "12", "13", "14"]
    assert data.catalogue.tags == (("1", "2"), ("2",), (), ("1",), ("3",))
    assert (data.time, data.target, data.protocol) == ("order", "review", "leave-one-out")


def test_bing_news_in_the_layout_of_dkn(tmp_path):
    (tmp_path / "raw_train.txt").write_text(
        "7\tpasses rumored\t0\t3:Xbox\n"
        "7\tnew phone\t1\t1:Phone;2:New York\n"
        "8\tnew phone\t1\t1:Phone\n"
    )
    (tmp_path / "raw_test.txt").write_text("8\tthe sequel\t1\t9:Film\n8\tnew phone\t0\t1:Phone\n")
    ingest(tmp_path, tmp_path / "data", mapping=RECIPES / "bing-news.toml")
    data = load(tmp_path / "data")
    assert data.catalogue.titles == ("new phone", "passes rumored", "the sequel")
    assert data.catalogue.tags == (("Phone",), ("Xbox",), ("Film",))
    assert data.events.item.tolist() == [0, 0]
    assert (data.time, data.target) == ("none", "click")
    shown = read_impressions(tmp_path / "data", data)
    assert [shown.requests.ids[part] for part in shown.request] == ["train"] * 3 + ["test"] * 2
    assert shown.item.tolist() == [1, 0, 0, 2, 0]
    assert shown.clicked.tolist() == [False, True, True, True, False]
