"""What an attack can tell of members before and after they are forgotten, and at what price.

python benchmarks/forgetting.py DATA --out benchmarks/results/forgetting-NAME.json

The transition expert, with the recipe's settings as they are, is fitted without 500 users drawn by
chance ("others"). 500 that it was fitted on ("members") are attacked and forgotten; then its sums
and B are compared with those of a fit that never saw them.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from penchant.config import Recipe
from penchant.data.io.load import load
from penchant.data.user_attributes import select_attributes
from penchant.models.transition.recommender import TransitionFitter
from penchant.privacy.membership_inference import Shadows, attack, sample_groups
from penchant.recommendation import Model
from penchant.training.update import without_users


def compared(data, recipe=None, each=500, shadows=8, seed=0):
    """Both attacks before and after, as JSON types."""
    recipe = recipe or Recipe()
    data, _ = select_attributes(data, recipe.users)
    settings = recipe.transition

    def fitted(some):
        return TransitionFitter(some)(settings)

    groups = sample_groups(data, each, seed)
    model = Model(groups.data, fitted(groups.data), recipe)
    began = time.perf_counter()
    gone, receipt = without_users(model, [data.users.ids[row] for row in groups.members])
    seconds = time.perf_counter() - began
    users = np.concatenate([groups.members, groups.others])
    began = time.perf_counter()
    never = fitted(gone.dataset)
    whole = time.perf_counter() - began
    after = gone.recommender
    many = Shadows.of(data, users, fitted, shadows, seed, print)
    found = attack(groups, data, model.recommender, after, many, seed)
    return {
        "data": data.name,
        "model": "transition",
        "settings": settings.model_dump(),
        "seed": seed,
        "shadows": len(many.loss),
        "events_forgotten": receipt.events,
        "columns_solved": receipt.solved,
        "seconds": round(seconds, 2),
        "seconds_of_a_fit": round(whole, 2),
        "same_sums": after.statistics == never.statistics,
        "same_B": bool((after.B != never.B).nnz == 0),
        **found,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--each", type=int, default=500)
    parser.add_argument("--shadows", type=int, default=8)
    arguments = parser.parse_args()
    found = compared(load(arguments.data), each=arguments.each, shadows=arguments.shadows)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    assert found["same_sums"]
    assert found["same_B"]


if __name__ == "__main__":
    main()
