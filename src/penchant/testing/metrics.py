"""What every metric must do; a subclass names it."""

from dataclasses import replace

import numpy as np
import pytest

from penchant.data import synthetic
from penchant.data.splitting.split import split
from penchant.evaluation.evaluate import evaluate
from penchant.evaluation.outside_metrics import Metric, RankedCases, measured_by
from penchant.models.baselines.popularity import POPULARITY


class MetricSuite:
    """The contract of ``evaluation.outside_metrics.Metric``.

    metric  the one under test; ``staticmethod(function)`` for a function
    """

    metric: Metric

    def values(self, ranked: RankedCases) -> np.ndarray:
        """One value for each case, (B,)."""
        return measured_by(self.metric, "under test", ranked)

    @pytest.fixture(scope="class")
    def ranked(self) -> RankedCases:
        """Lists by popularity of a small world."""
        data = synthetic.world(40, 120, seed=2).dataset()
        parts = split(data)
        train = data.with_events(parts.train)
        model = POPULARITY.fitter(train, 0)(POPULARITY.settings())
        kept: list[RankedCases] = []

        def keep(ranked: RankedCases) -> np.ndarray:
            kept.append(ranked)
            return np.zeros(len(ranked.lists))

        counts = train.counts()
        evaluate(model, data.catalogue, parts.test, metrics=[keep], popularity=counts)
        return kept[0]

    def test_each_case_has_a_value(self, ranked: RankedCases) -> None:
        values = self.values(ranked)
        assert values.dtype == np.float64
        assert not np.isinf(values).any()
        assert (~np.isnan(values)).any()

    def test_inputs_are_unchanged_and_results_repeat(self, ranked: RankedCases) -> None:
        for array in (ranked.truth, ranked.indptr, ranked.ranks, ranked.lists):
            array.setflags(write=False)
        np.testing.assert_array_equal(self.values(ranked), self.values(ranked))

    def test_a_case_does_not_depend_on_the_others(self, ranked: RankedCases) -> None:
        half = len(ranked.lists) // 2
        end = int(ranked.indptr[half])
        cases = ranked.cases
        some = replace(
            ranked,
            cases=replace(
                cases,
                histories=cases.histories.take(slice(0, half)),
                indptr=cases.indptr[: half + 1],
                truth=cases.truth[: cases.indptr[half]],
                behavior=cases.behavior[:half],
                domain=cases.domain[:half],
            ),
            truth=ranked.truth[:end],
            indptr=ranked.indptr[: half + 1],
            ranks=ranked.ranks[:end],
            lists=ranked.lists[:half],
        )
        np.testing.assert_allclose(self.values(some), self.values(ranked)[:half])
