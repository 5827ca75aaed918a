"""Clicked or not: AUC over what users were shown, on the sample of Bing News that DKN published.

    python benchmarks/impressions.py FOLDER --out benchmarks/results/impressions.json

The folder holds raw_train.txt and raw_test.txt and is ingested here by recipes/bing-news.toml. The
models are fitted on the clicks of raw_train.txt and score the impressions of raw_test.txt. A user's
AUC is the chance that a clicked article is above one that was not clicked, ties counting half; only
users with both are asked, and an article that was shown twice to one user counts as clicked if it
ever was. Every article of the test is new, so models that know nothing of its content cannot tell
one from another. Settings are chosen on validation: for each of some folds of the articles, the
clicks on them are left out of the fit and the impressions of raw_train.txt on them are asked. The
headlines of the test are in the catalogue, as a new article's is before anyone has seen it.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from penchant.config import ContentSettings, TransitionSettings
from penchant.data.dataset import Dataset
from penchant.data.hashing import hashes, uniform
from penchant.data.io import load
from penchant.data.io.impressions import Impressions, read_impressions
from penchant.evaluation import metrics
from penchant.features.item_content import encode_items
from penchant.models.base import Recommender
from penchant.models.registry import BASELINES
from penchant.models.transition.recommender import Transition, TransitionFitter, with_defaults
from penchant.models.transition.solver import solve, system

RECIPES = Path(__file__).parent.parent / "recipes"
FOLDS = 5
LADDERS = {
    "cold": (10.0, 100.0, 1000.0, 10_000.0),
    "ridge": (5.0, 20.0, 200.0),
    "text": (0.5, 1.0, 4.0, 8.0),
    "tags": (0.5, 1.0, 4.0, 8.0),
}
ROWS = {
    "transition without content": (),
    "transition, entities": ("tags",),
    "transition, headlines": ("text",),
    "transition, headlines and entities": ("tags", "text"),
}


BEGAN = time.perf_counter()


def told(text: str) -> None:
    print(f"{time.perf_counter() - BEGAN:6.0f} s  {text}", file=sys.stderr, flush=True)


def asked(shown: Impressions, which: np.ndarray) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """User, items and which of them were clicked, of each user with a click and one without."""
    found = []
    for user in np.unique(shown.user[which]):
        mine = which & (shown.user == user)
        items, place = np.unique(shown.item[mine], return_inverse=True)
        clicked = np.bincount(place, shown.clicked[mine]) > 0
        if clicked.any() and not clicked.all():
            found.append((int(user), items, clicked))
    return found


def aucs(model: Recommender, data: Dataset, cases: list) -> np.ndarray:
    """One AUC for each case."""
    users = np.array([user for user, _, _ in cases])
    scores = model.score(data.events.histories(users))
    found = []
    for row, (_, items, clicked) in zip(scores, cases, strict=True):
        # who has no score is below all others, and tied with those who have none
        mine = np.unique(row[items], return_inverse=True)[1]
        above = (mine[None] > mine[:, None]).sum(axis=1)
        level = (mine[None] == mine[:, None]).sum(axis=1) - 1
        ranks = (1 + above + level / 2)[clicked]
        found.append(metrics.auc(ranks, len(items), np.array([0, len(ranks)]))[0])
    return np.array(found)


class Fit:
    """The transition expert, solved for the articles that are asked and no others."""

    def __init__(self, data: Dataset, cases: list) -> None:
        self.data, self.fitter = data, TransitionFitter(data)
        self.asked = np.unique(np.concatenate([items for _, items, _ in cases]))

    def __call__(self, settings: TransitionSettings) -> Transition:
        settings = with_defaults(settings, self.data)
        sums, content = self.fitter.statistics(settings), self.fitter.content(settings)
        both = system(sums, content, settings, self.data.event_counts)
        B = solve(both, settings.candidates, self.asked)
        return Transition.of(B, self.data, settings, sums)


class Folds:
    """Validation: articles that the fit has not met, asked of the impressions in training."""

    def __init__(self, data: Dataset, shown: Impressions, folds: int, seed: int) -> None:
        fold = (uniform(hashes("fold", data.catalogue.items.ids, seed)) * FOLDS).astype(int)
        train = shown.requests.rows(["train"])[0]
        self.parts = []
        for one in range(folds):
            data_of = data.with_events(data.events.take(fold[data.events.item] != one))
            cases = asked(shown, (shown.request == train) & (fold[shown.item] == one))
            met = np.unique(data_of.events.user)
            cases = [case for case in cases if case[0] in met]
            self.parts.append((data_of, Fit(data_of, cases), cases))

    def __call__(self, settings: TransitionSettings) -> np.ndarray:
        return np.concatenate([aucs(fit(settings), data, c) for data, fit, c in self.parts])

    def users(self) -> np.ndarray:
        return np.concatenate([[user for user, _, _ in cases] for _, _, cases in self.parts])


def chosen(value: Folds, modalities: tuple[str, ...], seed: int) -> tuple[TransitionSettings, dict]:
    """Climb each ladder in turn by the mean AUC of validation."""
    best = TransitionSettings(
        candidates=100, content_weights={"tags": 0.0, "text": 0.0} | dict.fromkeys(modalities, 2.0)
    )
    tried: dict[str, np.ndarray] = {}

    def found(settings: TransitionSettings) -> float:
        key = settings.model_dump_json()
        if key not in tried:
            tried[key] = value(settings)
        return float(tried[key].mean())

    for name in ("cold", *modalities, "ridge") if modalities else ():
        for rung in LADDERS[name]:
            change = {name: rung}
            if name in modalities:
                change = {"content_weights": {**best.content_weights, name: rung}}
            other = best.model_copy(update=change)
            if found(other) > found(best):
                best = other
        told(f"{name}: {best.cold=}, {best.ridge=}, {best.content_weights=}: AUC {found(best):.4f}")
    found(best)
    interval = metrics.bootstrap(tried[best.model_dump_json()], seed, cluster=value.users())
    return best, {"auc": interval._asdict(), "trials": len(tried)}


def compared(folder: Path, folds: int, seed: int) -> dict:
    with TemporaryDirectory() as scratch:
        load.ingest(folder, Path(scratch) / "d", mapping=RECIPES / "bing-news.toml")
        data = load.load(Path(scratch) / "d")
        shown = read_impressions(Path(scratch) / "d", data)
    data, read = encode_items(data, ContentSettings(text="universal", image="none", audio="none"))
    test = shown.request == shown.requests.rows(["test"])[0]
    cases = asked(shown, test)
    assert not (data.event_counts[shown.item[test]] > 0).any(), "an article of the test has clicks"
    validation = Folds(data, shown, folds, seed)
    popular = BASELINES["popularity"]
    fit = Fit(data, cases)
    values = {"popularity": aucs(popular.fitter(data, seed)(popular.settings()), data, cases)}
    settings: dict[str, dict] = {"popularity": {"settings": None, "validation": None}}
    for name, modalities in ROWS.items():
        best, found = chosen(validation, modalities, seed)
        settings[name] = {"settings": best.model_dump(), "validation": found}
        values[name] = aucs(fit(best), data, cases)
        told(f"{name}: test AUC {values[name].mean():.4f}")
    best = max(ROWS, key=lambda name: settings[name]["validation"]["auc"]["value"])
    return {
        "dataset": data.name,
        "clicks": len(data.events),
        "articles": len(data.catalogue),
        "impressions": len(shown),
        "test": {
            "impressions": int(test.sum()),
            "users": len(np.unique(shown.user[test])),
            "users_with_both": len(cases),
            "pairs_of_user_and_article": sum(len(items) for _, items, _ in cases),
            "clicked_and_not": sum(int(c.sum()) * int((~c).sum()) for _, _, c in cases),
        },
        "validation": {"folds": folds, "of": FOLDS, "cases": len(validation.users())},
        "text": read.to_dict()["text"],
        "rows": [
            {
                "row": name,
                "auc": metrics.bootstrap(of, seed)._asdict(),
                "less_chance": metrics.bootstrap(of - 0.5, seed)._asdict(),
                **settings[name],
            }
            for name, of in values.items()
        ],
        "best_on_validation": best,
        "less_entities": metrics.paired(
            values[best], values["transition, entities"], seed
        )._asdict(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--folds", type=int, default=2, help=f"of {FOLDS} that are asked")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args()
    found = compared(told.folder, told.folds, told.seed)
    told.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in found["rows"]:
        auc = row["auc"]
        print(f"{row['row']:36} AUC {auc['value']:.4f} [{auc['low']:.4f}, {auc['high']:.4f}]")


if __name__ == "__main__":
    main()
