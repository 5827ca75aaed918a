"""Page tokens: what was shown on the pages before, so that pages never overlap."""

import base64
import binascii
import json
import zlib
from typing import NamedTuple

from penchant.errors import ConfigError

LONGEST = 1000
"""Items on all pages of one list."""

_BYTES = 1 << 20


class Page(NamedTuple):
    """A request and what its pages have held so far."""

    request: str
    shown: tuple[str, ...]


def token(page: Page) -> str:
    """A page as text for an address.

    >>> read(token(Page("r", ("tea", "cup"))))
    Page(request='r', shown=('tea', 'cup'))
    """
    packed = zlib.compress(json.dumps([page.request, *page.shown]).encode(), 9)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read(text: str) -> Page:
    """The page of a token; ConfigError where it is none."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        reader = zlib.decompressobj()
        plain = reader.decompress(packed, _BYTES)
        found = json.loads(plain) if reader.eof else None
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        found = None
    strings = isinstance(found, list) and all(isinstance(one, str) for one in found)
    if not strings or not found or len(found) > LONGEST + 1:
        raise ConfigError(
            "expected a page token as the page before gave it; ask for the first page without one"
        )
    return Page(found[0], tuple(found[1:]))
