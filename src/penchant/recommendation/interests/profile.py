"""What a user's interests are in words, made of them or written by the user."""

from dataclasses import dataclass
from typing import Any

from penchant.errors import ConfigError

MOST = 1000
"""Characters of a text that a user writes."""


@dataclass(frozen=True)
class Profile:
    """A short text of what a user is interested in.

    edited  whether the user wrote it: then it stands until they take it back
    model   that wrote it; None for plain words and for the user's own
    made    a digest of the interests that it was made of; "" for the user's own
    note    why a model's text was not taken; None where it was, or none was asked
    """

    text: str
    edited: bool = False
    model: str | None = None
    made: str = ""
    note: str | None = None

    @classmethod
    def written(cls, text: str) -> "Profile":
        """A user's own text; ConfigError for one that is empty, too long or cannot be kept."""
        own = "\n".join(text.splitlines()).strip()
        if not own or len(own) > MOST or "\x00" in own or (not _sound(own)):
            raise ConfigError(
                f"expected a text of 1 to {MOST:,} characters of Unicode, none of them NUL, "
                f"received {len(own):,}; write another, or take the old one back"
            )
        return cls(own, edited=True)

    def to_dict(self) -> dict[str, Any]:
        """The profile as JSON types, without the digest."""
        return {
            "text": self.text,
            "edited": self.edited,
            "model": self.model,
            "note": self.note,
        }


def _sound(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
