"""Text as rows by a service that speaks OpenAI's /v1/embeddings."""

import json
import time
from collections.abc import Callable, Sequence
from email.message import Message
from functools import cached_property
from http.client import HTTPException
from typing import IO, Annotated, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import numpy as np
from pydantic import Field

from penchant.config import Settings
from penchant.errors import ConfigError, DataError, UnreadableError
from penchant.features.encoders.cache import Rows
from penchant.features.encoders.text import TextEncoder

_BUSY = {408, 409, 425, 429}
_REFUSED = {400, 413, 422}


class EndpointSettings(Settings):
    """How an endpoint is asked.

    Parameters
    ----------
    limit
        Characters of a text that are sent.
    batch
        Texts in a request.
    timeout
        Seconds of silence after which a request counts as failed.
    tries
        Tries of a request; after each failure it waits twice as long.
    wait
        Seconds after the first failure; where the service names a time, that, up to 60.
    """

    limit: Annotated[int, Field(ge=1)] = 8000
    batch: Annotated[int, Field(ge=1)] = 64
    timeout: Annotated[float, Field(gt=0)] = 60.0
    tries: Annotated[int, Field(ge=1)] = 5
    wait: Annotated[float, Field(ge=0)] = 1.0


class EmbeddingsEndpoint(TextEncoder):
    """A model behind an OpenAI-compatible endpoint: OpenAI's own, vLLM, Ollama, llama.cpp ...

    url      of the API ("http://localhost:8000/v1") or of its embeddings; redirects are refused,
             so that the key goes to no other place
    api_key  sent as a bearer token; no message, name or cache bears it
    """

    def __init__(
        self,
        url: str,
        model: str,
        api_key: str | None = None,
        settings: EndpointSettings | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings or EndpointSettings()
        super().__init__(self.settings.limit)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ConfigError(
                "expected the address of an API such as http://localhost:8000/v1, received one of "
                f"scheme {parts.scheme!r}; give it whole, and the key as api_key"
            )
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise ConfigError("expected an API key of plain characters; take line ends off it")
        path = parts.path.rstrip("/").removesuffix("/embeddings")
        self._url = parts._replace(path=path + "/embeddings").geturl()
        # without the query, which may hold a secret
        self.address = f"{parts.scheme}://{parts.netloc}{path}"
        self.model, self._api_key, self._sleep = model, api_key, sleep
        self.batch = self.settings.batch
        self.name = f"{model} at {self.address}"

    @property
    def key(self) -> str:
        return f"embeddings {self.address} {self.model} limit={self.limit}"

    @cached_property
    def width(self) -> int:
        """Asked of the service with one short text. Raises DataError where it does not work."""
        try:
            return int(self.encode(["text"]).shape[1])
        except UnreadableError as error:
            raise DataError(f"{self.name}: {error}; check the model's name") from None

    def encode(self, batch: Sequence[str]) -> Rows:
        """Raises DataError where the service does not answer as it should, however often asked."""
        answer = self._answer({"model": self.model, "input": list(batch)})
        try:
            found = {
                int(entry.get("index", place)): entry["embedding"]
                for place, entry in enumerate(answer["data"])
            }
            rows = np.array([found[place] for place in range(len(batch))], np.float32)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{self.name}: expected a list of {len(batch)} embeddings of one length under "
                f"'data', received something else ({type(error).__name__}); check that the "
                "address is that of an embeddings API"
            ) from None
        if rows.ndim != 2 or not rows.shape[1]:
            raise DataError(
                f"{self.name}: expected embeddings as lists of numbers, received others"
            )
        return rows

    def _answer(self, question: dict[str, Any]) -> Any:
        for attempt in range(1, self.settings.tries + 1):
            try:
                return self._asked(question)
            except _BusyError as busy:
                if attempt == self.settings.tries:
                    raise DataError(
                        f"{self.name} failed {attempt} times, at last with: {busy}; what was "
                        "encoded is kept, try again later"
                    ) from None
                self._sleep(min(max(busy.after, self.settings.wait * 2 ** (attempt - 1)), 60.0))
        raise AssertionError

    def _asked(self, question: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "User-Agent": "penchant"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        request = Request(self._url, json.dumps(question).encode(), headers)
        try:
            with _opener.open(request, timeout=self.settings.timeout) as response:
                return json.load(response)
        except HTTPError as error:
            with error:
                reason = self._reason(error)
            if error.code in _BUSY or error.code >= 500:
                raise _BusyError(reason, _seconds(error.headers)) from None
            if error.code in _REFUSED:
                raise UnreadableError(f"refused by the service: {reason}") from None
            raise DataError(f"{self.name}: {reason}; check address, model and key") from None
        except ValueError:
            raise DataError(f"{self.name}: expected JSON, received something else") from None
        except URLError as error:
            raise _BusyError(self._without_key(str(error.reason))) from None
        except (OSError, HTTPException) as error:
            raise _BusyError(self._without_key(str(error) or type(error).__name__)) from None

    def _reason(self, error: HTTPError) -> str:
        """Status and beginning of what the service said."""
        try:
            body = self._without_key(error.read(10_000).decode("utf-8", "replace"))
        except (OSError, HTTPException):
            body = ""
        return f"{error.code} {' '.join(body.split())[:300]}".strip()

    def _without_key(self, text: str) -> str:
        return text.replace(self._api_key, "***") if self._api_key else text


class _BusyError(Exception):
    """A failure that may pass; ``after`` seconds, where the service says so."""

    def __init__(self, said: str, after: float = 0.0) -> None:
        super().__init__(said)
        self.after = after


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


_opener = build_opener(_NoRedirects)


def _seconds(headers: Message) -> float:
    try:
        return float(headers.get("Retry-After", 0))
    except ValueError:
        return 0.0  # a date; the usual wait does
