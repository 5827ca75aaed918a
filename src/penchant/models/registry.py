"""All families of models, by name."""

from penchant.errors import unknown
from penchant.models.base import KNOWN, Family
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


def family_of(name: str) -> Family:
    """A family by name; ConfigError lists the known ones."""
    if name not in FAMILIES:
        raise unknown("model", name, FAMILIES)
    return FAMILIES[name]
