"""The base of all settings: frozen, typed, checked, and read under their former names too."""

import sys
import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from types import FrameType
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from penchant.errors import ConfigError

_UNKNOWN = "extra_forbidden"  # pydantic's type of error for a key that is not known


class Settings(BaseModel):
    """Base of all settings: immutable, and a misspelled key is an error.

    Raises
    ------
    ConfigError
        Where a key is not known or a value lies outside its range: by the constructor and by
        ``model_validate``. It names the nearest known key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    former: ClassVar[Mapping[str, str]] = {}
    """Former names of fields and what they are called now; read with a FutureWarning."""

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise ConfigError(_explained(type(self), error)) from error

    # pydantic would else call this for nested settings too, whose errors would lose their path
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Validate a mapping; ConfigError says what is wrong with it."""
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise ConfigError(_explained(cls, error)) from error

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, data: Any) -> Any:
        if not (isinstance(data, Mapping) and data.keys() & cls.former.keys()):
            return data
        for old in data.keys() & cls.former.keys():
            text = f"the setting {old} of {cls.__name__} is now called {cls.former[old]}"
            if cls.former[old] in data:
                raise ValueError(f"{text}; expected one of the two, received both")
            warn_of_names(f"{text}; use the new name")
        return {cls.former.get(name, name): value for name, value in data.items()}


def current_names(
    kind: type[BaseModel], data: Mapping[str, Any], met: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return settings under the names of today, in nested sections too, without a warning.

    Parameters
    ----------
    kind
        What ``data`` are the settings of.
    data
        Settings as a former version wrote them.
    met
        Takes up each former name that is met, and what it is now called.

    Examples
    --------
    >>> from penchant.config import Recipe
    >>> current_names(Recipe, {"seed": 1, "sequence": {"width": 32}})
    {'seed': 1, 'sequence': {'embedding_size': 32}}
    """
    former = kind.former if issubclass(kind, Settings) else {}
    renamed = {}
    for name, value in data.items():
        now = former.get(name, name)
        if met is not None and now != name:
            met[name] = now
        inner = _section_of(kind, now)
        renamed[now] = current_names(inner, value, met) if inner and value else value
    return renamed


def warn_of_names(text: str) -> None:
    """Give a FutureWarning that names the line outside the package that led to it."""
    level, frame = 1, sys._getframe()
    while (before := frame.f_back) is not None and _ours(frame):
        level, frame = level + 1, before
    warnings.warn(text, FutureWarning, stacklevel=level)


def _ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in ("penchant", "pydantic")


def _explained(kind: type[BaseModel], error: ValidationError) -> str:
    """Each error with its key, what was received and, once for each section, the known keys."""
    sections = {}
    lines = []
    for one in error.errors():
        name, section = _innermost(kind, one["loc"])
        sections[name] = section
        problem = one["msg"].removeprefix("Value error, ")
        if one["type"] == _UNKNOWN:
            near = get_close_matches(str(one["loc"][-1]), section.model_fields, 1)
            problem = "unknown key" + "".join(f" (did you mean {key}?)" for key in near)
        where = ".".join(map(str, one["loc"])) or kind.__name__
        lines.append(f"{where}: {problem}, received {one['input']!r}")
    known = "; ".join(
        f"Known keys{f' of {name}' if name else ''}: {', '.join(section.model_fields)}"
        for name, section in sorted(sections.items())
    )
    return f"{'; '.join(lines)}. {known}"


def _innermost(kind: type[BaseModel], path: tuple[int | str, ...]) -> tuple[str, type[BaseModel]]:
    """The innermost section on the way to a key: its dotted name and its class."""
    name: list[str] = []
    for step in path[:-1]:
        inner = _section_of(kind, str(step))
        if inner is None:
            break
        kind = inner
        name.append(str(step))
    return ".".join(name), kind


def _section_of(kind: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The class of a field that is itself a section of settings."""
    field = kind.model_fields.get(name)
    inner = None if field is None else field.annotation
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
