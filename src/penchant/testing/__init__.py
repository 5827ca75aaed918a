"""Suites that hold what is written outside to the contracts of Penchant (extra ``testing``).

Subclass one in a file of tests that pytest collects, and name what is under test.

RecommenderSuite            ``family``: a Family, see ``Family.of`` for a class
EncoderSuite                ``encoder``, ``good`` and ``bad`` contents; TextEncoderSuite and
                            FileEncoderSuite for what texts and files have in common
MetricSuite                 ``metric``
RerankerSuite               ``reranker``
LanguageModelSuite          ``model``, which replies with a text

Examples
--------
>>> from penchant.models.baselines.popularity import POPULARITY
>>> class TestPopularity(RecommenderSuite):
...     family = POPULARITY
...     personal = False
"""

from penchant.errors import MissingExtraError

try:
    import pytest
except ImportError as error:
    raise MissingExtraError("pytest", "testing") from error

for _name in ("encoders", "language_models", "metrics", "recommenders", "rerankers"):
    pytest.register_assert_rewrite(f"penchant.testing.{_name}")

from penchant.testing.encoders import (  # noqa: E402  after the asserts can be rewritten
    EncoderSuite,
    FileEncoderSuite,
    TextEncoderSuite,
)
from penchant.testing.language_models import LanguageModelSuite  # noqa: E402
from penchant.testing.metrics import MetricSuite  # noqa: E402
from penchant.testing.recommenders import RecommenderSuite  # noqa: E402
from penchant.testing.rerankers import RerankerSuite  # noqa: E402

__all__ = [
    "EncoderSuite",
    "FileEncoderSuite",
    "LanguageModelSuite",
    "MetricSuite",
    "RecommenderSuite",
    "RerankerSuite",
    "TextEncoderSuite",
]
