"""Text files as valid UTF-8: checked in a stream, transcoded where they are something else."""

import codecs
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from penchant.data.readers.packed import unpacked
from penchant.errors import ConfigError, DataError

CHUNK = 1 << 20
HEAD = 1 << 16


@dataclass(frozen=True)
class TextFile:
    """A UTF-8 file, without a byte-order mark, to be read in place of ``original``."""

    path: Path
    original: Path
    lines: int
    quotes: int

    @property
    def name(self) -> str:
        return str(self.original)

    def head(self) -> str:
        """The first kilobytes."""
        with self.path.open("rb") as stream:
            return stream.read(HEAD).decode("utf-8", "ignore")

    def first_lines(self) -> list[str]:
        """The whole lines of the first kilobytes, each with its end; at least one of any text."""
        lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", self.head())
        cut_off = self.path.stat().st_size > HEAD and len(lines) > 1
        return lines[:-1] if cut_off else lines

    def line_at(self, byte: int) -> int:
        """The number, from 1, of the line that a byte lies on; a newline opens the next line."""
        line = 1
        with self.path.open("rb") as stream:
            while byte >= 0:
                chunk = stream.read(min(CHUNK, byte + 1))
                if not chunk:
                    break
                line += chunk.count(b"\n")
                byte -= len(chunk)
        return line


def open_text(path: Path, encoding: str | None, folder: Path) -> TextFile:
    """Check that a file is text in its encoding; anything but plain UTF-8 is copied to ``folder``.

    Raises DataError with file, line and byte for the first byte that is not.
    """
    plain = unpacked(path, folder)
    with plain.open("rb") as stream:
        start = stream.read(4)
    if encoding is None and start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise DataError(f'{path} looks like UTF-16: pass encoding="utf-16"')
    encoding = _canonical(encoding or "utf-8")
    if encoding == "utf-8" and start.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    with plain.open("rb") as source:
        if encoding == "utf-8":
            lines, quotes = _stream(path, source, encoding, None)
            return TextFile(plain, path, lines, quotes)
        copy = folder / f"{len(list(folder.iterdir()))}.txt"
        with copy.open("wb") as target:
            lines, quotes = _stream(path, source, encoding, target)
    return TextFile(copy, path, lines, quotes)


def without_start(text: TextFile, start: str, folder: Path) -> TextFile:
    """A copy without the lines with which the text starts."""
    copy = folder / f"{len(list(folder.iterdir()))}.txt"
    with text.path.open("rb") as source, copy.open("wb") as target:
        source.seek(len(start.encode()))
        shutil.copyfileobj(source, target, CHUNK)
    return TextFile(
        copy, text.original, text.lines - start.count("\n"), text.quotes - start.count('"')
    )


def unify_newlines(text: TextFile, folder: Path) -> TextFile:
    """A copy in which each CR LF is LF, for a file that ends its lines in both ways."""
    copy = folder / f"{len(list(folder.iterdir()))}.txt"
    with text.path.open("rb") as source, copy.open("wb") as target:
        held = b""
        while chunk := source.read(CHUNK):
            chunk = held + chunk
            held = chunk[-1:] if chunk.endswith(b"\r") else b""
            target.write(chunk[: len(chunk) - len(held)].replace(b"\r\n", b"\n"))
        target.write(held)
    return TextFile(copy, text.original, text.lines, text.quotes)


def _canonical(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise ConfigError(
            f"unknown encoding {encoding!r}: expected for example utf-8, utf-8-sig, utf-16, "
            "latin-1 or gbk"
        ) from error


def _stream(
    path: Path, source: BinaryIO, encoding: str, target: BinaryIO | None
) -> tuple[int, int]:
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = newlines = quotes = 0
    last = b""
    while True:
        chunk = source.read(CHUNK)
        pending = decoder.getstate()[0]
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            broken = bytes(error.object)
            line = newlines + broken[: error.start].count(b"\n") + 1
            byte = offset - len(pending) + error.start
            raise DataError(
                f"{path}, line {line}, byte {byte} (0x{broken[error.start]:02x}): expected "
                f"{encoding} text; pass encoding= with the file's own encoding, for example "
                'encoding = "latin-1" or "gbk"'
            ) from error
        data = chunk if target is None else text.encode("utf-8", "surrogatepass")
        newlines += data.count(b"\n")
        quotes += data.count(b'"')
        last = data[-1:] or last
        if target is not None:
            target.write(data)
        if not chunk:
            return newlines + (last not in (b"", b"\n")), quotes
        offset += len(chunk)
