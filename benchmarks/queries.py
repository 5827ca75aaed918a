"""Searches and questions on MovieLens-1M: do lists follow them, and what is left of the user?

    python benchmarks/queries.py DATA --out benchmarks/results/queries-ml-1m.json

DATA is an ml-1m directory with titles and genres. A model is fitted on the training events of
leave-one-out; a list is made for each of 200 test users, drawn by a seed, as it stands, after a
search event ("animated film for children" and others), and for the same text as a question. For
each: the share of lists of which at least 5 of 10 items are of the wanted genres, how many of the
10 on average, and NDCG@10 against the user's own next item, which the search knows nothing of,
with the paired difference to popularity. The settings were chosen on validation events, with
--validation.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from penchant import Recipe
from penchant.data.io import load
from penchant.data.splitting.split import split
from penchant.data.text_query import TextQuery
from penchant.evaluation.metrics import bootstrap, paired
from penchant.features.item_content import encode_items
from penchant.models.baselines.popularity import POPULARITY
from penchant.recommendation import Model
from penchant.recommendation.ranking import rank
from penchant.recommendation.request import ListRequest
from penchant.training.fit import train

MAIN = "animated film for children"
QUERIES = {
    MAIN: ("Animation", "Children's"),
    "dessin animé pour enfants": ("Animation", "Children's"),
    "scary movie": ("Horror",),
    "love story": ("Romance",),
    "spaceships and aliens": ("Sci-Fi",),
    "cowboys": ("Western",),
    "detective story": ("Crime", "Mystery", "Film-Noir"),
    "singing and dancing": ("Musical",),
    "war film": ("War",),
    "dragons and magic": ("Fantasy",),
    "fast car chases and explosions": ("Action",),
    "film for the whole family": ("Children's",),
}
K = 10


def ranked(model, histories, said):
    """Lists of some histories, (B, 10), after the same was said in each; seen items left out."""
    asked = tuple(said._replace(history=row) for row in range(len(histories))) if said else ()
    given = replace(histories, queries=asked)
    return rank(model, given, ListRequest(k=K, repeats=False)).items


def gains(items, truth):
    """DCG@10 of one right item each, (B,): its nDCG."""
    return ((items == truth[:, None]) / np.log2(np.arange(K) + 2)).sum(axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--model", default="transition")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--validation", action="store_true", help="On validation events.")
    parser.add_argument("--set", action="append", default=[], dest="sets")
    arguments = parser.parse_args()
    sets = ["content.image=none", "transition.ridge=200", "search.budget=1", *arguments.sets]
    recipe = Recipe.load(overrides=sets)
    dataset, _ = encode_items(load.load(arguments.data), recipe.content, print)
    parts = split(dataset, seed=recipe.seed)
    expert = train(dataset, parts, arguments.model, recipe, print).recommender
    known = dataset.with_events(parts.train)
    model = Model(known, expert, recipe)
    popular = Model(known, POPULARITY.fitter(known, 0)(POPULARITY.settings()), recipe)
    cases = parts.validation if arguments.validation else parts.test
    rng = np.random.default_rng(recipe.seed)
    some = np.sort(rng.choice(len(cases.histories), arguments.users, replace=False))
    histories, truth = cases.histories.take(some), cases.truth[cases.indptr[some]]
    tags = known.catalogue.tags
    least = gains(ranked(popular, histories, None), truth)
    plain = ranked(model, histories, None)
    rows = []

    def row(query, genres, how, items):
        of = np.array([bool({*tags} & {*genres}) for tags in tags])
        count = of[items].sum(axis=1)
        own = gains(items, truth)
        found = {
            "query": query,
            "genres": list(genres),
            "how": how,
            "lists_with_5": float((count >= 5).mean()),
            "of_10": float(count.mean()),
            "ndcg@10": bootstrap(own, recipe.seed)._asdict(),
            "less_popularity": paired(own, least, recipe.seed)._asdict(),
        }
        rows.append(found)
        shown = found["ndcg@10"], found["less_popularity"]
        print(
            f"{query}, {how}: {found['lists_with_5']:.1%} of lists, {found['of_10']:.1f} of 10; "
            + "; ".join(f"{o['value']:+.4f} [{o['low']:+.4f}, {o['high']:+.4f}]" for o in shown),
            flush=True,
        )

    for query, genres in QUERIES.items():
        row(query, genres, "no search", plain)
        row(query, genres, "search", ranked(model, histories, TextQuery(query, 0, 0)))
        row(query, genres, "question", ranked(model, histories, TextQuery(query, 0, 0, 1.0)))
    found = {
        "users": arguments.users,
        "events": "validation" if arguments.validation else "test",
        "model": arguments.model,
        "settings": recipe.queries.model_dump(),
        "popularity": bootstrap(least, recipe.seed)._asdict(),
        "rows": rows,
    }
    print(f"popularity {found['popularity']}")
    if arguments.out:
        text = json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
