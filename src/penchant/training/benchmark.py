"""The benchmark: each model searched, fitted and measured on one split, beside published rows."""

import csv
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np

from penchant.config import Recipe
from penchant.data.arrays import blocks
from penchant.data.dataset import Dataset, Events
from penchant.data.splitting.cases import Split
from penchant.data.splitting.protocols import resolve_protocol
from penchant.data.splitting.split import split
from penchant.data.user_attributes import select_attributes
from penchant.errors import ConfigError, MissingExtraError
from penchant.evaluation.evaluate import Evaluation, evaluate
from penchant.evaluation.metrics import Interval
from penchant.features.item_content import encode_items
from penchant.models.base import KNOWN, Recommender
from penchant.models.registry import BASELINES, FAMILIES, Outside, family_of
from penchant.models.topk import mask_seen, top_k
from penchant.storage.json_records import JsonRecord, key, to_json
from penchant.training.fit import Trained, train
from penchant.types import Progress

OURS = ("fusion", "transition")


@dataclass(frozen=True)
class Row:
    """One model's line.

    fit_seconds      one fit of the chosen settings on the training events
    search_seconds   the whole search before it
    users_per_second lists of 10 made, seen items left out
    peak_mb          the most memory that the process held during search, fit and evaluation
    curve            one line for each pass of a training, where there is one
    """

    model: str
    settings: Mapping[str, Any]
    evaluation: Evaluation
    trials: int
    fit_seconds: float
    search_seconds: float
    users_per_second: float
    peak_mb: float
    curve: tuple[Any, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The line as JSON types."""
        line = {
            "model": self.model,
            "settings": self.settings,
            "metrics": to_json(self.evaluation.metrics),
            "fit_seconds": round(self.fit_seconds, 3),
            "search_seconds": round(self.search_seconds, 3),
            "trials": self.trials,
            "evaluate_seconds": round(self.evaluation.seconds, 3),
            "recommend_users_per_second": round(self.users_per_second, 1),
            "peak_mb": round(self.peak_mb),
        }
        if self.curve:
            line["curve"] = [
                {name: round(value, 5) for name, value in vars(epoch).items()}
                for epoch in self.curve
            ]
        return line


@dataclass(frozen=True)
class Difference(JsonRecord):
    """Paired NDCG@10 of a model less that of another on the same cases."""

    model: str
    against: str
    ndcg: Interval = field(metadata=key("ndcg@10"))


@dataclass
class Table:
    """All lines of one benchmark, the published ones of the same data and protocol, and notes."""

    dataset: str
    protocol: str
    seed: int
    cases: int
    rows: list[Row] = field(default_factory=list)
    published: list[dict[str, str]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def paired(self) -> Difference | None:
        """Paired NDCG@10 of the fusion, or else the transition expert, less the best other row."""
        rows = {row.model: row for row in self.rows}
        ours = next((rows[name] for name in OURS if name in rows), None)
        others = [r for r in self.rows if r.model in KNOWN and r is not ours]
        if ours is None or not others:
            return None
        return _less(ours, max(others, key=_ndcg))

    @property
    def over_baselines(self) -> list[Difference]:
        """Paired NDCG@10 of each of our experts and their fusion, less the best baseline's."""
        baselines = [row for row in self.rows if row.model in BASELINES]
        ours = [r for r in self.rows if r.model in KNOWN and r.model not in BASELINES]
        if not baselines:
            return []
        return [_less(row, max(baselines, key=_ndcg)) for row in ours]

    def to_dict(self) -> dict[str, Any]:
        """The table as JSON types."""
        return {
            "dataset": self.dataset,
            "protocol": self.protocol,
            "seed": self.seed,
            "cases": self.cases,
            "rows": [row.to_dict() for row in self.rows],
            "paired": to_json(self.paired),
            "over_baselines": to_json(self.over_baselines),
            "published": self.published,
            "skipped": self.skipped,
            "notes": self.notes,
        }


def _ndcg(row: Row) -> float:
    return row.evaluation.mean("ndcg@10")


def _less(row: Row, other: Row) -> Difference:
    return Difference(row.model, other.model, row.evaluation.minus(other.evaluation, "ndcg@10"))


def benchmark(
    dataset: Dataset,
    models: Sequence[Outside] | None = None,
    *,
    protocol: str | None = None,
    recipe: Recipe | None = None,
    refit: bool = False,
    progress: Progress | None = None,
) -> Table:
    """Search, fit and measure each model on one split.

    Settings are chosen on validation events, and the test events are asked once. At test time the
    history holds the validation event; the model was fitted without it, but for the further rows
    that ``refit`` adds. A model that the data or the installation does not allow is named in
    ``skipped`` with the reason.

    Parameters
    ----------
    dataset
        Events, users and items, as ``from_columns``, ``load_dataset`` or ``ingest`` give them.
    models
        Names of families, or families written outside; by default all that can run.
    protocol
        How events are held out, such as ``"leave-one-out"``; by default that which suits the data.
    recipe
        Target, seed, and the settings that each search begins with.
    refit
        Add a row for each model that is fitted on the validation events too.
    progress
        Called with a line of text as each stage begins.

    Returns
    -------
    Table
        A row for each model with its metrics, times and memory, paired differences, and the
        published rows of the same data and protocol.

    Raises
    ------
    ConfigError
        For a family, protocol or setting that is not known, and for a model that was asked for
        and cannot take the data.
    DataError
        Where there are too few events to hold any out.
    MissingExtraError
        Where a model that was asked for needs a package that is not installed.

    Examples
    --------
    >>> from penchant.data.synthetic import checkerboard
    >>> found = benchmark(checkerboard(), ["popularity", "transition"])
    >>> [row.model for row in found.rows], found.cases
    (['popularity', 'transition'], 20)
    """
    recipe = recipe or Recipe()
    progress = progress or (lambda text: None)
    dataset = resolve_protocol(dataset.with_target(recipe.target), recipe.repeats)
    dataset, read = encode_items(dataset, recipe.content, progress)
    dataset, noted = select_attributes(dataset, recipe.users)
    parts = split(dataset, protocol, recipe.seed)
    table = Table(dataset.name, parts.protocol, recipe.seed, len(parts.test.histories))
    table.notes.extend((*dataset.notes, *read.notes, *noted))
    table.published = [
        row
        for row in published()
        if row["dataset"] == dataset.name and row["protocol"].startswith(parts.protocol)
    ]
    made: dict[str, Trained] = {}
    for name in [family_of(model).name for model in models or FAMILIES]:
        try:
            table.rows += _rows(dataset, parts, name, recipe, refit, progress, made)
        except (ConfigError, MissingExtraError) as error:
            if models is not None:
                raise
            table.skipped[name] = str(error)
    return table


def published() -> list[dict[str, str]]:
    """Rows that papers and their reruns report, with dataset, protocol and source."""
    text = files("penchant.training").joinpath("published.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _rows(
    dataset: Dataset,
    parts: Split,
    name: str,
    recipe: Recipe,
    refit: bool,
    progress: Progress,
    made: dict[str, Trained],
) -> list[Row]:
    popularity = dataset.with_events(parts.train).counts()

    def row(label: str, model: Recommender, trained: Trained, seconds: float, peak: float) -> Row:
        progress(f"{label}: evaluating")
        with Peak() as further:
            evaluation = evaluate(
                model,
                dataset.catalogue,
                parts.test,
                repeats=recipe.repeats,
                popularity=popularity,
                seed=recipe.seed,
            )
        return Row(
            label,
            model.settings.model_dump(),
            evaluation,
            len(trained.trials),
            seconds,
            trained.search_seconds,
            _speed(model, parts),
            max(peak, further.megabytes),
            model.curve,
        )

    with Peak() as peak:
        trained = train(dataset, parts, name, recipe, progress, made)
    rows = [row(name, trained.recommender, trained, trained.fit_seconds, peak.megabytes)]
    if refit:
        data = dataset.with_events(with_validation(dataset, parts))
        with Peak() as peak:
            began = time.perf_counter()
            model = trained.recommender.refit(data, recipe.seed)
            seconds = time.perf_counter() - began
        rows.append(row(f"{name}, refit", model, trained, seconds, peak.megabytes))
    return rows


def with_validation(dataset: Dataset, parts: Split) -> Events:
    """The training events and those that test histories add, in order."""
    known = np.union1d(parts.train.row, parts.test.histories.events.row)
    events = dataset.events.sorted()
    return events.take(np.isin(events.row, known))


def _speed(model: Recommender, parts: Split, users: int = 2000, k: int = 10) -> float:
    """Users per second whose lists are made by one thread of calls."""
    histories = parts.test.histories.take(slice(0, users))
    began = time.perf_counter()
    size = 256
    for block in blocks(len(histories), size):
        some = histories.take(block)
        scores = model.score(some)
        mask_seen(scores, some, some.events.item)
        top_k(scores, k)
    return len(histories) / (time.perf_counter() - began)


class Peak:
    """The most resident memory of this process between enter and exit, sampled every 10 ms.

    Where the system does not tell (no /proc), the most since the process began.
    """

    megabytes = 0.0

    def __enter__(self) -> "Peak":
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.megabytes = max(self.megabytes, resident())
            if self._stop.wait(0.01):
                return


def resident() -> float:
    """Resident memory of this process now, in MB."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
