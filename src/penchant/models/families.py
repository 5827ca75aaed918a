"""All families of models, by name."""

from penchant.errors import unknown
from penchant.models.base import Family
from penchant.models.baselines import BASELINES
from penchant.models.fusion import FUSION
from penchant.models.private import PRIVATE
from penchant.models.sequence import SEQUENCE
from penchant.models.transition import TRANSITION

FAMILIES: dict[str, Family] = {
    **BASELINES,
    **{family.name: family for family in (TRANSITION, SEQUENCE, FUSION, PRIVATE)},
}


def family_of(name: str) -> Family:
    """A family by name; ConfigError lists the known ones."""
    if name not in FAMILIES:
        raise unknown("model", name, FAMILIES)
    return FAMILIES[name]
