"""Models of the package sentence-transformers, by their name on the hub or their folder."""

from collections.abc import Sequence
from hashlib import sha256
from importlib import metadata
from typing import Any

import numpy as np

from penchant.errors import DataError, MissingExtraError
from penchant.features.encoders.cache import Rows


class HubModel:
    """A model and who it is.

    Raises MissingExtraError without the extra ``transformers``, DataError where there is no such
    model or it cannot be downloaded.
    """

    def __init__(self, name: str, device: str | None = None) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ModuleNotFoundError as error:
            raise MissingExtraError("sentence-transformers", "transformers") from error
        try:
            self.model = SentenceTransformer(name, device=device)
        except (OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise DataError(
                f"expected a model of sentence-transformers, received {name!r}: {reason}; name one "
                "of its hub, which is downloaded when it is first used, or a folder"
            ) from error

    @property
    def key(self) -> str:
        """The package's version and a SHA-256 of all parameters and buffers."""
        import torch

        hashed = sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            hashed.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            hashed.update(flat.view(torch.uint8).numpy().tobytes())
        version = metadata.version("sentence-transformers")
        return f"sentence-transformers {version} {hashed.hexdigest()}"

    @property
    def width(self) -> int:
        width = self.model.get_embedding_dimension()
        return int(width) if width else self.encode([" "]).shape[1]

    def encode(self, batch: Sequence[Any]) -> Rows:
        """Rows of texts or of pictures, (B, D)."""
        rows = self.model.encode(list(batch), batch_size=len(batch), show_progress_bar=False)
        return np.asarray(rows, np.float32)
