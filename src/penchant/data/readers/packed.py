"""Packed files (gzip, zip, bzip2, xz, Zstandard): unpacked, or named for what is wrong."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import duckdb

from penchant.errors import DataError
from penchant.storage.database import connect, literal

KINDS = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\xd0\xcf\x11\xe0": "Excel 97",
}
"""What a packed file begins with."""
_CHUNK = 1 << 20


def unpacked(path: Path, folder: Path) -> Path:
    """A file as it is, or what is packed in it, copied to a folder.

    Parameters
    ----------
    path
        A file, packed or not; its first bytes tell.
    folder
        Where the copy goes.

    Raises
    ------
    DataError
        For a packed file that is truncated or damaged, a zip of several files, a workbook.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
    except OSError as error:
        raise DataError(f"expected a file at {path}: {error.strerror}") from error
    kind = next((name for magic, name in KINDS.items() if start.startswith(magic)), None)
    if kind is None:
        return path
    if kind == "Excel 97":
        raise DataError(f"{path} is an Excel workbook: save the sheet as CSV and pass that file")
    copy = folder / f"{len(list(folder.iterdir()))}.unpacked"
    size = 0
    try:
        if kind == "Zstandard":
            _zstandard(path, copy)
            return copy
        with _opened(path, kind) as source, copy.open("wb") as target:
            while chunk := source.read(_CHUNK):
                size += target.write(chunk)
    except EOFError as error:
        raise DataError(
            f"{path} is a {kind} file that is truncated: it breaks off after {size:,} unpacked "
            "bytes; copy or download it again"
        ) from error
    except (OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, duckdb.Error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path} is a {kind} file that is damaged ({reason}); copy or download it again"
        ) from error
    return copy


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[IO[bytes]]:
    if kind == "gzip":
        with gzip.open(path) as stream:
            yield cast(IO[bytes], stream)
    elif kind == "bzip2":
        with bz2.open(path) as stream:
            yield cast(IO[bytes], stream)
    elif kind == "xz":
        with lzma.open(path) as stream:
            yield cast(IO[bytes], stream)
    else:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "[Content_Types].xml" in names:
                raise DataError(
                    f"{path} is an Excel workbook: save the sheet as CSV and pass that file"
                )
            files = [n for n in names if not n.endswith("/") and not n.startswith("__MACOSX/")]
            if len(files) != 1:
                shown = ", ".join(files[:3]) or "none"
                raise DataError(
                    f"{path}: expected a zip of one file, received {len(files)}: {shown}; unpack "
                    "it and pass the files"
                )
            if archive.getinfo(files[0]).flag_bits & 1:
                raise DataError(f"{path} is encrypted: unpack it and pass the file")
            with archive.open(files[0]) as stream:
                yield stream


def _check_zstandard(path: Path) -> None:
    """Walk the blocks of each frame (RFC 8878, section 3.1.1): EOFError where the last is cut off.

    DuckDB, which unpacks them, takes what is there for the whole.
    """
    data = memoryview(path.read_bytes())
    at = 0

    def take(count: int) -> int:
        nonlocal at
        if at + count > len(data):
            raise EOFError
        value = int.from_bytes(data[at : at + count], "little")
        at += count
        return value

    while at < len(data):
        magic = take(4)
        if magic & 0xFFFFFFF0 == 0x184D2A50:  # a skippable frame
            take(take(4))
            continue
        if magic != 0xFD2FB528:
            raise OSError("what follows a frame is none")
        descriptor = take(1)
        single = descriptor >> 5 & 1
        size = (single, 2, 4, 8)[descriptor >> 6]
        take((0 if single else 1) + (0, 1, 2, 4)[descriptor & 3] + size)
        last = 0
        while not last:
            header = take(3)
            last, kind, length = header & 1, header >> 1 & 3, header >> 3
            take(1 if kind == 1 else length)
        take(4 if descriptor >> 2 & 1 else 0)


def _zstandard(path: Path, copy: Path) -> None:
    """Unpack by DuckDB, a line at a time; a control character parts nothing in text."""
    _check_zstandard(path)
    with connect() as database:
        database.execute(
            f"copy (select line from read_csv({literal(str(path))}, compression = 'zstd', "
            "auto_detect = false, header = false, delim = '\x01', quote = '', escape = '', "
            "columns = {'line': 'VARCHAR'}, parallel = false, max_line_size = 16000000)) "
            f"to {literal(str(copy))} (format csv, header false, quote '', escape '', "
            "delimiter '\x01')"
        )
