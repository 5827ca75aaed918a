"""How far a long work has come, told at a rate that a person can read."""

import time

from penchant.types import Progress


class ProgressLog:
    """Counts what is done of a total; tells count, speed and time left every ``between`` seconds.

    Work that is over sooner is not spoken of.
    """

    def __init__(
        self, what: str, total: int, progress: Progress | None, between: float = 5.0
    ) -> None:
        self.what, self.total, self.told, self.between = what, total, progress, between
        self.done = 0
        self.began = self.last = time.perf_counter()

    def add(self, count: int) -> None:
        """So many more are done."""
        self.done += count
        now = time.perf_counter()
        if self.told is None or not self.done or now - self.last < self.between:
            return
        self.last = now
        speed = self.done / (now - self.began)
        self.told(
            f"{self.what}: {self.done:,} of {self.total:,}, {speed:,.3g} a second, "
            f"{(self.total - self.done) / speed:,.0f} s left"
        )
