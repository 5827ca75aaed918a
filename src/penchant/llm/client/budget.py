"""What a model has cost, counted once for all threads, and the budget that it is held to."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from penchant.errors import LanguageModelError
from penchant.llm.client.base import Usage
from penchant.llm.client.settings import ModelSettings


class SpentBudgetError(LanguageModelError):
    """The budget leaves no room for another request."""


@dataclass
class Bill:
    """What one request came to.

    estimate      tokens of its prompt, by its characters
    read, written as the service counts them; None where it tells none
    begun         whether the service may have worked on it: then what it does not tell is estimated
    characters    of the reply so far
    usable        whether the reply was of use
    """

    estimate: int
    read: int | None = None
    written: int | None = None
    begun: bool = False
    characters: int = 0
    usable: bool = False


def estimated(characters: int) -> int:
    """Tokens of a text, at four characters each, rounded up."""
    return math.ceil(characters / 4)


class UsageLedger:
    """Adds up bills; any number of threads may have one open."""

    def __init__(self, settings: ModelSettings, name: str) -> None:
        self._settings, self._name = settings, name
        self._lock = threading.Lock()
        self._spent, self._open, self._estimated = Usage(), 0, 0

    @property
    def spent(self) -> Usage:
        """All bills that are closed."""
        with self._lock:
            return self._spent

    @property
    def estimated(self) -> int:
        """How many of the tokens were estimated, since the service did not tell them."""
        with self._lock:
            return self._estimated

    def kept(self) -> None:
        """Count a reply that cost nothing."""
        with self._lock:
            self._spent = replace(self._spent, cached=self._spent.cached + 1)

    @contextmanager
    def request(self, characters: int) -> Iterator[Bill]:
        """A bill for a prompt of so many characters, closed on leaving, however that happens.

        Raises SpentBudgetError where the budget has no room for the prompt.
        """
        bill = Bill(estimated(characters))
        with self._lock:
            self._check(bill.estimate)
            self._open += bill.estimate
        start = time.monotonic()
        try:
            yield bill
        finally:
            self._close(bill, time.monotonic() - start)

    def _check(self, estimate: int) -> None:
        settings, spent = self._settings, self._spent
        coming = self._open + estimate
        if settings.tokens is not None and spent.read + spent.written + coming > settings.tokens:
            self._refuse(f"tokens = {settings.tokens}", estimate)
        if (
            settings.money is not None
            and spent.money + coming * settings.price_read / 1e6 > settings.money
        ):
            self._refuse(f"money = {settings.money:g}", estimate)

    def _refuse(self, setting: str, estimate: int) -> None:
        spent = self._spent
        raise SpentBudgetError(
            f"{self._name}: the budget {setting} is spent: {spent.requests} requests read "
            f"{spent.read} and wrote {spent.written} tokens at a price of {spent.money:.4g}, "
            f"{self._open} tokens are under way, and the next prompt has about {estimate}; raise "
            "that setting to go on"
        )

    def _close(self, bill: Bill, seconds: float) -> None:
        guessed = 0
        read, written = bill.read, bill.written
        if read is None:
            read = bill.estimate if bill.begun else 0
            guessed += read
        if written is None:
            written = estimated(bill.characters) if bill.begun else 0
            guessed += written
        price = read * self._settings.price_read + written * self._settings.price_written
        with self._lock:
            old = self._spent
            self._open -= bill.estimate
            self._estimated += guessed
            self._spent = replace(
                old,
                requests=old.requests + 1,
                failed=old.failed + (not bill.usable),
                read=old.read + read,
                written=old.written + written,
                seconds=old.seconds + seconds,
                money=old.money + price / 1e6,
            )
