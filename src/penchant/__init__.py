"""Penchant: a recommender that fuses what people did, where, and what the items are.

>>> import penchant
>>> dataset = penchant.from_columns(
...     user=["ann", "ann", "bo", "bo"], item=["tea", "cup", "tea", "cup"], timestamp=[1, 2, 1, 2]
... )
>>> model = penchant.fit(dataset)
>>> [row.item for row in model.recommend(history=["tea"], k=1).items]
['cup']

Data
    ``ingest``         clean raw files and write them as a DATA folder
    ``from_columns``   a dataset of columns in memory
    ``load_dataset``   read a DATA folder
    ``enrich``         let a language model describe the items
Models
    ``fit``            tune, evaluate and fit a model on a dataset
    ``benchmark``      compare models on one split
    ``evaluate``       measure a model on held-out events
    ``Recipe``         the settings of a fit
Use
    ``Model``          recommends, explains, finds similar items and interests, saves itself
    ``load``           a saved model
    ``Rules``          filters, caps, diversity and exploration of its lists
    ``explain``        why an item is on a list
Change
    ``update``         take new events, users and items into a model
    ``forget``         erase users from a model, with a signed receipt
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penchant.config import Recipe as Recipe
    from penchant.data.dataset import Dataset as Dataset
    from penchant.data.ingest import ingest as ingest
    from penchant.data.io.from_columns import from_columns as from_columns
    from penchant.data.io.load import load as load_dataset
    from penchant.errors import PenchantError as PenchantError
    from penchant.llm.tasks.enrich_items import enrich as enrich
    from penchant.privacy.erasure.unlearn import forget as forget
    from penchant.recommendation import Model as Model
    from penchant.recommendation import load as load
    from penchant.recommendation.explain import explain as explain
    from penchant.recommendation.results import Recommendation as Recommendation
    from penchant.recommendation.rules import Rules as Rules
    from penchant.training.benchmark import benchmark as benchmark
    from penchant.training.fit import fit as fit
    from penchant.training.measure import evaluate as evaluate
    from penchant.training.update import update as update

    __version__: str

_PUBLIC = {
    "Dataset": ("penchant.data.dataset", "Dataset"),
    "Model": ("penchant.recommendation", "Model"),
    "PenchantError": ("penchant.errors", "PenchantError"),
    "Recipe": ("penchant.config", "Recipe"),
    "Recommendation": ("penchant.recommendation.results", "Recommendation"),
    "Rules": ("penchant.recommendation.rules", "Rules"),
    "benchmark": ("penchant.training.benchmark", "benchmark"),
    "enrich": ("penchant.llm.tasks.enrich_items", "enrich"),
    "evaluate": ("penchant.training.measure", "evaluate"),
    "explain": ("penchant.recommendation.explain", "explain"),
    "fit": ("penchant.training.fit", "fit"),
    "forget": ("penchant.privacy.erasure.unlearn", "forget"),
    "from_columns": ("penchant.data.io.from_columns", "from_columns"),
    "ingest": ("penchant.data.ingest", "ingest"),
    "load": ("penchant.recommendation", "load"),
    "load_dataset": ("penchant.data.io.load", "load"),
    "update": ("penchant.training.update", "update"),
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
    "enrich",
    "evaluate",
    "explain",
    "fit",
    "forget",
    "from_columns",
    "ingest",
    "load",
    "load_dataset",
    "update",
]


def __getattr__(name: str) -> Any:
    """Import a public name, or read the version, when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        globals()[name] = version("penchant")
        return globals()[name]
    if name not in _PUBLIC:
        raise AttributeError(f"module 'penchant' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value  # a function, even where a module of the same name was imported
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
