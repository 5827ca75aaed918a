"""The baselines by name: what an expert is measured against."""

from penchant.models.als import ALS
from penchant.models.base import Family
from penchant.models.bpr import BPR
from penchant.models.ease import EASE
from penchant.models.neighbors import ITEM_KNN
from penchant.models.popularity import POPULARITY, RECENT

BASELINES: dict[str, Family] = {
    family.name: family for family in (POPULARITY, RECENT, ITEM_KNN, EASE, ALS, BPR)
}
