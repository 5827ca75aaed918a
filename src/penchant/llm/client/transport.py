"""One request to a service that speaks OpenAI's /v1/chat/completions, and what became of it."""

import json
import time
import weakref
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl

from penchant.errors import LanguageModelError, MissingExtraError
from penchant.llm.client.budget import Bill
from penchant.llm.client.settings import KEY, ModelSettings, parts_of

Messages = list[dict[str, str]]

_BUSY = {408, 409, 425, 429}
_LIMITS = ("max_tokens", "max_completion_tokens")
_NEVER_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout"}
_LARGEST = 16 << 20  # bytes of an answer; one token comes as a few hundred at most
_SENT = {
    *("host", "content-type", "content-length", "accept", "connection"),
    "x-stainless-raw-response",  # the openai package reads it back from the request
}
_CHECK = {
    400: "check the model's name and the settings format, longest and temperature",
    401: f"check the key in {KEY}",
    403: f"check the key in {KEY} and what it may do",
    404: "check the address and the model's name",
}


class PassingError(Exception):
    """A failure that may pass; ``after`` seconds, where the service says so."""

    def __init__(self, said: str, after: float = 0.0) -> None:
        super().__init__(said)
        self.after = after


class RefusedError(Exception):
    """A request that the service will refuse again.

    ``limit`` is how the request named the longest reply.
    """

    def __init__(self, status: int, said: str) -> None:
        check = _CHECK.get(status, "check the address, the model's name and the key")
        if status < 400:
            check = "redirects are not followed, so that the key goes nowhere else; " + check
        super().__init__(f"{status} {said}".strip() + f"; {check}")
        self.status, self.said = status, said
        self.limit = ""


class Service:
    """A service at an address. The key goes to that address alone and is told nowhere.

    Neither the variables that the openai package reads nor what it would tell of this computer
    reaches the service: a request bears the headers that it needs.
    """

    def __init__(self, settings: ModelSettings, key: str | None) -> None:
        self.settings = settings
        self.address, query = parts_of(settings.url)
        self.limit = _LIMITS[0]
        self._hooks = hooks = _Guard(key, settings.timeout)
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError("openai", "llm") from error
        http = openai.DefaultHttpxClient(
            timeout=settings.timeout,
            follow_redirects=False,
            event_hooks={"request": [hooks.dress], "response": [hooks.look]},
        )
        # what holds the connections must not hold this object, which closes them when it goes
        weakref.finalize(self, http.close)
        self._client = openai.OpenAI(
            base_url=self.address,
            api_key="none",  # the key is set where the request leaves
            admin_api_key="",
            default_query=dict(parse_qsl(query)),
            timeout=settings.timeout,
            max_retries=0,
            http_client=http,
        )

    def answer(self, messages: Messages, form: Mapping[str, Any] | None, bill: Bill) -> str:
        """The reply to messages, of a form that the service is asked to keep to.

        Raises PassingError, RefusedError, LanguageModelError where the reply was cut.
        """
        asked = {} if form is None else {"response_format": form}
        end = time.monotonic() + self.settings.timeout
        body = bytearray()
        with closing(self._chunks(messages, asked, bill)) as chunks:
            for chunk in chunks:
                body += chunk
                if time.monotonic() > end:
                    raise self._silent()
        answer = _json(body)
        self._count(answer, bill)
        choice = _first(answer)
        text = _text(choice.get("message"))
        bill.characters = len(text)
        if not choice:
            raise PassingError(f"expected a list of choices, received {self._hooks.brief(body)}")
        self._whole(choice.get("finish_reason"))
        return text

    def pieces(self, messages: Messages, bill: Bill) -> Generator[str]:
        """The reply as it comes. Raises as ``answer`` does, also when it stalls or breaks off."""
        asked = {"stream": True, "stream_options": {"include_usage": True}}
        finish: Any = None
        with closing(self._chunks(messages, asked, bill)) as chunks:
            for event in self._events(chunks):
                if "error" in event:
                    raise PassingError(self._hooks.brief(json.dumps(event["error"]).encode()))
                self._count(event, bill)
                choice = _first(event)
                finish = choice.get("finish_reason") or finish
                if piece := _text(choice.get("delta")):
                    bill.characters += len(piece)
                    yield piece
        if finish is None:
            raise PassingError("the reply broke off before its end")
        self._whole(finish)

    def adapts(self, refused: RefusedError) -> bool:
        """Whether the service wants the limit of a reply by its newer name, used from now on."""
        if refused.limit != _LIMITS[0] or _LIMITS[1] not in refused.said:
            return False
        self.limit = _LIMITS[1]
        return True

    def _chunks(self, messages: Messages, asked: Mapping[str, Any], bill: Bill) -> Generator[bytes]:
        settings, limit, size = self.settings, self.limit, 0
        body: dict[str, object] = {**asked, limit: settings.longest}
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        create: Any = self._client.chat.completions.with_streaming_response.create
        failure: Exception
        try:
            with create(model=settings.model, messages=messages, **body) as response:
                bill.begun = True
                for chunk in response.iter_bytes():
                    size += len(chunk)
                    if size > _LARGEST:
                        raise PassingError(f"an answer of more than {_LARGEST >> 20} MiB")
                    yield chunk
            return
        except RefusedError as refused:
            refused.limit = limit
            raise
        except PassingError:
            raise
        except Exception as error:
            # one of the package that carries the request, whichever that is; Python's own, but
            # for those of the system, are faults of this program
            if type(error).__module__ == "builtins" and not isinstance(error, OSError):
                raise
            failure = error
        reason = failure.__cause__ or failure
        if type(reason).__name__ == "ConnectError" and "Timeout" not in type(failure).__name__:
            raise LanguageModelError(
                f"{self.settings.model} at {self.address}: nothing answers there "
                f"({self._hooks.brief(str(reason).encode())}); start the service, or correct url"
            )
        # once it had the request, it may have worked on it
        bill.begun = bill.begun or type(reason).__name__ not in _NEVER_SENT
        if "Timeout" in type(failure).__name__:
            raise self._silent()
        raise PassingError(self._hooks.brief(f"{type(reason).__name__}: {reason}".encode()))

    def _events(self, chunks: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
        rest, last = b"", time.monotonic()
        for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                field, _, data = line.partition(b":")
                if field.strip() != b"data":
                    continue
                if data.strip() == b"[DONE]":
                    return
                yield _json(data)
                last = time.monotonic()
            if time.monotonic() - last > self.settings.timeout:  # only signs of life came
                raise self._silent()

    def _count(self, answer: Mapping[str, Any], bill: Bill) -> None:
        usage = answer.get("usage")
        if isinstance(usage, dict):
            bill.read = _tokens(usage.get("prompt_tokens"), bill.read)
            bill.written = _tokens(usage.get("completion_tokens"), bill.written)

    def _whole(self, finish: Any) -> None:
        if finish == "length":
            raise LanguageModelError(
                f"{self.settings.model} at {self.address}: the reply was cut at longest = "
                f"{self.settings.longest} tokens; raise that setting, or the context of the service"
            )
        if finish == "content_filter":
            raise LanguageModelError(
                f"{self.settings.model} at {self.address}: the service withheld the reply; its "
                "rules for content say why"
            )

    def _silent(self) -> PassingError:
        return PassingError(f"timed out after {self.settings.timeout:g} s")


class _Guard:
    """What leaves and what comes in, before the openai package has to do with it."""

    def __init__(self, key: str | None, timeout: float) -> None:
        self._key, self._timeout = key, timeout

    def dress(self, request: Any) -> None:
        """Leave a request the headers that it needs, and the key."""
        for name in list(request.headers):
            if name.lower() not in _SENT:
                del request.headers[name]
        request.headers["User-Agent"] = "penchant"
        request.headers["Accept-Encoding"] = "identity"
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"

    def look(self, response: Any) -> None:
        """Raise for a failure, of which the openai package would read all that it is sent."""
        status = int(response.status_code)
        if 200 <= status < 300:
            return
        end, body = time.monotonic() + self._timeout, b""
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > 10_000 or time.monotonic() > end:
                break
        said = self.brief(body)
        if status in _BUSY or status >= 500:
            raise PassingError(f"{status} {said}".strip(), _seconds(response.headers))
        raise RefusedError(status, said)

    def brief(self, body: bytes | bytearray) -> str:
        """The beginning of what was said, without the key."""
        text = bytes(body[:10_000]).decode("utf-8", "replace")
        text = text.replace(self._key, "***") if self._key else text
        return " ".join(text.split())[:300]


def _json(body: bytes | bytearray) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise PassingError("expected a JSON object of the service, received something else")
    return answer


def _first(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _text(message: Any) -> str:
    """Its content, without halves of characters, which could be written nowhere."""
    content = message.get("content") if isinstance(message, dict) else None
    return content.encode("utf-8", "replace").decode() if isinstance(content, str) else ""


def _tokens(count: Any, before: int | None) -> int | None:
    good = isinstance(count, int) and not isinstance(count, bool) and count >= 0
    return count if good else before


def _seconds(headers: Any) -> float:
    """How long the service asks to wait, in seconds; 0 where it does not say."""
    named = headers.get("Retry-After") or ""
    try:
        return max(0.0, float(named))  # in this order, NaN is 0
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(named).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return 0.0
