"""Signed receipts: what was forgotten and what is left, and whether a receipt was altered."""

import hmac
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from penchant.data.tombstones import digests
from penchant.errors import DataError
from penchant.storage.signing_key import SigningKey

DAYS = 30
"""Until the next fit at the latest, where nothing else is said."""

FORMAT = "penchant-receipt 1"
PURPOSE = "receipt"
Verdict = Literal["valid", "altered", "another key"]


def canonical(content: Mapping[str, object]) -> str:
    """The one text of some JSON: keys ascending, no spaces.

    >>> canonical({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    return json.dumps(
        content, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":")
    )


def signed(content: Mapping[str, object], key: SigningKey) -> dict[str, object]:
    """The content with the id of a key and the HMAC-SHA256 of all the rest by it."""
    whole: dict[str, object] = {**content, "key": key.id}
    return {**whole, "signature": key.digest(PURPOSE, canonical(whole))}


def verdict(receipt: Mapping[str, Any], key: SigningKey) -> Verdict:
    """Whether a receipt is as it was signed; "another key" where it names one.

    >>> key = SigningKey(bytes(32))
    >>> receipt = signed({"erased": {"events": 3}}, key)
    >>> verdict(receipt, key), verdict(receipt | {"erased": {"events": 2}}, key)
    ('valid', 'altered')
    """
    if receipt.get("key") != key.id:
        return "another key"
    content = {name: value for name, value in receipt.items() if name != "signature"}
    expected = key.digest(PURPOSE, canonical(content))
    given = str(receipt.get("signature"))
    return "valid" if hmac.compare_digest(expected.encode(), given.encode()) else "altered"


def receipt(
    users: Sequence[str],
    key: SigningKey,
    erased: Mapping[str, object],
    artifacts: Sequence[str],
    still_held: Sequence[str],
    statement: Mapping[str, object],
) -> dict[str, object]:
    """Make a signed receipt; of the users it holds keyed digests alone.

    Parameters
    ----------
    users
        Identifiers of who was erased.
    key
        Signs the receipt and makes the digests.
    erased
        Counts of rows, by place.
    artifacts
        Paths that held the users.
    still_held
        Those that still do, until they are updated or erased themselves.
    statement
        What became of the model: "exact", "redone", "left", "deadline", "strict".

    Returns
    -------
    dict
        JSON types, with ``key`` and ``signature``.
    """
    content = {
        "format": FORMAT,
        "subjects": list(digests(users, key)),
        "time": time.time_ns() // 1_000_000,
        "erased": dict(erased),
        "artifacts": list(artifacts),
        "still_held": list(still_held),
        **statement,
    }
    return signed(content, key)


def read_receipt(path: str | Path) -> dict[str, Any]:
    """A receipt from a file; DataError where there is none."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"expected a receipt at {path}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"expected a receipt as JSON in {path}: {error}") from error
    if not isinstance(content, dict) or "signature" not in content:
        raise DataError(
            f"{path}: expected a signed receipt, received no signature; penchant forget --receipt "
            "writes one"
        )
    return content


def deadline(days: int = DAYS, now: datetime | None = None) -> str:
    """The day some days from now, in UTC.

    >>> deadline(30, datetime(2026, 1, 5, tzinfo=UTC))
    '2026-02-04'
    """
    return ((now or datetime.now(UTC)) + timedelta(days=days)).date().isoformat()
