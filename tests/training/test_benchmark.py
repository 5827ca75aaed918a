"""The scripts under benchmarks/ on a small generated world: their rows are whole and add up."""

import importlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from penchant.config import Recipe
from penchant.data import synthetic
from penchant.data.io.save import save

pytest.importorskip("torch", reason="torch is not installed; it is the extra deep")

QUICK = Recipe.load(
    overrides=[
        "search.budget=2",
        "sequence.embedding_size=16",
        "sequence.layers=1",
        "sequence.max_length=12",
        "sequence.negatives=0",
        "sequence.epochs=2",
    ]
)


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module


def stored(dataset, folder):
    folder.mkdir()
    save(dataset, folder)
    return folder


def test_behaviors_are_compared_on_the_same_cases(script, tmp_path):
    world = synthetic.world(300, 120, seed=2, browse_buy=True).dataset()
    found = script("behaviors").compared(stored(world, tmp_path / "world"), QUICK)
    json.dumps(found, allow_nan=False)
    rows = {(row["way"], row["model"]): row["metrics"]["ndcg@10"] for row in found["rows"]}
    assert len(rows) == 12
    assert (
        rows["history items excluded from negatives", "transition"]
        == rows["separate behaviors", "transition"]
    )
    aside = [d for d in found["differences"] if d["way"].startswith("scored for")]
    named = {b.name for b in world.catalogue.behaviors if b.polarity > 0} - {world.target}
    assert {d["way"].removeprefix("scored for ") for d in aside} == named != set()
    assert {(d["model"], d["less"]) for d in aside} == {("sequence", "separate behaviors")}
    for entry in (d for d in found["differences"] if d not in aside):
        ours = rows[entry["way"], entry["model"]]["value"]
        other = rows[entry["less"], entry["model"]]["value"]
        assert entry["ndcg@10"]["value"] == pytest.approx(ours - other)
    assert (
        rows["separate behaviors", "transition"]["value"]
        > rows["target only", "transition"]["value"]
    )
    assert set(found["held"]) <= {behavior.name for behavior in world.catalogue.behaviors}
    assert found["target"] in found["held"]
    assert all(0 <= share <= 1 for share in found["held"].values())
    best = found["fusion_less_best"]
    ours = [rows["separate behaviors", name]["value"] for name in ("fusion", best["against"])]
    assert best["ndcg@10"]["value"] == pytest.approx(ours[0] - ours[1])


def test_domains_are_compared_on_the_same_cases(script, tmp_path):
    world = synthetic.world(300, 120, seed=2).dataset()
    domain = world.events.domain.copy()
    domain[::50] = (domain[::50] + 1) % len(world.catalogue.domains)  # sold in two domains
    world = world.with_events(replace(world.events, domain=domain))
    world = replace(world, protocol="leave-one-out-per-domain")
    found = script("domains").compared(stored(world, tmp_path / "world"), QUICK)
    json.dumps(found, allow_nan=False)
    assert found["left_out"] > 0
    rows = {(r["domain"], r["way"], r["model"]): r for r in found["rows"]}
    domains = {domain for domain, _, _ in rows} - {"all"}
    assert found["all_users"]["cases"] >= rows["all", "joint", "fusion"]["cases"]
    assert len(domains) == len(world.catalogue.domains) > 1
    for way in ("joint", "alone"):
        whole = rows["all", way, "transition"]
        parts = [rows[domain, way, "transition"] for domain in domains]
        assert whole["cases"] == sum(part["cases"] for part in parts) > 0
        hits = sum(part["cases"] * part["metrics"]["ndcg@10"]["value"] for part in parts)
        assert whole["metrics"]["ndcg@10"]["value"] == pytest.approx(hits / whole["cases"])


def test_interests_are_compared_at_an_equal_budget(script, tmp_path):
    world = synthetic.world(300, 120, seed=2).dataset()
    found = script("interests").compared(stored(world, tmp_path / "world"), QUICK)
    json.dumps(found, allow_nan=False)
    assert [row["interests"] for row in found["rows"]] == [1, 2, 4, 4]
    assert found["rows"][0]["less_one"]["value"] == 0
    best = max(found["rows"], key=lambda row: row["validation_ndcg@10"])
    assert found["validation_chooses"]["interests"] == best["interests"]
