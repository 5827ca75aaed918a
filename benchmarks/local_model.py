"""A small language model on loopback, for benchmarks that need one and have no service.

It is that of the tests: SmolLM2 with 135 million parameters, in a process of its own.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "tests"))

import llm_server

NAME = "SmolLM2-135M-Instruct, 4 bits, served by llama.cpp"


@contextmanager
def serving(folder: Path, threads: int = 1) -> Iterator[Path]:
    """A settings file for the model, as ``--llm`` takes it; the model is served meanwhile."""
    with llm_server.real_model(threads=threads) as url:
        file = folder / "llm.toml"
        file.write_text(
            f'url = "{url}"\nmodel = "{llm_server.MODEL}"\ntimeout = 120\nconcurrent = 1\n',
            encoding="utf-8",
        )
        yield file
