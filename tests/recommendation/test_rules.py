"""Rules as files, and what a condition, a group and a value are."""

import re
from pathlib import Path

import numpy as np
import pytest

from penchant.data.io.from_columns import from_columns
from penchant.errors import ConfigError
from penchant.recommendation.rerank import Condition, Rules
from penchant.recommendation.rerank.filters import groups, passes, values


@pytest.mark.parametrize(
    ("cell", "text", "meets"),
    [
        (20, "price <= 20", True),
        ("19.5", "price < 20", True),
        ("cheap", "price < 20", False),
        (float("nan"), "price != 20", False),
        (True, "stocked == true", True),
        ("false", "stocked == true", False),
        (1990, "year == '1990'", True),
        (1990, "year == 1990", True),
        (np.datetime64("2026-05-01").item(), "released >= 2026-04-30", True),
        (np.datetime64("2026-05-01").item(), "released > 2026-05-01", False),
        (["red", "blue"], "color == red", True),
        (["red", "blue"], "color != red", False),
        ([], "color != red", False),
        ("red", 'color in ["blue"]', False),
        (3, "size in [1, 3]", True),
        ("a b", "made by == a b", True),
        ("b", "name > a", True),
        ("red", "color == 'red'", True),
        (None, "color == None", False),
    ],
)
def test_conditions(cell, text, meets):
    assert passes(cell, Condition.model_validate(text)) is meets


def test_groups_follow_variants_and_circles():
    items = {
        "item": ["a", "b", "c", "d", "e", "f", "g"],
        "of": [None, "a", "b", "e", "d", "set", "set"],
        "many": [["x"]] * 7,
    }
    catalogue = from_columns(["u"], ["a"], items=items).catalogue
    assert groups(catalogue, "of").tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert values(catalogue, "of").tolist() == [-1, 0, 1, 2, 3, 4, 4]
    with pytest.raises(ConfigError, match="one value an item to group by, received lists"):
        groups(catalogue, "many")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("diversitty = 0.2", r"diversitty: .*Known keys: domain, tags_any"),
        ("diversity = 0.2", 'expected method = "mmr" or "dpp"'),
        ("method = 'mmr'\ndiversity = 1.2", "diversity: .*received 1.2"),
        ("where = ['price']", "a condition such as"),
        ("where = ['price in 3']", "a list of values after in"),
        ("where = [{column = 'a', op = '=', value = 3}]", "where.0.op: .*received '='"),
        ("explore = 2\nexplore_at = [1]", "explore_at as explore says, 2"),
        ("explore = 2\nexplore_among = 1", "explore_among of at least explore"),
        ("cap = {brand = 0}", "cap.brand"),
        ("near = 2", "near"),
        ("deny = [", "is not TOML"),
    ],
)
def test_bad_rules_are_clear_errors(tmp_path, text, message):
    file = tmp_path / "rules.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=message):
        Rules.load(file)


def test_rules_are_read_from_toml_and_json(tmp_path):
    toml, document = tmp_path / "rules.toml", tmp_path / "rules.json"
    toml.write_text(
        'where = ["price <= 20", {column = "color", op = "in", value = ["red"]}]\n'
        "cap = {brand = 2}\nnear = 1\n[repeat]\nbuy = true\n",
        "utf-8",
    )
    rules = Rules.load(toml)
    assert [str(one) for one in rules.where] == ["price <= 20", "color in ['red']"]
    document.write_text(rules.model_dump_json(), "utf-8")
    assert Rules.load(document) == rules
    document.write_text("{", "utf-8")
    with pytest.raises(ConfigError, match="is not JSON"):
        Rules.load(document)
    with pytest.raises(ConfigError, match="expected a file of rules at"):
        Rules.load(tmp_path / "none.toml")


def test_the_rules_of_the_readme_are_rules(tmp_path):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (text,) = [t for t in re.findall(r"```toml\n(.*?)```", readme, re.DOTALL) if "tags_none" in t]
    file = tmp_path / "rules.toml"
    file.write_text(text, "utf-8")
    rules = Rules.load(file)
    assert (rules.cap, rules.repeat, rules.explore) == ({"brand": 2}, {"buy": True}, 1)
