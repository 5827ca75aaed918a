"""What models are asked: a file for each prompt, filled with data that is no part of its words."""

import json
from pathlib import Path
from typing import Any

from penchant.errors import ConfigError
from penchant.llm.base import Prompt

FOLDER = Path(__file__).parent / "prompts"


def prompt(name: str, data: Any, about_users: bool = False) -> Prompt:
    """The prompt of a file: what stands before a line ``---`` is the system's, the rest is asked.

    There ``{data}`` is replaced by the data as JSON. Raises ConfigError for a name without a file.
    """
    path = FOLDER / f"{name}.txt"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in FOLDER.glob("*.txt")))
        raise ConfigError(f"unknown prompt {name!r}: expected one of {known}")
    system, _, user = path.read_text(encoding="utf-8").partition("\n---\n")
    filled = json.dumps(data, ensure_ascii=False, sort_keys=True, allow_nan=False)
    return Prompt(name, system.strip(), user.strip().replace("{data}", filled), about_users)
