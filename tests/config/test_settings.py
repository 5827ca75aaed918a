"""Settings are checked the same way wherever they come from, and former names are read."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from pydantic import ValidationError

from penchant.config import (
    ContentSettings,
    PrivacySettings,
    Recipe,
    SequenceSettings,
    TransitionSettings,
    current_names,
)
from penchant.errors import ConfigError

SECTIONS = {
    "content": ContentSettings,
    "privacy": PrivacySettings,
    "sequence": SequenceSettings,
    "transition": TransitionSettings,
}
FORMER = [
    ("content", "width", "dimensions", 32),
    ("privacy", "width", "dimensions", 32),
    ("privacy", "rate", "learning_rate", 0.5),
    ("sequence", "width", "embedding_size", 32),
    ("sequence", "length", "max_length", 7),
    ("sequence", "batch", "batch_size", 128),
    ("sequence", "rate", "learning_rate", 0.5),
    ("transition", "others", "other_behavior_weight", 0.5),
    ("transition", "across", "cross_domain_weight", 0.5),
    ("transition", "opening", "short_history_weight", 2.0),
    ("transition", "history", "behavior_weights", {"view": 0.5}),
    ("transition", "alpha", "content_weights", {"tags": 3.0}),
]
each_former = pytest.mark.parametrize(
    ("section", "old", "new", "value"), FORMER, ids=[f"{row[0]}.{row[1]}" for row in FORMER]
)


def test_every_former_name_is_in_the_table():
    table = {(name, *pair) for name, kind in SECTIONS.items() for pair in kind.former.items()}
    assert table == {row[:3] for row in FORMER}
    for kind in SECTIONS.values():
        assert set(kind.former.values()) <= kind.model_fields.keys()
        assert not kind.former.keys() & kind.model_fields.keys()


def test_the_page_of_conventions_lists_the_former_names():
    page = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text("utf-8")
    for section, old, new, _ in FORMER:
        assert f"| {section} | {old} | {new} |" in page


@each_former
def test_a_former_name_is_read_with_a_warning_that_names_the_new(section, old, new, value):
    kind = SECTIONS[section]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = Recipe(**{section: kind(**{new: value})})
        assert current_names(Recipe, {section: {old: value}}) == {section: {new: value}}
    message = f"{old} of {kind.__name__} is now called {new}"
    text = json.dumps(value).replace(":", " =")
    readings = [
        lambda: Recipe(**{section: kind(**{old: value})}),
        lambda: Recipe.model_validate({section: {old: value}}),
        lambda: Recipe.load(overrides=[f"{section}.{old}={text}"]),
    ]
    for read in readings:
        with pytest.warns(FutureWarning, match=message) as caught:
            assert read() == expected
        assert len(caught) == 1
        assert caught[0].filename == __file__


@each_former
def test_both_names_at_once_are_an_error(section, old, new, value):
    with pytest.raises(ConfigError, match=f"{new}; expected one of the two, received both"):
        SECTIONS[section](**{old: value, new: value})


def test_a_recipe_file_with_former_names_is_read(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("[sequence]\nwidth = 32\n[transition.alpha]\ntags = 3.0\n", "utf-8")
    with pytest.warns(FutureWarning) as caught:
        recipe = Recipe.load(path)
    assert len(caught) == 2
    assert recipe.sequence.embedding_size == 32
    assert recipe.transition.content_weights == {"tags": 3.0}
    assert recipe == Recipe.model_validate(recipe.model_dump())


def test_the_command_line_notes_a_former_name():
    command = "import warnings; from penchant.cli import _note; warnings.showwarning = _note"
    command += "; from penchant.config import SequenceSettings; SequenceSettings(width=8)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, check=True)
    assert done.stderr.decode().startswith("note: the setting width of SequenceSettings is now")


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: Recipe(sede=3), r"^sede: unknown key \(did you mean seed\?\), received 3\. Known"),
        (lambda: SequenceSettings(lenght=3), r"did you mean max_length\?"),
        (lambda: Recipe.model_validate({"sequence": {"epoch": 3}}), r"^sequence\.epoch: .* epochs"),
        (
            lambda: Recipe(sequence={"zzz": 3}),
            r"^sequence\.zzz: unknown key, received 3\. .*layers",
        ),
        (lambda: TransitionSettings(decay=2), r"^decay: Input should be less than .* received 2"),
        (lambda: Recipe.load(overrides=["sede=3"]), r"^the recipe: sede: unknown key"),
    ],
)
def test_what_is_wrong_is_told_alike_wherever_it_stands(read, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read()
    assert isinstance(caught.value.__cause__, ValidationError)
