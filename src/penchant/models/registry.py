"""All families of models: ours by name, and those written outside."""

import sys
from collections.abc import Mapping
from typing import Any

from penchant.config.plugins import Origin, entry_points, find, name_of, origin
from penchant.errors import ArtifactError, ConfigError, unknown
from penchant.models.base import KNOWN, Family, Recommender
from penchant.models.baselines.als import ALS
from penchant.models.baselines.bpr import BPR
from penchant.models.baselines.ease import EASE
from penchant.models.baselines.item_knn import ITEM_KNN
from penchant.models.baselines.popularity import POPULARITY, RECENT
from penchant.models.fusion.recommender import FUSION
from penchant.models.private import PRIVATE
from penchant.models.sequence import SEQUENCE
from penchant.models.transition.recommender import TRANSITION

BASELINES: dict[str, Family] = {
    family.name: family for family in (POPULARITY, RECENT, ITEM_KNN, EASE, ALS, BPR)
}

FAMILIES: dict[str, Family] = {
    **BASELINES,
    **{family.name: family for family in (TRANSITION, SEQUENCE, FUSION, PRIVATE)},
}

KNOWN.update(FAMILIES)


Outside = str | Family | type[Recommender]
"""A model: by name, as ``package.module:Name``, as its family, or as its class."""

_NAMES: dict[str, str] = {}  # of the families written outside, what finds each again


def family_of(model: Outside) -> Family:
    """The family of a model.

    Parameters
    ----------
    model
        The name of one of ours, of an entry point of ``penchant.models`` or of a family given
        before; ``package.module:Name``; a Family; or a class of recommenders, see ``Family.of``.

    Raises
    ------
    ConfigError
        For a name that is not known, and for another family that takes the name of one of ours.

    Examples
    --------
    >>> family_of("popularity").name
    'popularity'
    """
    if not isinstance(model, str):
        return _registered(model, None)
    if model in KNOWN:
        return KNOWN[model]
    held = find("penchant.models", model)
    if held is None:
        raise unknown("model", model, {*FAMILIES, *entry_points("penchant.models")})
    return _registered(held, model)


def origin_of(family: str) -> Origin | None:
    """Where a family comes from; None for one of ours."""
    return origin(_NAMES[family]) if family in _NAMES else None


def saved_family(name: str, where: Mapping[str, Any] | None) -> Family:
    """The family of a saved run, which imports nothing by itself; see ``config.plugins``.

    Raises ArtifactError where it is not installed, or may not be imported.
    """
    if name in FAMILIES or (where is not None and _NAMES.get(name) == where["name"]):
        return KNOWN[name]
    if where is None:
        raise ArtifactError(f"expected a known family, received {name!r}")
    needed = Origin(**where)
    try:
        held = find("penchant.models", needed.name, trusted=False)
    except ConfigError as error:
        raise ArtifactError(f"the run has the model {name!r}, {needed}: {error}") from error
    if held is None:
        raise ArtifactError(
            f"the run has the model {name!r}, {needed}, an object that no module holds: expected "
            "it to be given again, with family_of"
        )
    return _registered(held, needed.name)


def _registered(held: Any, name: str | None) -> Family:
    """The family of an object, known by its name from now on."""
    if isinstance(held, type) and issubclass(held, Recommender):
        family = Family.of(held)
    elif isinstance(held, Family):
        family = held
    else:
        raise ConfigError(
            f"expected a Family or a class of recommenders, received {held!r}; see "
            "penchant.models.base"
        )
    ours = FAMILIES.get(family.name)
    if ours is not None:
        if family is ours:
            return ours
        raise ConfigError(
            f"expected a model of a name of its own, received {family.name!r}, which is one of "
            "Penchant's"
        )
    if name is None or ":" not in name:
        points = entry_points("penchant.models")
        name = points[name].value if name in points else _name_of(held, family)
    KNOWN[family.name], _NAMES[family.name] = family, name
    return family


def _name_of(held: Any, family: Family) -> str:
    """Where a family or class stands: a family in the module of what restores its models."""
    if held is not family:
        return name_of(held)
    module = sys.modules.get(getattr(family.restore, "__module__", ""))
    own = [key for key, value in vars(module).items() if value is held] if module else []
    return f"{module.__name__}:{own[0]}" if module and own else name_of(held)
