"""Page tokens: what previous pages have shown, so that pages never overlap."""

import base64
import binascii
import json
import zlib
from typing import NamedTuple

from penchant.errors import ConfigError

MAX_PAGED_ITEMS = 1000
"""Items on all pages of one list."""

_MAX_BYTES = 1 << 20


class Page(NamedTuple):
    """A request and the items of its pages so far."""

    request: str
    shown: tuple[str, ...]


def encode_token(page: Page) -> str:
    """A page as text for an address.

    >>> parse_token(encode_token(Page("r", ("tea", "cup"))))
    Page(request='r', shown=('tea', 'cup'))
    """
    packed = zlib.compress(json.dumps([page.request, *page.shown]).encode(), 9)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def parse_token(text: str) -> Page:
    """The page of a token; ConfigError where it is none."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        reader = zlib.decompressobj()
        plain = reader.decompress(packed, _MAX_BYTES)
        content = json.loads(plain) if reader.eof else None
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        content = None
    strings = isinstance(content, list) and all(isinstance(part, str) for part in content)
    if not strings or not content or len(content) > MAX_PAGED_ITEMS + 1:
        raise ConfigError(
            "expected a page token as returned with the previous page; omit it for the first page"
        )
    return Page(content[0], tuple(content[1:]))
