"""The addresses of the service for a person, of their OpenAPI description."""

import json
from collections.abc import Mapping
from typing import Any

_NOTHING: dict[str, Any] = {}
_DEEPEST = 6  # levels of an example: schemas may hold themselves


def addresses(openapi: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Each address with its parameters, an example of its body and its answers, by tag."""
    schemas = openapi.get("components", _NOTHING).get("schemas", _NOTHING)
    found: dict[str, list[dict[str, Any]]] = {}
    for path, methods in openapi["paths"].items():
        for method, of in methods.items():
            tag = next(iter(of.get("tags", [])), "other")
            found.setdefault(tag, []).append(_address(path, method, of, schemas))
    return found


def _address(
    path: str, method: str, of: Mapping[str, Any], schemas: Mapping[str, Any]
) -> dict[str, Any]:
    body = of.get("requestBody", _NOTHING).get("content", _NOTHING).get("application/json")
    return {
        "method": method.upper(),
        "path": path,
        "anchor": f"{method}{path}".translate(str.maketrans("/{}", "-__")),
        "told": " ".join((of.get("description") or of.get("summary", "")).split()),
        "parameters": [_parameter(one, schemas) for one in of.get("parameters", [])],
        "body": None if body is None else _json(example(body["schema"], schemas)),
        "answer": _answer(of["responses"], schemas),
        "problems": [
            (code, one["description"])
            for code, one in sorted(of["responses"].items())
            if code >= "400"
        ],
    }


def _parameter(of: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    schema = of.get("schema", _NOTHING)
    return {
        "name": of["name"],
        "where": of["in"],
        "required": bool(of.get("required")),
        "kind": kind(schema, schemas),
        "default": None if schema.get("default") in (None, []) else json.dumps(schema["default"]),
        "told": of.get("description") or schema.get("description") or "",
    }


def kind(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """A schema in a few words.

    >>> kind({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, {})
    'integer from 1'
    """
    schema = _resolved(schema, schemas)
    if "anyOf" in schema:
        told = [kind(one, schemas) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(told))
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', _NOTHING), schemas)}"
    bounds = [f"{word} {schema[name]:g}" for name, word in _BOUNDS if name in schema]
    return " ".join([schema.get("type", "any"), *bounds])


_BOUNDS = (("minimum", "from"), ("maximum", "to"))
_PLAIN: dict[str, Any] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True}


def example(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """A value as a schema asks for it: its own example, or one of its parts.

    >>> example({"properties": {"k": {"type": "integer", "examples": [7]}}}, {})
    {'k': 7}
    """
    schema = _resolved(schema, schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if depth >= _DEEPEST:
        return None
    if "anyOf" in schema:
        return example(schema["anyOf"][0], schemas, depth + 1)
    if "enum" in schema or "const" in schema:
        return schema.get("const", next(iter(schema.get("enum", [])), None))
    if "properties" in schema:
        parts = schema["properties"].items()
        return {name: example(part, schemas, depth + 1) for name, part in parts}
    if schema.get("type") == "array":
        return [example(schema.get("items", _NOTHING), schemas, depth + 1)]
    if schema.get("type") == "object":
        return {}
    return _PLAIN.get(schema.get("type", ""))


def _answer(responses: Mapping[str, Any], schemas: Mapping[str, Any]) -> str | None:
    """An example of a good answer; None where it has no body of JSON that is described."""
    content = responses.get("200", _NOTHING).get("content", _NOTHING).get("application/json")
    if not content or not content.get("schema"):
        return None
    return _json(example(content["schema"], schemas))


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    return schemas.get(name, _NOTHING) if name else schema


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
