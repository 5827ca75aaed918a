"""Contents that are files."""

from pathlib import Path

from penchant.errors import UnreadableError

_MEGABYTE = 1_000_000


class Files:
    """What encoders of files share: a content is the bytes of a file.

    largest  size of a file that is read at all, in bytes
    """

    largest = 200 * _MEGABYTE

    def load(self, source: str) -> bytes:
        path = Path(source)
        try:
            status = path.stat()
            content = b"" if status.st_size > self.largest else path.read_bytes()
        except FileNotFoundError:
            raise UnreadableError("no such file") from None
        except IsADirectoryError:
            raise UnreadableError("not a file") from None
        except (OSError, ValueError) as error:  # a null byte in a name is a ValueError
            raise UnreadableError(f"cannot be opened: {error}") from None
        if status.st_size > self.largest:
            raise UnreadableError(
                f"too large: {status.st_size / _MEGABYTE:,.0f} MB, at most "
                f"{self.largest / _MEGABYTE:,.0f} are read"
            )
        if not content:
            raise UnreadableError("empty")
        return content
