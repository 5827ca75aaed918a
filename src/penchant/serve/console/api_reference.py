"""The endpoints of the service for a person, from its OpenAPI schema."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
"""A JSON object of an OpenAPI document."""

_EMPTY: Schema = {}
_MAX_DEPTH = 6  # levels of an example: schemas may contain themselves


@dataclass(frozen=True)
class Parameter:
    """A parameter of an endpoint, in words; ``default`` as JSON."""

    name: str
    location: str
    required: bool
    type: str
    default: str | None
    description: str


@dataclass(frozen=True)
class Endpoint:
    """An endpoint; ``body`` and ``response`` are examples as JSON."""

    method: str
    path: str
    anchor: str
    description: str
    parameters: list[Parameter]
    body: str | None
    response: str | None


def endpoints(openapi: Schema) -> dict[str, list[Endpoint]]:
    """Each endpoint with its parameters and examples of its body and response, by tag."""
    schemas = openapi.get("components", _EMPTY).get("schemas", _EMPTY)
    by_tag: dict[str, list[Endpoint]] = {}
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            tag = next(iter(operation.get("tags", [])), "other")
            by_tag.setdefault(tag, []).append(_endpoint(path, method, operation, schemas))
    return by_tag


def _endpoint(path: str, method: str, operation: Schema, schemas: Schema) -> Endpoint:
    body = operation.get("requestBody", _EMPTY).get("content", _EMPTY).get("application/json")
    text = operation.get("description") or operation.get("summary", "")
    return Endpoint(
        method=method.upper(),
        path=path,
        anchor=f"{method}{path}".translate(str.maketrans("/{}", "-__")),
        description=" ".join(text.split()),
        parameters=[_parameter(part, schemas) for part in operation.get("parameters", [])],
        body=None if body is None else _json(example(body["schema"], schemas)),
        response=_response_example(operation["responses"], schemas),
    )


def _parameter(part: Schema, schemas: Schema) -> Parameter:
    schema = part.get("schema", _EMPTY)
    return Parameter(
        name=part["name"],
        location=part["in"],
        required=bool(part.get("required")),
        type=type_text(schema, schemas),
        default=None if schema.get("default") in (None, []) else json.dumps(schema["default"]),
        description=part.get("description") or schema.get("description") or "",
    )


def type_text(schema: Schema, schemas: Schema) -> str:
    """A schema in a few words.

    >>> type_text({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, {})
    'integer from 1'
    """
    schema = _resolved(schema, schemas)
    if "anyOf" in schema:
        options = [type_text(part, schemas) for part in schema["anyOf"]]
        return " or ".join(name for name in dict.fromkeys(options) if name != "null")
    if schema.get("type") == "array":
        return f"list of {type_text(schema.get('items', _EMPTY), schemas)}"
    bounds = [f"{word} {schema[name]:g}" for name, word in _BOUNDS if name in schema]
    return " ".join([schema.get("type", "any"), *bounds])


_BOUNDS = (("minimum", "from"), ("maximum", "to"))
_EXAMPLES: Schema = {"string": "text", "integer": 1, "number": 0.5, "boolean": True}


def example(schema: Schema, schemas: Schema, depth: int = 0) -> Any:
    """A value that matches a schema: its own example, or one made of its parts.

    >>> example({"properties": {"k": {"type": "integer", "examples": [7]}}}, {})
    {'k': 7}
    """
    schema = _resolved(schema, schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if depth >= _MAX_DEPTH:
        return None
    if "anyOf" in schema:
        return example(schema["anyOf"][0], schemas, depth + 1)
    if "enum" in schema or "const" in schema:
        return schema.get("const", next(iter(schema.get("enum", [])), None))
    if "properties" in schema:
        parts = schema["properties"].items()
        return {name: example(part, schemas, depth + 1) for name, part in parts}
    if schema.get("type") == "array":
        return [example(schema.get("items", _EMPTY), schemas, depth + 1)]
    if schema.get("type") == "object":
        return {}
    return _EXAMPLES.get(schema.get("type", ""))


def _response_example(responses: Schema, schemas: Schema) -> str | None:
    """An example of a successful response; None where it has no JSON body with a schema."""
    content = responses.get("200", _EMPTY).get("content", _EMPTY).get("application/json")
    if not content or not content.get("schema"):
        return None
    return _json(example(content["schema"], schemas))


def _resolved(schema: Schema, schemas: Schema) -> Schema:
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    resolved: Schema = schemas.get(name, _EMPTY) if name else schema
    return resolved


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
