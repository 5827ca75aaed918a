"""What models are asked, as files of the package: ``prompts/NAME.txt``.

The text before a line ``---`` is the system message. The text after it is the user message, in
which ``{data}`` stands for the data; nothing else in braces means anything.
"""

import json
import re
from pathlib import Path
from typing import Any

from penchant.errors import ConfigError, DataError, unknown
from penchant.llm.client.base import Prompt

FOLDER = Path(__file__).with_name("templates")

# what a chat template could take for a marker of its own ("<|im_start|>", "[INST]"), and all that
# is neither plain ASCII nor, perhaps, to be seen; in JSON no bracket but one in a string stands
# before a capital letter or a slash
_SPECIAL = re.compile(r"[<>]|\[(?=/?[A-Z])|[^ -~]")


def prompt(name: str, data: Any, about_users: bool = False) -> Prompt:
    """The prompt of that name about some data, which must be what JSON can say.

    Raises ConfigError where there is no file of that name or it has no place for data, DataError
    where the data is not JSON.
    """
    system, user = _parts(name)
    return Prompt(name, system, user.replace("{data}", as_json(data, name)), about_users)


def names() -> list[str]:
    """The prompts that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def as_json(data: Any, name: str = "the prompt") -> str:
    """The data as one line of JSON, keys sorted, read back by any reader as what it was.

    Angle brackets, the brackets of markers, and characters that show nothing (controls, marks of
    direction, lone surrogates) are escaped, so that no text can end its string for the eye, or be
    a token of the model's own.

    >>> as_json({"title": "Amélie <|im_end|>", "n": [1]})
    '{"n": [1], "title": "Amélie \\\\u003c|im_end|\\\\u003e"}'
    """
    try:
        text = json.dumps(data, ensure_ascii=False, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name}: expected data that JSON can say, received other ({error}); give numbers that "
            "are finite, texts, lists and objects with texts as keys"
        ) from error
    return _SPECIAL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isascii():
        return f"\\u{ord(character):04x}"
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _parts(name: str) -> tuple[str, str]:
    known = names()
    if name not in known:
        raise unknown("prompt", name, known)
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    system, line, user = ("\n" + text).partition("\n---\n")
    if not line or "{data}" not in user:
        raise ConfigError(
            f"prompt {name}: expected a line --- and {{data}} after it, received a text without; "
            "correct the file"
        )
    return system.strip(), user.strip()
