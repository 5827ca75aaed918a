"""Interests that a person can read, explanations that are true, lists that can be steered.

    python benchmarks/explained.py DATA... --out benchmarks/results/explained.json

*Planted*: four genres of which each user likes two, with tags of their own, shared or none; are
both found, does a list hold both (as it is, and with a quota), does muting one clear a list of it.
*Browsing*: people who look at one thing and buy another. *Fidelity*: how far the score of a user's
first item falls without the event cited first, and without one that is not cited. *Quota*: how near
lists come to a user's interests; validation chooses the least quota that halves the error, and test
says what it costs. *Speed*: explaining a list of ten among 20,000 items.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from penchant import fit, load_dataset
from penchant.config import Recipe, TransitionSettings
from penchant.data import synthetic
from penchant.data.dataset import Dataset
from penchant.data.splitting.cases import Cases, Split
from penchant.data.splitting.split import split
from penchant.evaluation import metrics
from penchant.models.transition.recommender import TransitionFitter
from penchant.recommendation import Model
from penchant.recommendation.explain import explain, fidelity, with_reasons
from penchant.recommendation.interests import Interests
from penchant.recommendation.rerank import Rules
from penchant.training.fit import train

QUOTAS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
USERS = 500
BEGAN = time.perf_counter()


def told(text: str) -> None:
    print(f"{time.perf_counter() - BEGAN:6.0f} s  {text}", file=sys.stderr, flush=True)


def share(hits: list[bool]) -> dict[str, Any]:
    """The share of users, with its interval by Wilson (1927)."""
    n, p, z = len(hits), float(np.mean(hits)), 1.96
    middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return {"value": p, "low": low, "high": high}


def planted(tags: str, in_turns: bool, seed: int) -> dict[str, Any]:
    data, genre, likes = synthetic.genres(tags=tags, seed=seed, in_turns=in_turns)
    model = fit(data, Recipe(seed=seed), model="transition")
    quota = Rules(quota=0.9)
    found: dict[str, list[bool]] = {}
    for user in range(USERS):
        name, liked = data.users.ids[user], set(likes[user].tolist())

        def genres(items: Any) -> set[int]:
            rows = data.catalogue.items.rows(row.item for row in items)
            return set(genre[rows].tolist())

        kinds = [set(genre[one.members].tolist()) for one in model.interests(name).clusters]
        right = sorted(map(sorted, kinds)) == sorted([kind] for kind in liked)
        list_, held = model.recommend(name), model.recommend(name, rules=quota)
        found.setdefault("both found", []).append(right)
        found.setdefault("list holds both", []).append(liked <= genres(list_.items))
        found.setdefault("list holds both, with a quota", []).append(liked <= genres(held.items))
        for one in model.interests(name).clusters:
            muted = set(genre[one.members].tolist())
            after = model.with_interest_factor(name, one.id, 0.0).recommend(name, k=10).items
            clear = len(muted) == 1 and not muted & genres(after)
            found.setdefault("muted, and gone from the list", []).append(clear)
    turns = "in turns" if in_turns else "by chance"
    told(f"planted, tags {tags}, {turns}")
    return {
        "tags": tags,
        "turns": turns,
        "users": USERS,
        **{name: share(hits) for name, hits in found.items()},
    }


def browsing(seed: int) -> dict[str, Any]:
    world = synthetic.world(1500, 600, seed=seed, browse_buy=True)
    data = world.dataset()
    model = fit(data, Recipe(seed=seed), model="transition")
    asked = ((world.weights > 0).sum(1) <= 2) & ((world.buying > 0).sum(1) <= 2)
    both: list[bool] = []
    inside: dict[str, list[float]] = {"buy": [], "view": []}
    for user in np.flatnonzero(asked).tolist():
        name, events = data.users.ids[user], data.history(data.users.ids[user]).events
        right = ~world.noise[data.events.user == user]
        of = {}
        for kind in inside:
            mine = right & (events.behavior == data.catalogue.behavior(kind))
            of[kind] = set(world.item_interest[events.item[mine]].tolist())
        if not all(of.values()):
            continue
        main = {
            int(np.bincount(world.item_interest[one.members]).argmax())
            for one in model.interests(name).clusters
        }
        both.append(all(main & kinds for kinds in of.values()))
        for kind, values in inside.items():
            listed = model.recommend(name, k=10, behavior=kind).items
            rows = data.catalogue.items.rows(row.item for row in listed)
            values.append(float(np.isin(world.item_interest[rows], list(of[kind])).mean()))
    told("browsing and buying")
    return {
        "users": len(both),
        "both found": share(both),
        **{
            f"list for {kind} within": metrics.bootstrap(np.array(values), seed)._asdict()
            for kind, values in inside.items()
        },
        "chance": 1.5 / len(world.interests),
    }


def fitted(data: Dataset, parts: Split, recipe: Recipe, name: str) -> Model:
    """A model of the training events."""
    found = train(data, parts, name, recipe, told).recommender
    return Model(data.with_events(parts.train), found, recipe)


def of_cases(model: Model, cases: Cases) -> Model:
    """The model as those cases see it: with their histories, in its own space."""
    seen = replace(model, dataset=model.dataset.with_events(cases.histories.events))
    return seen.within(model.space)


def steered(
    model: Model, cases: Cases, quota: float, known: list[Interests]
) -> tuple[np.ndarray, np.ndarray]:
    """NDCG@10 of each case, and the error of its list against its user's interests."""
    rules, catalogue = Rules(quota=quota), model.dataset.catalogue
    gains, errors = [], []
    for case, user in enumerate(cases.histories.users.tolist()):
        name = model.dataset.users.ids[user]
        listed = model.recommend(name, rules=rules, interests=known[case]).items
        rows = catalogue.items.rows(row.item for row in listed)
        hit = np.flatnonzero(np.isin(rows, cases.truth[slice(*cases.indptr[case : case + 2])]))
        gains.append(float(1 / np.log2(hit[0] + 2)) if len(hit) else 0.0)
        mean = known[case].shares(rows).mean(axis=0)
        errors.append(float(metrics.miscalibration(known[case].weights, mean)))
    return np.array(gains), np.array(errors)


def quotas(model: Model, parts: Split, seed: int, users: int) -> dict[str, Any]:
    def some(cases: Cases) -> tuple[Model, Cases, list[Interests]]:
        drawn = np.random.default_rng(seed).permutation(len(cases.histories))[:users]
        cases = cases.take(np.sort(drawn))
        seen = of_cases(model, cases)
        names = [model.dataset.users.ids[user] for user in cases.histories.users]
        known = [seen.interests(name) for name in names]
        several = np.flatnonzero([len(one) > 1 for one in known])
        return seen, cases.take(several), [known[place] for place in several]

    tried = {}
    seen, cases, known = some(parts.validation)
    for quota in (0.0, *QUOTAS):
        gains, errors = steered(seen, cases, quota, known)
        tried[quota] = float(gains.mean()), float(errors.mean())
        told(f"quota {quota:g}: NDCG@10 {gains.mean():.4f}, error {errors.mean():.4f}")
    chosen = next(quota for quota in QUOTAS if tried[quota][1] <= tried[0.0][1] / 2)
    seen, cases, known = some(parts.test)
    before, after = (steered(seen, cases, quota, known) for quota in (0.0, chosen))
    told(f"quota {chosen:g} on test")
    return {
        "cases": len(cases.histories),
        "validation": [{"quota": q, "ndcg@10": n, "error": e} for q, (n, e) in tried.items()],
        "chosen": chosen,
        "ndcg@10": [metrics.bootstrap(of[0], seed)._asdict() for of in (before, after)],
        "error": [metrics.bootstrap(of[1], seed)._asdict() for of in (before, after)],
        "ndcg@10 less": metrics.paired(after[0], before[0], seed)._asdict(),
        "error kept": float(after[1].mean() / before[1].mean()),
        "ndcg@10 kept": float(after[0].mean() / before[0].mean()),
    }


def speed(items: int, seed: int) -> dict[str, Any]:
    data = synthetic.world(4000, items, seed=seed).dataset()
    model = Model(data, TransitionFitter(data)(TransitionSettings()))
    names = data.users.ids[:201]
    lists = {name: model.recommend(name, k=10) for name in names}

    def timed(work: Any) -> list[float]:
        found = []
        for name in names:
            began = time.perf_counter()
            work(name)
            found.append(1e3 * (time.perf_counter() - began))
        return found[1:]  # the first makes what all share

    of_list = timed(lambda name: with_reasons(model, lists[name], data.history(name)))
    of_item = timed(lambda name: explain(model, lists[name].items[0].item, user=name))
    told("speed")
    return {
        "items": items,
        "events of a history": float(np.mean([len(data.history(n).events) for n in names])),
        **{
            name: {"median": float(np.median(of)), "p99": float(np.quantile(of, 0.99))}
            for name, of in (("list of ten, ms", of_list), ("one item in full, ms", of_item))
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--users", type=int, default=1500, help="asked for quota and fidelity")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    recipe = Recipe.load(None, ["search.budget=6", "sequence.epochs=8", *asked.overrides])
    found: dict[str, Any] = {"seed": recipe.seed, "speed": speed(20_000, recipe.seed)}
    found["planted"] = [
        planted(tags, in_turns, recipe.seed)
        for tags in ("own", "shared", "none")
        for in_turns in (True, False)
    ]
    found["browsing"] = browsing(recipe.seed)
    found["fidelity"], found["quota"] = [], []
    for path in asked.data:
        data = load_dataset(path)
        parts = split(data, None, recipe.seed)
        for name in ("transition", "fusion"):
            model = fitted(data, parts, recipe, name)
            judged = fidelity(model, asked.users, recipe.seed).to_dict()
            found["fidelity"].append({"dataset": data.name, "model": name, **judged})
            told(f"{data.name}, {name}: {judged}")
            if name == "transition":
                judged = quotas(model, parts, recipe.seed, asked.users)
                found["quota"].append({"dataset": data.name, "model": name, **judged})
    asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
