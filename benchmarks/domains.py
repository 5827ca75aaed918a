"""What several domains are worth: one model for each domain alone, and one for all of them.

    python benchmarks/domains.py DATA... --out benchmarks/results/domains.json

Asked are the users of two domains or more, each in each of their domains, among that domain's
items. The models of one domain know that domain's users, items and events alone.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from penchant import load_dataset
from penchant.config import Recipe
from penchant.data.dataset import Dataset, Events, Histories
from penchant.data.splitting.cases import Cases, Split
from penchant.data.splitting.split import split
from penchant.data.vocabulary import Vocabulary
from variants import (
    MODELS,
    Variant,
    asked,
    difference,
    fitted,
    fusion_less_best,
    line,
    main,
    means,
    settings,
    signed,
)


def alone(dataset: Dataset, parts: Split, domain: int) -> Variant:
    """One domain as a data set of its own."""
    catalogue = dataset.catalogue
    items = np.flatnonzero(catalogue.domain == domain)
    row = np.full(len(catalogue), -1)
    row[items] = np.arange(len(items))

    def own(of: Events) -> Any:
        return (of.domain == domain) & (row[of.item] >= 0)

    def events(of: Events) -> Events:
        mine = of.take(own(of))
        return replace(mine, item=row[mine.item], domain=np.zeros_like(mine.domain))

    def histories(of: Histories) -> Histories:
        kept = of.keep(own(of.events))
        return replace(kept, events=events(kept.events))

    def cases(of: Cases) -> Cases:
        mine = within(of, of.domain == domain)
        return replace(
            mine,
            histories=histories(mine.histories),
            truth=row[mine.truth],
            domain=np.zeros_like(mine.domain),
        )

    few = replace(
        catalogue,
        items=Vocabulary(tuple(catalogue.items.ids[i] for i in items)),
        domains=(catalogue.domains[domain],),
        domain=np.zeros(len(items), np.int64),
        titles=tuple(catalogue.titles[i] for i in items) if catalogue.titles else (),
        tags=tuple(catalogue.tags[i] for i in items) if catalogue.tags else (),
        columns={name: column[items] for name, column in catalogue.columns.items()},
    )
    part = Split(events(parts.train), cases(parts.validation), cases(parts.test), parts.protocol)
    return Variant(replace(dataset, catalogue=few, events=part.train), part)


def at_home(dataset: Dataset, cases: Cases) -> Cases:
    """The cases whose truth is an item of their domain: an item may be sold in two, and has one."""
    case = np.repeat(np.arange(len(cases.histories)), np.diff(cases.indptr))
    foreign = dataset.catalogue.domain[cases.truth] != cases.domain[case]
    return within(cases, np.bincount(case[foreign], minlength=len(cases.histories)) == 0)


def within(cases: Cases, mine: Any) -> Cases:
    """The cases of a mask."""
    return cases.take(np.flatnonzero(mine))


def shared_users(dataset: Dataset) -> Any:
    """Which users have events in two domains or more, (U,)."""
    e, width = dataset.events, len(dataset.catalogue.domains)
    user = np.unique(e.user * width + e.domain) // width
    return np.bincount(user, minlength=len(dataset.users)) >= 2


def compared(path: Path, recipe: Recipe) -> dict[str, Any]:
    """All rows of one data set."""
    dataset = load_dataset(path)
    names = dataset.catalogue.domains
    parts = split(dataset, None, recipe.seed)
    asked_in_all = len(parts.test.histories)
    parts = replace(
        parts,
        validation=at_home(dataset, parts.validation),
        test=at_home(dataset, parts.test),
    )
    foreign = asked_in_all - len(parts.test.histories)
    print(f"{dataset.name}: {foreign} test cases of an item of another domain left out", flush=True)
    many = shared_users(dataset)
    everyone = parts.test
    asked_of = np.flatnonzero(many[everyone.histories.users])
    # the single-domain answers come one domain after the other
    asked_of = asked_of[np.argsort(everyone.domain[asked_of], kind="stable")]
    test = everyone.take(asked_of)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    chosen: dict[tuple[str, str], Any] = {}
    joint = fitted(Variant(dataset, parts), recipe, f"{dataset.name}, joint")
    whole = {}
    for name, trained in joint.items():
        whole[name] = asked(trained.recommender, dataset, everyone, recipe).cases
        found["joint", name] = [{metric: v[asked_of] for metric, v in whole[name].items()}]
        chosen["joint", name] = settings(trained)
    for row, domain in enumerate(names):
        variant = alone(dataset, replace(parts, test=test), row)
        single = fitted(variant, recipe, f"{dataset.name}, {domain} alone")
        for name, trained in single.items():
            answer = asked(trained.recommender, variant.dataset, variant.parts.test, recipe)
            found.setdefault(("alone", name), []).append(answer.cases)
            chosen[f"alone, {domain}", name] = settings(trained)
    best = fusion_less_best(whole, recipe.seed, everyone.histories.users)
    what = f"{dataset.name}, all users, fusion less {best['against']}"
    print(f"{what}: NDCG@10 {signed(best['ndcg@10'])}", flush=True)
    users = test.histories.users
    values = {
        key: {metric: np.concatenate([part[metric] for part in parts_]) for metric in parts_[0]}
        for key, parts_ in found.items()
    }
    rows, differences = [], []
    places = {"all": np.arange(len(users))} | {
        domain: np.flatnonzero(test.domain == row) for row, domain in enumerate(names)
    }
    for place, index in places.items():
        for name in MODELS:
            some = {
                way: {m: v[index] for m, v in values[way, name].items()}
                for way in ("joint", "alone")
            }
            for way, of in some.items():
                entry = {
                    "domain": place,
                    "way": way,
                    "model": name,
                    "cases": len(index),
                    "metrics": means(of, recipe.seed, users[index]),
                }
                rows.append(entry)
                print(line(f"{dataset.name}, {place}, {way}, {name}", entry), flush=True)
            less = difference(some["joint"], some["alone"], recipe.seed, users[index])
            differences.append({"domain": place, "model": name, **less})
            what = f"{dataset.name}, {place}, {name}, joint less alone"
            print(f"{what}: NDCG@10 {signed(less['ndcg@10'])}", flush=True)
    return {
        "dataset": dataset.name,
        "users": int(np.count_nonzero(many)),
        "cases": len(users),
        "left_out": foreign,
        "seed": recipe.seed,
        "rows": rows,
        "differences": differences,
        "all_users": {
            "cases": len(everyone.histories),
            "rows": [
                {"model": name, "metrics": means(of, recipe.seed, everyone.histories.users)}
                for name, of in whole.items()
            ],
            "fusion_less_best": best,
        },
        "settings": [
            {"way": way, "model": name, "settings": of} for (way, name), of in chosen.items()
        ],
    }


if __name__ == "__main__":
    main(__doc__, compared)
