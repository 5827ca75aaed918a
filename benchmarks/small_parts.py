"""Seconds of small parts that a fit or a request repeats often.

    python benchmarks/small_parts.py

One line each: the bootstrap of a metric over 22,000 cases, and a text checked against the titles of
100,000 items.
"""

import time
from collections.abc import Callable

import numpy as np

from penchant.evaluation import metrics
from penchant.llm.tasks.fact_check import MentionIndex


def best(part: Callable[[], object], times: int = 5) -> float:
    """The least seconds of some runs."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        part()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main():
    rng = np.random.default_rng(0)
    values = rng.random(22_000)
    bootstrap = best(lambda: metrics.bootstrap(values, seed=0, samples=1000))
    print(f"bootstrap of 22,000 cases, 1,000 samples: {bootstrap:.3f} s")
    names = [" ".join(f"w{n}" for n in rng.integers(20_000, size=3)) for _ in range(100_000)]
    titles = MentionIndex.called(names)
    text = f"Because of {names[99_999].title()}."
    print(f"one text against 100,000 titles: {best(lambda: titles.within(text)):.6f} s")


if __name__ == "__main__":
    main()
