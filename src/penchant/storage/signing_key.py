"""The secret key, outside every artifact: it signs receipts and makes digests of user ids."""

import hmac
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from penchant.errors import ConfigError

VARIABLE = "PENCHANT_KEY_FILE"
BYTES = 32


@dataclass(frozen=True)
class SigningKey:
    """A secret of 32 bytes. What it makes of a text for one purpose says nothing of another's."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """By which the key is known, 12 hex characters; it cannot be found out from this."""
        return self.digest("id", "")[:12]

    def digest(self, purpose: str, text: str) -> str:
        """HMAC-SHA256 of a text, 64 hex characters.

        >>> SigningKey(bytes(32)).digest("user", "ann")[:16]
        'a12907a0fed9876c'
        """
        content = f"{purpose}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.new(self.secret, content, sha256).hexdigest()


def load_key(
    path: str | Path | None = None, progress: Callable[[str], None] | None = None
) -> SigningKey:
    """Read the key of a file; create one where there is none.

    Parameters
    ----------
    path
        The file (default: ``default_key_path``).
    progress
        Called with a line of text where a new key was created.

    Raises
    ------
    ConfigError
        Where the file is no key, or cannot be read or written.
    """
    file = default_key_path() if path is None else Path(path)
    try:
        if not file.exists() and _create_key(file) and progress is not None:
            progress(f"a new key was made at {file}; keep it, and apart from runs and data")
        text = file.read_text(encoding="ascii").strip()
        secret = bytes.fromhex(text)
    except OSError as error:
        raise ConfigError(f"expected a key file at {file}: {error.strerror}") from error
    except ValueError:
        secret = b""
    if len(secret) != BYTES:
        raise ConfigError(
            f"{file}: expected {2 * BYTES} hexadecimal digits, received something else; name the "
            "file of the key, or one that does not exist yet to have a key made"
        )
    return SigningKey(secret)


def default_key_path(
    environment: Mapping[str, str] | None = None, platform: str = sys.platform
) -> Path:
    """PENCHANT_KEY_FILE, else ``penchant/key`` where the platform keeps a user's settings.

    >>> default_key_path({"XDG_CONFIG_HOME": "/c"}, "linux").as_posix()
    '/c/penchant/key'
    """
    known = os.environ if environment is None else environment
    if named := known.get(VARIABLE):
        return Path(named)
    if platform == "win32" and (roaming := known.get("APPDATA")):
        return Path(roaming) / "penchant" / "key"
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "penchant" / "key"
    home = known.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "penchant" / "key"


def _create_key(file: Path) -> bool:
    """Write a new key, for its owner alone; whether it was this call that did."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with NamedTemporaryFile("w", dir=file.parent, prefix=".key-", delete=False) as part:
        part.write(secrets.token_hex(BYTES) + "\n")
    place = Path(part.name)
    place.chmod(0o600)
    try:
        # a link is never written over: of several that start at once, one makes the key
        os.link(place, file)
    except FileExistsError:
        return False
    finally:
        place.unlink()
    return True
