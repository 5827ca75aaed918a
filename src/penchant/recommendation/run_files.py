"""A model as files: what ``Model.save`` writes and ``load`` reads."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from penchant import __version__
from penchant.config import Recipe, TransitionSettings, current_names, parse, warn_of_names
from penchant.data.dataset import Dataset
from penchant.data.io.load import load as load_dataset
from penchant.data.io.save import save as save_dataset
from penchant.data.user_attributes import select_attributes
from penchant.errors import ArtifactError
from penchant.evaluation.fit_report import FitReport
from penchant.models.base import Family, Recommender, over, under
from penchant.models.calibration import Calibration
from penchant.models.registry import origin_of, saved_family
from penchant.models.sequence import SEQUENCE, SequenceExpert
from penchant.recommendation.interests import Control, Profile
from penchant.storage import artifact
from penchant.storage.json_records import from_json, to_json

CALIBRATION = "calibration"
OTHERS = "behavior"
WEIGHTS = "weights of"
TWIN = "twin"


@dataclass(frozen=True)
class SavedRun:
    """What the files of a run hold: the fields of a ``Model``, under the same names."""

    dataset: Dataset
    recommender: Recommender
    recipe: Recipe
    report: FitReport
    calibrations: Mapping[str, Calibration]
    others: Mapping[str, Recommender]
    controls: Mapping[str, tuple[Control, ...]]
    holdout_model: SequenceExpert | None
    profiles: Mapping[str, Profile]

    @classmethod
    def of(cls, model: Any) -> "SavedRun":
        """The record of a model."""
        return cls(**{field.name: getattr(model, field.name) for field in fields(cls)})


def save(model: SavedRun, path: str | Path) -> Path:
    """Write a run: data, arrays and a manifest that vouches for each byte."""
    heads = {name: other.saved_head(model.recommender) for name, other in model.others.items()}
    manifest = {
        "penchant": __version__,
        "family": model.recommender.name,
        "settings": model.recommender.settings.model_dump(),
        "others": {name: settings for name, (settings, _) in heads.items()},
        "recipe": model.recipe.model_dump(),
        "info": model.report.to_dict(),
        "controls": _controls(model.controls),
        "profiles": _profiles(model.profiles),
    }
    if origin := origin_of(model.recommender.name):
        manifest["origin"] = asdict(origin)
    with artifact.write_artifact(path, manifest) as folder:
        save_dataset(model.dataset, folder / "data")
        arrays = dict(model.recommender.arrays())
        for name, of in model.calibrations.items():
            arrays[f"{CALIBRATION}/{name}"] = np.append(of.weights, of.bias)
        for name, (_, own) in heads.items():
            arrays |= over(own, f"{OTHERS}/{name}/")
        if model.holdout_model is not None:
            arrays |= over(model.holdout_model.arrays(), f"{TWIN}/")
        artifact.save_arrays(folder / "arrays.safetensors", arrays)
    return Path(path)


def save_controls(controls: Mapping[str, tuple[Control, ...]], path: str | Path) -> None:
    """Write what users made of their interests into a saved run."""
    artifact.update_manifest(path, {"controls": _controls(controls)})


def save_profiles(profiles: Mapping[str, Profile], path: str | Path) -> None:
    """Write the texts of interests into a saved run."""
    artifact.update_manifest(path, {"profiles": _profiles(profiles)})


def read(path: str | Path) -> SavedRun:
    """Read a saved run. Raises ArtifactError where a byte of it has changed."""
    manifest = artifact.read_manifest(path)
    path = Path(path)
    try:
        family = saved_family(manifest["family"], manifest.get("origin"))
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
    if manifest["version"] < artifact.VERSION:
        manifest = _under_new_names(manifest, family, path)
    settings = parse(family.settings, manifest["settings"], str(path))
    recipe = parse(Recipe, manifest["recipe"], str(path))
    dataset, _ = select_attributes(load_dataset(path / "data"), recipe.users)
    arrays = artifact.load_arrays(path / "arrays.safetensors")
    calibrations = {
        name: Calibration(flat[:-1], float(flat[-1]))
        for name, flat in under(arrays, f"{CALIBRATION}/").items()
    }
    weights = under(arrays, f"{WEIGHTS}/")  # where 0.1.0 wrote them
    recommender = family.restore(arrays, dataset, settings)

    def other(name: str, content: dict[str, Any] | None) -> Recommender:
        own = under(arrays, f"{OTHERS}/{name}/")
        if name in weights:
            own["weights"] = weights[name]
        return recommender.load_head(dataset.with_target(name), content, own)

    others = {name: other(name, content) for name, content in manifest["others"].items()}
    report = FitReport.from_dict(manifest["info"])
    held = under(arrays, f"{TWIN}/")
    expert = recommender.sequence
    trained = SEQUENCE.restore(held, dataset, expert.settings) if held and expert else None
    holdout_model = None if trained is None else trained.sequence
    profiles = {user: Profile(**of) for user, of in manifest.get("profiles", {}).items()}
    return SavedRun(
        dataset,
        recommender,
        recipe,
        report,
        calibrations,
        others,
        from_json(dict[str, tuple[Control, ...]], manifest["controls"], "controls"),
        holdout_model,
        profiles,
    )


def _under_new_names(manifest: dict[str, Any], family: Family, path: Path) -> dict[str, Any]:
    """The manifest with the names that settings have today, and one warning that says so."""
    met: dict[str, str] = {}
    new: dict[str, Any] = {
        "settings": current_names(family.settings, manifest["settings"], met),
        "recipe": current_names(Recipe, manifest["recipe"], met),
        "others": {
            name: content and current_names(TransitionSettings, content, met)
            for name, content in manifest["others"].items()
        },
    }
    if met:
        names = ", ".join(f"{old} is {name}" for old, name in met.items())
        warn_of_names(
            f"{path} was saved by Penchant {manifest['penchant']}, whose settings had other names: "
            f"{names}; load and save it once to write the new ones"
        )
    return manifest | new


def _controls(controls: Mapping[str, tuple[Control, ...]]) -> Mapping[str, object]:
    return {user: to_json(controls[user]) for user in sorted(controls)}


def _profiles(profiles: Mapping[str, Profile]) -> Mapping[str, object]:
    return {user: asdict(profiles[user]) for user in sorted(profiles)}
