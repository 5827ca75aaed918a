"""Penchant: a recommender that fuses what people did, where, and what the items are.

>>> import penchant
>>> dataset = penchant.from_columns(
...     user=["ann", "ann", "bo", "bo"], item=["tea", "cup", "tea", "cup"], timestamp=[1, 2, 1, 2]
... )
>>> model = penchant.fit(dataset)
>>> [row.item for row in model.recommend(history=["tea"], k=1).items]
['cup']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from penchant.benchmarking import benchmark as benchmark
    from penchant.config import Recipe as Recipe
    from penchant.data.dataset import Dataset as Dataset
    from penchant.data.memory import from_columns as from_columns
    from penchant.data.store import ingest as ingest
    from penchant.data.store import load as load_dataset
    from penchant.errors import PenchantError as PenchantError
    from penchant.explaining import explain as explain
    from penchant.fitting import fit as fit
    from penchant.listing import Recommendation as Recommendation
    from penchant.model import Model as Model
    from penchant.model import load as load
    from penchant.rerank.reranking import reranked as reranked
    from penchant.rerank.rules import Rules as Rules
    from penchant.updating import forget as forget
    from penchant.updating import update as update

_PUBLIC = {
    "Dataset": ("penchant.data.dataset", "Dataset"),
    "Model": ("penchant.model", "Model"),
    "PenchantError": ("penchant.errors", "PenchantError"),
    "Recipe": ("penchant.config", "Recipe"),
    "Recommendation": ("penchant.listing", "Recommendation"),
    "Rules": ("penchant.rerank.rules", "Rules"),
    "benchmark": ("penchant.benchmarking", "benchmark"),
    "explain": ("penchant.explaining", "explain"),
    "fit": ("penchant.fitting", "fit"),
    "forget": ("penchant.updating", "forget"),
    "from_columns": ("penchant.data.memory", "from_columns"),
    "ingest": ("penchant.data.store", "ingest"),
    "load": ("penchant.model", "load"),
    "load_dataset": ("penchant.data.store", "load"),
    "reranked": ("penchant.rerank.reranking", "reranked"),
    "update": ("penchant.updating", "update"),
}

__all__ = [
    "Dataset",
    "Model",
    "PenchantError",
    "Recipe",
    "Recommendation",
    "Rules",
    "__version__",
    "benchmark",
    "explain",
    "fit",
    "forget",
    "from_columns",
    "ingest",
    "load",
    "load_dataset",
    "reranked",
    "update",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'penchant' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value  # a function, even where a module of the same name was imported
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
