"""Audio alone tells planted tastes apart: new sounds of the liked kind stand above the others."""

import importlib
import json
from pathlib import Path

import pytest

pytest.importorskip("librosa", reason="librosa is not installed; it is in the extra audio")
pytest.importorskip("soundfile", reason="soundfile is not installed; it is in the extra audio")


def test_new_sounds_of_the_liked_kind_stand_above_the_others(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    found = importlib.import_module("sounds").compared(worlds=1, sounds=12, users=8, k=5)
    json.dumps(found, allow_nan=False)
    assert (found["sounds"], found["new"], found["users"]) == (36, 18, 24)
    assert found["right"]["low"] > 0.8
    assert found["dealt_anew"]["high"] < 0.6  # chance is 1/3
    assert min(found["of_each_kind"].values()) > 0.6
