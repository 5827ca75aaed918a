"""A model as files: what ``Model.save`` writes and ``load`` reads."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from penchant import __version__, artifact
from penchant.config import Recipe, TransitionSettings, parse
from penchant.data import store
from penchant.data.people import described_users
from penchant.errors import ArtifactError
from penchant.interests import Control, Profile
from penchant.model.model import Model
from penchant.models.base import Recommender, over, under
from penchant.models.calibration import Calibration
from penchant.models.families import FAMILIES
from penchant.models.fusion import Fusion, asked_for
from penchant.models.sequence import SEQUENCE
from penchant.models.transition import Transition, restore

CALIBRATION = "calibration"
OTHERS = "behavior"
WEIGHTS = "weights of"
TWIN = "twin"


def save(model: Model, path: str | Path) -> Path:
    """Write a run: data, arrays and a manifest that vouches for each byte."""
    heads = {name: model.aimed(name).transition for name in model.others}
    own = {n: e for n, e in heads.items() if e is not None and e is not model.transition}
    manifest = {
        "penchant": __version__,
        "family": model.family,
        "settings": model.settings.model_dump(),
        "others": {n: own[n].settings.model_dump() if n in own else None for n in heads},
        "recipe": model.recipe.model_dump(),
        "info": model.info,
        "controls": _told(model.controls),
        "profiles": _kept(model.profiles),
    }
    with artifact.writing(path, manifest) as folder:
        store.save(model.dataset, folder / "data")
        arrays = dict(model.recommender.arrays())
        for name, of in model.calibrations.items():
            arrays[f"{CALIBRATION}/{name}"] = np.append(of.weights, of.bias)
        for name, expert in own.items():
            arrays |= over(expert.arrays(), f"{OTHERS}/{name}/")
        for name, other in model.others.items():
            if isinstance(other, Fusion):
                arrays[f"{WEIGHTS}/{name}"] = other.weights
        if model.twin is not None:
            arrays |= over(model.twin.arrays(), f"{TWIN}/")
        artifact.save_arrays(folder / "arrays.safetensors", arrays)
    return Path(path)


def save_controls(model: Model, path: str | Path) -> None:
    """Write what users made of their interests into the run that the model was loaded from."""
    artifact.amend(path, {"controls": _told(model.controls)})


def save_profiles(model: Model, path: str | Path) -> None:
    """Write the texts of interests into the run that the model was loaded from."""
    artifact.amend(path, {"profiles": _kept(model.profiles)})


def load(path: str | Path) -> Model:
    """A saved model. Raises ArtifactError where a byte of it has changed."""
    manifest = artifact.read_manifest(path)
    path = Path(path)
    if manifest["family"] not in FAMILIES:
        raise ArtifactError(f"{path}: expected a known family, received {manifest['family']!r}")
    family = FAMILIES[manifest["family"]]
    settings = parse(family.settings, manifest["settings"], str(path))
    recipe = parse(Recipe, manifest["recipe"], str(path))
    dataset, _ = described_users(store.load(path / "data"), recipe.users)
    arrays = artifact.load_arrays(path / "arrays.safetensors")
    calibrations = {
        name: Calibration(flat[:-1], float(flat[-1]))
        for name, flat in under(arrays, f"{CALIBRATION}/").items()
    }
    weights = under(arrays, f"{WEIGHTS}/")
    recommender = family.restore(arrays, dataset, settings)

    def other(name: str, content: dict[str, Any] | None) -> Recommender:
        aimed = dataset.aimed(name)

        def solved(expert: Transition) -> Transition:
            if content is None:
                return expert
            chosen = parse(TransitionSettings, content, str(path))
            return restore(under(arrays, f"{OTHERS}/{name}/"), aimed, chosen)

        return asked_for(recommender, aimed, solved, weights.get(name))

    others = {name: other(name, content) for name, content in manifest["others"].items()}
    info, controls = manifest["info"], _controls(manifest["controls"])
    held = under(arrays, f"{TWIN}/")
    twin = None
    if held and isinstance(recommender, Fusion):
        twin = SEQUENCE.restore(held, dataset, recommender.sequence.settings)
    profiles = {user: Profile(**of) for user, of in manifest.get("profiles", {}).items()}
    kept = calibrations, others, controls, twin, profiles
    return Model(dataset, recommender, recipe, info, *kept)


def _told(controls: Mapping[str, tuple[Control, ...]]) -> dict[str, Any]:
    return {user: [one.to_dict() for one in said] for user, said in sorted(controls.items())}


def _kept(profiles: Mapping[str, Profile]) -> dict[str, Any]:
    return {user: asdict(one) for user, one in sorted(profiles.items())}


def _controls(content: dict[str, Any]) -> dict[str, tuple[Control, ...]]:
    return {
        user: tuple(Control(one["id"], one["factor"], tuple(one["items"])) for one in said)
        for user, said in content.items()
    }
