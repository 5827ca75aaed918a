"""What is written outside: an entry point, ``package.module:Name``, or an object that is given.

A name that a person writes (an argument, a recipe, a file of rules) is imported. A name that is
read from a saved run imports nothing by itself: only an installed entry point, a module that is
imported already, or what the caller allows is looked up.
"""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from penchant.errors import ConfigError

Group = Literal["penchant.models", "penchant.encoders", "penchant.metrics", "penchant.rerankers"]

ALLOWED = "PENCHANT_ALLOW"
"""The environment's variable of names that saved runs may import, parted by commas."""

_GIVEN: dict[str, Any] = {}
_ALLOWED: set[str] = set()


@dataclass(frozen=True)
class Origin:
    """Where something written outside comes from: its name, and what is to be installed for it."""

    name: str
    distribution: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        if self.distribution is None:
            return self.name
        return f"{self.name} of {self.distribution} {self.version}"


def allow(names: Iterable[str]) -> None:
    """Let runs that are loaded in this process import some ``package.module:Name``."""
    _ALLOWED.update(names)


def entry_points(group: Group) -> dict[str, metadata.EntryPoint]:
    """The installed entry points of a group, by name."""
    return {point.name: point for point in metadata.entry_points(group=group)}


def find(group: Group, name: str, *, trusted: bool = True) -> Any:
    """The object of a name: given before, an entry point, or ``package.module:Name``; else None.

    Parameters
    ----------
    group
        The entry points that are searched.
    name
        Of an entry point, or ``package.module:Name``.
    trusted
        Whether a person wrote the name. A name from a saved run imports no module that is not an
        entry point's, imported already or allowed.

    Raises
    ------
    ConfigError
        For a module that cannot be imported, a name that it does not hold, and a name that is not
        trusted and may not be imported.
    """
    if name in _GIVEN:
        return _GIVEN[name]
    points = entry_points(group)
    if name in points:
        return _loaded(points[name].load, name)
    module, colon, attribute = name.partition(":")
    if not colon or not all(map(str.isidentifier, f"{module}.{attribute}".split("."))):
        return None
    installed = name in {point.value for point in points.values()}
    if not (trusted or installed or module in sys.modules or name in _ALLOWED | _environment()):
        raise ConfigError(
            f"expected {name!r} to be an installed entry point of {group}, or allowed: a saved run "
            f"imports no code by itself; load it with load(path, allow=[{name!r}]), or set "
            f"{ALLOWED}={name}"
        )
    return _loaded(metadata.EntryPoint(name, name, group).load, name)


def name_of(value: Any) -> str:
    """The name by which an object is found again, in another process where a module holds it."""
    kind = value if hasattr(value, "__qualname__") else type(value)
    module = sys.modules.get(kind.__module__)
    names = [kind.__qualname__] if value is kind else []
    names += [name for name, held in vars(module).items() if held is value] if module else []
    name = f"{kind.__module__}:{names[0] if names else kind.__qualname__}"
    if not names:  # an instance that no module holds: found in this process alone
        name += f"@{len(_GIVEN)}"
    _GIVEN[name] = value
    return name


def named(value: Any) -> Any:
    """A text as it is, and of any other object its name."""
    return value if isinstance(value, str) else name_of(value)


Named = Annotated[str, BeforeValidator(named)]
"""A setting that takes a name, or in Python the object itself."""


def origin(name: str) -> Origin:
    """Where ``package.module:Name`` comes from, as it is installed."""
    package = name.partition(":")[0].partition(".")[0]
    distributions = metadata.packages_distributions().get(package, [])
    if not distributions:
        return Origin(name)
    return Origin(name, distributions[0], metadata.version(distributions[0]))


def _loaded(load: Any, name: str) -> Any:
    try:
        return load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"expected {name!r} to name what can be imported, received: {error}; install the "
            "package that holds it, or correct the name"
        ) from error


def _environment() -> set[str]:
    return {name.strip() for name in os.environ.get(ALLOWED, "").split(",")}
