"""The whole job on a generated world: clean, fit, compare, recover what was planted, explain."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from penchant.config import CleaningSettings, Recipe, SearchSettings
from penchant.data import synthetic
from penchant.data.cleaning.report import CleaningReport
from penchant.data.ingest import ingest
from penchant.data.io.load import load
from penchant.data.readers.column_mapping import DataMapping
from penchant.data.synthetic.world import World
from penchant.recommendation import Model
from penchant.recommendation.explain import with_reasons
from penchant.recommendation.results import Recommendation
from penchant.report import report as html
from penchant.training.benchmark import Table, benchmark
from penchant.training.fit import fit
from penchant.types import Progress

MODELS = ("popularity", "recent", "item-knn", "ease", "transition")
CLEANING = CleaningSettings(
    repeats="merge", bots="drop", unknown_items="drop", missing_behavior="drop"
)

REPORTED = 60
"""Test cases on which the report measures what it adds to the run: few, as the demo is short."""


@dataclass(frozen=True)
class Recovery:
    """How well lists tell the interests that were planted.

    found    mean share of a user's planted interests among as many of the interests that their
             50 best items have most of; ``chance`` is what a random guess of as many finds
    inside   share of recommended items that lie in a planted interest of the user
    by_size  share of all items that do, over users: what random lists would have
    """

    users: int
    found: float
    chance: float
    inside: float
    by_size: float


@dataclass(frozen=True)
class Demo:
    """What the demo did, for a person and for a machine."""

    folder: Path
    seconds: float
    report: CleaningReport
    planted: dict[str, int]
    table: Table
    recovery: Recovery
    interests: tuple[tuple[str, float], ...]
    listed: Recommendation
    history: tuple[tuple[str, str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON types."""
        return {
            "folder": str(self.folder),
            "seconds": round(self.seconds, 1),
            "cleaning": self.report.to_dict(),
            "planted_dirt": self.planted,
            "benchmark": self.table.to_dict(),
            "recovery": vars(self.recovery),
            "user": {
                "interests": dict(self.interests),
                "last_events": [list(event) for event in self.history],
                "recommended": self.listed.to_dict(),
            },
        }


def demo(
    out: str | Path = "penchant-demo",
    *,
    users: int = 2000,
    items: int = 1200,
    seed: int = 0,
    progress: Progress | None = None,
) -> Demo:
    """Generate a world, write it as raw files with errors in them, and do the whole job on these.

    ``out`` receives raw/, data/, run/ and report.html. Every number comes from this run.
    """
    began = time.perf_counter()
    progress = progress or (lambda text: None)
    out = Path(out)
    world = synthetic.world(users, items, seed)
    progress("writing raw files, with errors in them")
    events_file, items_file = world.write_raw(out / "raw")
    progress("cleaning")
    named = DataMapping(name="a generated shop", target=synthetic.TARGET)
    report = ingest(events_file, out / "data", items=items_file, mapping=named, settings=CLEANING)
    data = load(out / "data")
    recipe = Recipe(target=synthetic.TARGET, seed=seed, search=SearchSettings(budget=6))
    table = benchmark(data, MODELS, protocol="leave-one-out", recipe=recipe, progress=progress)
    model = fit(data, recipe, model="transition", progress=progress)
    model = replace(model, report=replace(model.report, cleaning=report))
    progress("saving")
    model.save(out / "run")
    page = html(model, cases=REPORTED, progress=progress)
    (out / "report.html").write_text(page, encoding="utf-8")
    progress("looking for the interests that users were given")
    recovery = recover(model, world)
    user = _someone(world)
    name = world.users.ids[user]
    listed = with_reasons(model, model.recommend(name), model.dataset.history(name))
    interests = tuple(
        (world.interests[i], float(world.weights[user, i]))
        for i in np.argsort(-world.weights[user])
        if world.weights[user, i] > 0
    )
    return Demo(
        out,
        time.perf_counter() - began,
        report,
        world.corruption,
        table,
        recovery,
        interests,
        listed,
        _last_events(model, name),
    )


def recover(model: Model, world: World, k: int = 50) -> Recovery:
    """Compare the interests of each user's k best items with the planted ones."""
    kinds = len(world.interests)
    of_item = world.item_interest[world.catalogue.items.rows(model.dataset.catalogue.items.ids)]
    row_of = world.users.rows(model.dataset.users.ids)
    found, chance, inside, by_size = [], [], [], []
    size = np.bincount(of_item, minlength=kinds) / len(of_item)
    for block in model.recommend_all(k):
        for user, items in zip(block.users, block.items, strict=True):
            planted = np.flatnonzero(world.weights[row_of[user]] > 0)
            listed = np.bincount(of_item[items[items >= 0]], minlength=kinds)
            guess = np.argsort(-listed, kind="stable")[: len(planted)]
            found.append(len(np.intersect1d(guess, planted)) / len(planted))
            chance.append(len(planted) / kinds)
            inside.append(listed[planted].sum() / max(1, listed.sum()))
            by_size.append(size[planted].sum())
    means = (float(np.mean(values)) for values in (found, chance, inside, by_size))
    return Recovery(len(found), *means)


def _someone(world: World) -> int:
    """The first user with three interests and no fewer than 20 events."""
    events = np.bincount(world.events.user, minlength=len(world.users))
    chosen = np.flatnonzero(((world.weights > 0).sum(1) == 3) & (events >= 20))
    return int(chosen[0]) if len(chosen) else int(events.argmax())


def _last_events(model: Model, user: str, count: int = 6) -> tuple[tuple[str, str, str], ...]:
    """(item, title, behavior) of a user's last events, the latest first."""
    catalogue = model.dataset.catalogue
    events = model.dataset.history(user).events
    return tuple(
        (
            catalogue.items.ids[events.item[e]],
            catalogue.title(int(events.item[e])) or "",
            catalogue.behaviors[events.behavior[e]].name,
        )
        for e in range(len(events) - 1, max(-1, len(events) - 1 - count), -1)
    )
