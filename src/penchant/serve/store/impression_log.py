"""The log of impressions, written in the background so that no request waits for it."""

import logging
import queue
import threading

from penchant.errors import PenchantError
from penchant.serve.store.records import Impression
from penchant.serve.store.store import Store

_INTERVAL = 0.5
"""Seconds between two writes: a killed worker loses at most this much of the log."""

_MAX_WAITING = 100_000  # impressions that may wait; beyond it the oldest are dropped, and counted
log = logging.getLogger(__name__)


class ImpressionLog:
    """Takes impressions from requests and writes them in a thread of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.waiting: queue.SimpleQueue[list[Impression]] = queue.SimpleQueue()
        self.dropped = 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, name="impressions", daemon=True)
        self.thread.start()

    def add(self, impressions: list[Impression]) -> None:
        """Log the impressions of one list."""
        self.waiting.put(impressions)

    def close(self) -> None:
        """Write what is waiting, and stop."""
        self.ending.set()
        self.thread.join(timeout=10)

    def flush(self) -> None:
        """Write what is waiting now."""
        rows: list[Impression] = []
        while not self.waiting.empty():
            rows += self.waiting.get()
        if len(rows) > _MAX_WAITING:
            self.dropped += len(rows) - _MAX_WAITING
            log.warning("%d impressions dropped: the store is too slow", len(rows) - _MAX_WAITING)
            rows = rows[-_MAX_WAITING:]
        self.store.add_impressions(rows)

    def _run(self) -> None:
        while not self.ending.wait(_INTERVAL):
            self._try()
        self._try()

    def _try(self) -> None:
        try:
            self.flush()
        except (PenchantError, OSError) as error:  # pragma: no cover - logged, and tried again
            log.error("impressions could not be written: %s", type(error).__name__)
