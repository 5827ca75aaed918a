"""Frozen dataclasses as JSON types and back: what runs, commands and services read and write."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from math import isnan, nan
from types import NoneType, UnionType
from typing import Any, Self, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import BaseModel

from penchant.errors import ArtifactError

T = TypeVar("T")

OPTIONAL = {"optional": True}
"""Metadata of a field that is left out of the JSON where it is None."""


def key(name: str, *, optional: bool = False) -> dict[str, object]:
    """Metadata of a field that has another name in JSON, such as ``ndcg@10``."""
    return {"key": name, "optional": optional}


class JsonRecord:
    """Base of a dataclass that goes to JSON and back, field by field.

    A number that is not known is NaN in the record and null in JSON. ``OPTIONAL`` and ``key`` are
    given as a field's ``metadata``.

    Examples
    --------
    >>> from dataclasses import dataclass, field
    >>> @dataclass(frozen=True)
    ... class Score(JsonRecord):
    ...     cases: int
    ...     ndcg: float = field(metadata=key("ndcg@10"))
    >>> Score(3, nan).to_dict()
    {'cases': 3, 'ndcg@10': None}
    >>> Score.from_dict({"cases": 3, "ndcg@10": 0.5})
    Score(cases=3, ndcg=0.5)
    """

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON types."""
        assert is_dataclass(self)
        values = ((field_, getattr(self, field_.name)) for field_ in fields(self))
        return {
            field_.metadata.get("key", field_.name): to_json(value)
            for field_, value in values
            if not (value is None and field_.metadata.get("optional"))
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The record that gave this JSON; keys that it does not know are left out.

        Raises
        ------
        ArtifactError
            Where a key is missing or a value is of another type.
        """
        return _record(cls, content, cls.__name__)


def to_json(value: Any) -> Any:
    """A value of records, mappings, sequences and numbers as JSON types."""
    if isinstance(value, JsonRecord):
        return value.to_dict()
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, np.generic | np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, float):
        return None if isnan(value) else value
    if isinstance(value, Mapping):
        return {str(name): to_json(item) for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return to_json(value._asdict())
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value if value is None or isinstance(value, str | int) else str(value)


def from_json(kind: Any, value: Any, where: str = "value") -> Any:
    """A value of a type, which may hold records, from JSON types.

    Raises ArtifactError, which names ``where``, for a value of another type.
    """
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        if value is None:
            return None
        (kind,) = (item for item in arguments if item is not NoneType)
        return from_json(kind, value, where)
    if origin is Any:
        return value
    if origin is float:
        if value is None:
            return nan
        origin = float if isinstance(value, float) else int
    if isinstance(origin, type) and issubclass(origin, JsonRecord):
        return origin.from_dict(value)
    if isinstance(origin, type) and hasattr(origin, "_fields"):
        return _record(origin, value, where)
    if origin in (tuple, list) and isinstance(value, list | tuple):
        return origin(
            from_json(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value)
        )
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {
            name: from_json(arguments[1], item, f"{where}.{name}") for name, item in value.items()
        }
    if origin in (str, int, float, bool) and type(value) is origin:
        return value
    raise ArtifactError(f"{where}: expected {kind}, received {value!r}; fit the run again")


def _record(kind: type[T], content: Any, where: str) -> T:
    """A dataclass or a named tuple from a mapping."""
    if not isinstance(content, Mapping):
        raise ArtifactError(f"{where}: expected a mapping, received {content!r}; fit the run again")
    values, types = {}, get_type_hints(kind)
    optional: set[str] = set()
    if is_dataclass(kind):
        keys = {field_.name: field_.metadata.get("key", field_.name) for field_ in fields(kind)}
        needed = {
            field_.name
            for field_ in fields(kind)
            if field_.default is MISSING and field_.default_factory is MISSING
        }
        left_out = {f.name for f in fields(kind) if f.metadata.get("optional")}
        optional = needed & left_out
    else:
        keys = {name: name for name in kind._fields}  # type: ignore[attr-defined]
        needed = set(keys)
    for name, at in keys.items():
        if at in content:
            values[name] = from_json(types[name], content[at], f"{where}.{at}")
        elif name in optional:
            values[name] = None
        elif name in needed:
            raise ArtifactError(f"{where}: expected {at!r}, received none; fit the run again")
    return kind(**values)
