"""The one saved format: a folder of plain files under a manifest that vouches for each byte.

``manifest.json`` names every file with its size and SHA-256, and ends with the digest of itself.
Arrays are safetensors, tables are Parquet; nothing in it is ever executed.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penchant.errors import ArtifactError

MANIFEST = "manifest.json"
FORMAT = "penchant-run"
VERSION = 3
READABLE = (2, VERSION)
"""Version 2 has the former names of settings; its files are the same."""


@contextmanager
def write_artifact(path: str | Path, manifest: Mapping[str, Any]) -> Iterator[Path]:
    """A new folder to write files into; on leaving, they become the artifact at ``path``.

    An artifact that stands there is replaced as a whole; anything else that stands there is left
    alone with an ArtifactError. Where an error is raised inside, nothing changes.
    """
    path = Path(path)
    if (
        path.exists()
        and not (path / MANIFEST).is_file()
        and (path.is_file() or any(path.iterdir()))
    ):
        raise ArtifactError(f"{path} exists and is not a saved run; choose another place")
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
    try:
        yield folder
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        listed = {file.relative_to(folder).as_posix(): _fingerprint(file) for file in files}
        content = {"format": FORMAT, "version": VERSION, **manifest, "files": listed}
        (folder / MANIFEST).write_bytes(_with_digest(content))
        folder.chmod(0o755)
        if path.exists():
            old = Path(mkdtemp(dir=path.parent, prefix=f".{path.name}-old-"))
            path.rename(old / path.name)
            folder.rename(path)
            shutil.rmtree(old)
        else:
            folder.rename(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def update_manifest(path: str | Path, changes: Mapping[str, Any]) -> None:
    """Put other entries into the manifest of an artifact, at once; its files stay as they are.

    Raises ArtifactError where the artifact is not whole.
    """
    path = Path(path)
    manifest = {**read_manifest(path), **changes}
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        file.write(_with_digest(manifest))
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path / MANIFEST)


def read_manifest(path: str | Path) -> dict[str, Any]:
    """The manifest, after every byte of the artifact has been checked against it.

    Raises ArtifactError where there is none, where it is of another version, or where a file is
    missing, foreign or differs by as little as one bit.
    """
    path = Path(path)
    try:
        raw = (path / MANIFEST).read_bytes()
    except OSError as error:
        raise ArtifactError(f"expected a saved run at {path}, found no {MANIFEST} there") from error
    try:
        manifest: dict[str, Any] = json.loads(raw)
        whole = isinstance(manifest, dict) and _with_digest(manifest) == raw
    except ValueError:
        whole = False
    if not whole:
        raise ArtifactError(f"{path / MANIFEST} is damaged: it does not match its own digest")
    if manifest["format"] != FORMAT or manifest["version"] not in READABLE:
        raise ArtifactError(
            f"{path}: expected format {FORMAT} {VERSION}, received {manifest['format']} "
            f"{manifest['version']}; load it with the Penchant that wrote it, or fit again"
        )
    present = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    unexpected = sorted((present - {MANIFEST}) ^ set(manifest["files"]))
    if unexpected:
        raise ArtifactError(f"{path}: files missing or foreign to the run: {', '.join(unexpected)}")
    for name, expected in manifest["files"].items():
        received = _fingerprint(path / name)
        if received != expected:
            raise ArtifactError(
                f"{path / name} is damaged: expected {expected['bytes']} bytes with SHA-256 "
                f"{expected['sha256'][:12]}..., received {received['bytes']} with "
                f"{received['sha256'][:12]}...; restore it from a copy or fit again"
            )
    return manifest


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays as safetensors."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read named arrays from safetensors."""
    from safetensors.numpy import load_file

    arrays: dict[str, NDArray[Any]] = load_file(path)
    return arrays


def _with_digest(manifest: Mapping[str, Any]) -> bytes:
    """The manifest as bytes, ending with the digest of all before it."""
    content = {name: value for name, value in manifest.items() if name != "digest"}
    plain = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)
    content["digest"] = hashlib.sha256(plain.encode()).hexdigest()
    return (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
