"""A language model that is waited for only so long: a request must not hang on it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait

from penchant.errors import LanguageModelError
from penchant.llm.client.base import LanguageModel, Prompt, Reply, Usage

REST = 30.0
"""Seconds for which nothing is asked after an answer did not come in time."""


class TimeLimited:
    """A model whose answers must come within some seconds, asked by few at once.

    Whoever finds it busy, or asks soon after an answer did not come in time, is told so at once.
    """

    def __init__(
        self, model: LanguageModel, seconds: float, at_once: int = 2, rest: float = REST
    ) -> None:
        self.model, self.seconds, self.rest = model, seconds, rest
        self._places = threading.BoundedSemaphore(at_once)
        self._until = 0.0

    @property
    def name(self) -> str:
        """Of the model that is asked."""
        return self.model.name

    @property
    def spent(self) -> Usage:
        """What it has cost so far, answers that came too late among it."""
        return self.model.spent

    def ask(self, prompt: Prompt, reply: type[Reply]) -> Reply:
        """The reply of the model. Raises LanguageModelError where it does not come in time."""
        if (left := self._until - time.monotonic()) > 0:
            raise LanguageModelError(
                f"the last answer did not come within {self.seconds:g} s; ask again in {left:.0f} s"
            )
        if not self._places.acquire(blocking=False):
            raise LanguageModelError("the model is busy with other requests; ask again in a moment")
        answer: Future[Reply] = Future()

        def work() -> None:
            try:
                answer.set_result(self.model.ask(prompt, reply))
            except BaseException as error:  # told to who waits
                answer.set_exception(error)
            finally:
                self._places.release()

        threading.Thread(target=work, name="language model", daemon=True).start()
        wait([answer], self.seconds)
        if not answer.done():
            self._until = time.monotonic() + self.rest
            raise LanguageModelError(
                f"no answer came within {self.seconds:g} s; ask again in {self.rest:g} s"
            )
        try:
            return answer.result()
        except LanguageModelError as error:
            # who asks a service need not know where its model is
            raise LanguageModelError(str(error).replace(self.name, "the model")) from error
        except Exception as error:  # no request fails for a model
            raise LanguageModelError(f"the model failed with {type(error).__name__}") from error

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The reply piece by piece, as the model gives it."""
        return self.model.stream(prompt)
