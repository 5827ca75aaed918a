"""Tombstones: keyed digests of users who were forgotten, by which their rows are known again."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from penchant.errors import ConfigError, DataError
from penchant.storage.signing_key import SigningKey

TOMBSTONES_FILE = "tombstones.json"
PURPOSE = "tombstone"


@dataclass(frozen=True)
class Tombstones:
    """Digests of forgotten users, ascending, all under one key, which stands elsewhere.

    key  the id of that key; "" where nobody was forgotten
    """

    key: str = ""
    digests: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.digests)

    def with_users(self, users: Iterable[str], key: SigningKey) -> "Tombstones":
        """With further users; ConfigError for another key than that of the others."""
        self.check(key)
        return self.union(Tombstones(key.id, digests(users, key)))

    def union(self, other: "Tombstones") -> "Tombstones":
        """Those of both; ConfigError where they were made with different keys."""
        if self and other and self.key != other.key:
            raise ConfigError(
                f"expected tombstones of one key, received those of {self.key} and of {other.key}; "
                "forget with the key of the first"
            )
        both = tuple(sorted({*self.digests, *other.digests}))
        return Tombstones(self.key or other.key, both)

    def check(self, key: SigningKey) -> None:
        """Raise ConfigError for a key that these were not made with."""
        if self and key.id != self.key:
            raise ConfigError(
                f"expected the key {self.key}, with which users were forgotten here, received "
                f"{key.id}; name its file with --key or PENCHANT_KEY_FILE"
            )

    def among(self, users: Sequence[str], key: SigningKey) -> list[str]:
        """Those of some users who were forgotten; ConfigError for another key."""
        self.check(key)
        gone = set(self.digests)
        return [user for user in users if key.digest(PURPOSE, user) in gone] if gone else []

    def write(self, directory: str | Path) -> None:
        """Write them into a DATA directory, or leave that as it is where there are none."""
        if not self:
            return
        file = Path(directory) / TOMBSTONES_FILE
        part = file.with_name(f".{TOMBSTONES_FILE}.part")
        part.write_text(json.dumps({"key": self.key, "digests": self.digests}, indent=1) + "\n")
        part.replace(file)


def digests(users: Iterable[str], key: SigningKey) -> tuple[str, ...]:
    """What tells some users apart to whoever holds the key, ascending."""
    return tuple(sorted({key.digest(PURPOSE, user) for user in users}))


def read_tombstones(path: str | Path) -> Tombstones:
    """Those of a DATA directory, none where it has no such file, or of a file itself.

    Raises DataError where a file is missing or damaged.
    """
    file = Path(path)
    if file.is_dir():
        file /= TOMBSTONES_FILE
        if not file.exists():
            return Tombstones()
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Tombstones(str(content["key"]), tuple(map(str, content["digests"])))
    except OSError as error:
        raise DataError(f"expected tombstones at {file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} is damaged: expected a key and digests; restore it from a copy, for without "
            "it forgotten users come back"
        ) from error
