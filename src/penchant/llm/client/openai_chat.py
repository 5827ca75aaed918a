"""Models behind any service that speaks OpenAI's chat completions: OpenAI, vLLM, Ollama ..."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from penchant.errors import LanguageModelError
from penchant.llm.client.base import LanguageModel, Prompt, Reply, Usage
from penchant.llm.client.budget import Bill, UsageLedger
from penchant.llm.client.reply_cache import ReplyCache, reply_key
from penchant.llm.client.settings import (
    ModelSettings,
    checked_key,
    key_from_environment,
    settings_of,
)
from penchant.llm.client.structured_output import (
    UnfitReplyError,
    parse_reply,
    schema_instruction,
    schema_of,
)
from penchant.llm.client.transport import Messages, PassingError, RefusedError, Service

_LONGEST_WAIT = 60.0  # seconds


class Chat(LanguageModel):
    """A model behind a service. Any number of threads may use one.

    What may pass is tried again: silence, lost connections, 408, 409, 425, 429, 5xx, and replies
    that are not of the form that was asked for, of which the model is told why. Each try counts
    as a request. Tokens are as the service counts them; where it tells none, they are estimated
    at four characters each, and ``estimated`` says how many of them are. A failure that came
    without a reply is counted so only where the service may have worked on it. ``seconds`` are
    those of requests, not of the pauses between tries.

    key      sent as a bearer token to that address alone; no message, name or file bears it
    folder   of kept replies; default: see ``ReplyCache``
    sleep    waits so many seconds
    chance   a number in [0, 1): the share of the longest pause that is waited before a next try
    """

    def __init__(
        self,
        settings: ModelSettings,
        key: str | None = None,
        folder: str | Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self._service = Service(settings, checked_key(key))
        self._name = f"{settings.model} at {self._service.address}"
        self._ledger = UsageLedger(settings, self._name)
        self._replies = ReplyCache(folder) if settings.cache else None
        self._free = threading.BoundedSemaphore(settings.concurrent)
        self._sleep, self._chance = sleep, chance
        self._lean = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def spent(self) -> Usage:
        return self._ledger.spent

    @property
    def estimated(self) -> int:
        """Tokens among those spent that the service did not count."""
        return self._ledger.estimated

    @property
    def notes(self) -> tuple[str, ...]:
        """What went wrong with the kept replies."""
        return () if self._replies is None else tuple(self._replies.notes)

    def ask(self, prompt: Prompt, reply: type[Reply]) -> Reply:
        self._allow(prompt)
        kept = None if prompt.about_users else self._replies
        question = b""
        if kept is not None:
            question = self._question(prompt, reply)
            if (found := self._found(kept.get(question), reply)) is not None:
                return found
        made, text = self._asked(prompt, reply)
        if kept is not None:
            kept.put(question, text)
        return made

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The reply as text, piece by piece; none is kept, and none read from what is.

        Once a piece has come there is no further try. Closing the iterator ends the request.
        """
        self._allow(prompt)
        return self._streamed(_messages(prompt))

    def _streamed(self, messages: Messages) -> Iterator[str]:
        for attempt in range(1, self.settings.tries + 1):
            begun = False
            try:
                with (
                    self._request(messages) as bill,
                    closing(self._service.pieces(messages, bill)) as pieces,
                ):
                    try:
                        for piece in pieces:
                            begun = True
                            yield piece
                    except GeneratorExit:  # whoever reads it has enough
                        bill.usable = True
                        raise
                    bill.usable = True
                return
            except RefusedError as refused:
                if self._service.adapts(refused):
                    yield from self._streamed(messages)
                    return
                raise self._error(str(refused)) from None
            except PassingError as passing:
                if begun:
                    raise self._error(f"a streamed reply failed: {passing}") from None
                self._pause(attempt, passing, passing.after)

    def _asked(self, prompt: Prompt, reply: type[Reply]) -> tuple[Reply, str]:
        """A reply that fits and its text, from the service."""
        lean = self._lean
        schema = schema_of(reply, lean)
        base, form = _messages(prompt), self._form(reply, schema)
        if form is None or form["type"] != "json_schema":
            base[0]["content"] = f"{base[0]['content']}\n\n{schema_instruction(schema)}".strip()
        messages = base
        for attempt in range(1, self.settings.tries + 1):
            try:
                with self._request(messages) as bill:
                    text = self._service.answer(messages, form, bill)
                    made = parse_reply(text, reply)
                    bill.usable = True
                return made, text
            except UnfitReplyError as unfit:
                self._pause(attempt, unfit, None)
                messages = [*base, *_correction(unfit)]
            except PassingError as passing:
                self._pause(attempt, passing, passing.after)
            except RefusedError as refused:
                if self._service.adapts(refused) or self._leaner(refused, reply, lean):
                    return self._asked(prompt, reply)
                raise self._error(str(refused)) from None
        raise AssertionError

    @contextmanager
    def _request(self, messages: Messages) -> Iterator[Bill]:
        """Room for one request, and its bill."""
        if not self._free.acquire(timeout=self.settings.timeout):
            raise self._error(
                f"{self.settings.concurrent} requests are under way and none ended in "
                f"{self.settings.timeout:g} s; raise concurrent or timeout"
            )
        try:
            with self._ledger.request(sum(len(part["content"]) for part in messages)) as bill:
                yield bill
        finally:
            self._free.release()

    def _pause(self, attempt: int, failure: Exception, after: float | None) -> None:
        """Wait for the next try; no time where ``after`` is None. Raises after the last one."""
        settings = self.settings
        what = "the reply does not fit: " if isinstance(failure, UnfitReplyError) else ""
        if attempt == settings.tries:
            raise self._error(
                f"no reply that can be used in {attempt} tries, at last: {what}{failure}; try "
                "again later, or raise tries or timeout"
            ) from None
        if after is not None:
            longest = min(settings.wait * 2 ** (attempt - 1), _LONGEST_WAIT)
            self._sleep(max(min(after, _LONGEST_WAIT), longest * self._chance()))

    def _allow(self, prompt: Prompt) -> None:
        if prompt.about_users and not self.settings.users:
            raise self._error(
                f"the prompt {prompt.name} says something of a user, and the settings do not allow "
                "that; set users = true in them to send it"
            )

    def _found(self, text: str | None, reply: type[Reply]) -> Reply | None:
        if text is None:
            return None
        try:
            made = parse_reply(text, reply)
        except UnfitReplyError:
            return None
        self._ledger.kept()
        return made

    def _question(self, prompt: Prompt, reply: type[Reply]) -> bytes:
        names = ("model", "temperature", "longest")
        asked = {name: getattr(self.settings, name) for name in names}
        asked["address"] = self._service.address
        return reply_key(asked, prompt, schema_of(reply))

    def _form(self, reply: type[Reply], schema: Mapping[str, object]) -> dict[str, object] | None:
        if self.settings.format == "none":
            return None
        if self.settings.format == "json_object":
            return {"type": "json_object"}
        wanted = {"name": reply.__name__[:64], "strict": True, "schema": schema}
        return {"type": "json_schema", "json_schema": wanted}

    def _leaner(self, refused: RefusedError, reply: type[Reply], lean: bool) -> bool:
        """Whether the service may take the schema without bounds, which is sent from now on."""
        said = refused.said.lower()
        worth = refused.status in (400, 422) and ("schema" in said or "response_format" in said)
        if lean or not worth or schema_of(reply) == schema_of(reply, lean=True):
            return False
        self._lean = True
        return True

    def _error(self, said: str) -> LanguageModelError:
        return LanguageModelError(f"{self._name}: {said}")


def chat_of(file: Path | None = None, **overrides: Any) -> Chat | None:
    """The model that is configured: by a TOML file of ``ModelSettings``, else by variables.

    These are PENCHANT_LLM_URL and PENCHANT_LLM_MODEL; the key is PENCHANT_LLM_KEY in either case.
    None where nothing is configured. Overrides replace settings by name. Raises ConfigError for
    half a configuration, MissingExtraError without the extra ``llm``.
    """
    settings = settings_of(file, **overrides)
    return None if settings is None else Chat(settings, key_from_environment())


def _messages(prompt: Prompt) -> Messages:
    return [
        {"role": "system", "content": prompt.system},
        {"role": "user", "content": prompt.user},
    ]


def _correction(unfit: UnfitReplyError) -> Messages:
    """What follows a prompt whose reply did not fit."""
    before = [{"role": "assistant", "content": unfit.text[:4000]}] if unfit.text.strip() else []
    asked = f"That reply cannot be used: {unfit}. Reply again, with the JSON alone."
    return [*before, {"role": "user", "content": asked}]
