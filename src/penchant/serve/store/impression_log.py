"""The log of what was shown, written behind the requests so that none waits for it."""

import logging
import queue
import threading

from penchant.errors import PenchantError
from penchant.serve.store.records import Shown
from penchant.serve.store.store import Store

_EVERY = 0.5
"""Seconds between two writes: what a killed worker may lose of the log, of no event."""

_MOST = 100_000  # places that may wait; past them the oldest lists are dropped, and counted
log = logging.getLogger(__name__)


class ShownLog:
    """Takes lists from requests and writes them in its own thread."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.waiting: queue.SimpleQueue[list[Shown]] = queue.SimpleQueue()
        self.dropped = 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, name="impressions", daemon=True)
        self.thread.start()

    def add(self, shown: list[Shown]) -> None:
        """Take one list."""
        self.waiting.put(shown)

    def close(self) -> None:
        """Write what is waiting and end."""
        self.ending.set()
        self.thread.join(timeout=10)

    def flush(self) -> None:
        """Write what is waiting now."""
        rows: list[Shown] = []
        while not self.waiting.empty():
            rows += self.waiting.get()
        if len(rows) > _MOST:
            self.dropped += len(rows) - _MOST
            log.warning("impressions: %d places dropped, the store is too slow", len(rows) - _MOST)
            rows = rows[-_MOST:]
        self.store.show(rows)

    def _run(self) -> None:
        while not self.ending.wait(_EVERY):
            self._try()
        self._try()

    def _try(self) -> None:
        try:
            self.flush()
        except (PenchantError, OSError) as error:  # pragma: no cover - told, and tried again
            log.error("impressions could not be written: %s", type(error).__name__)
