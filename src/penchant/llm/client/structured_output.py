"""The form of a reply: the schema that a model is held to, and the check of what came."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from penchant.llm.client.base import Reply

_NAMED = {"properties", "$defs"}  # what they hold is named by others, not by JSON schema
_SAID_ELSEWHERE = {"title", "default", "examples", "discriminator"}
_BOUNDS = {
    *("minLength", "maxLength", "pattern", "format", "uniqueItems", "minItems", "maxItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


class UnfitReplyError(Exception):
    """A reply that is not what was asked for; ``text`` is the reply."""

    def __init__(self, said: str, text: str = "") -> None:
        super().__init__(said)
        self.text = text


def schema_of(reply: type[BaseModel], lean: bool = False) -> dict[str, object]:
    """The JSON schema of a type, as services want it that keep to a schema strictly.

    Each property is required and none may be added. ``lean`` leaves out the bounds of lengths and
    values, which some services refuse; ``parse_reply`` holds replies to them all the same.
    """
    schema: dict[str, object] = _strict(reply.model_json_schema(), lean)
    return schema


def _strict(node: Any, lean: bool) -> Any:
    if isinstance(node, list):
        return [_strict(part, lean) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    made: dict[str, object] = {}
    for name, part in node.items():
        if name in _SAID_ELSEWHERE or (lean and name in _BOUNDS):
            continue
        if name in _NAMED:
            made[name] = {key: _strict(value, lean) for key, value in part.items()}
        elif name in ("enum", "const"):
            made[name] = part
        else:
            made["anyOf" if name == "oneOf" else name] = _strict(part, lean)
    if "properties" in made:
        made["required"], made["additionalProperties"] = list(node["properties"]), False
    return made


def schema_instruction(schema: Mapping[str, object]) -> str:
    """The schema in words, for a model whose service does not hold it to one."""
    return (
        "Reply with one JSON object that fits this JSON schema, and with nothing else:\n"
        + json.dumps(schema, ensure_ascii=False)
    )


def parse_reply(text: str, reply: type[Reply]) -> Reply:
    """The reply as an object. Raises UnfitReplyError that says what does not fit.

    >>> class Word(BaseModel):
    ...     word: str
    >>> parse_reply('```json\\n{"word": "so"}\\n```', Word)
    Word(word='so')
    """
    bare = text.strip()
    if bare.startswith("```"):
        bare = bare.partition("\n")[2].rpartition("```")[0]
    if not bare:
        raise UnfitReplyError("it is empty", text)
    try:
        return reply.model_validate_json(bare)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        lines = [f"{'.'.join(map(str, e['loc'])) or 'the reply'}: {e['msg']}" for e in found[:5]]
        raise UnfitReplyError("; ".join(lines)[:500], text) from None
