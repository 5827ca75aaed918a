"""A recipe: the settings of a fit, from a TOML file and from ``--set section.key=value``."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationInfo, field_validator

from penchant.config.experts import SequenceSettings, TransitionSettings
from penchant.config.sections import (
    CleaningSettings,
    ContentSettings,
    InterestSettings,
    PrivacySettings,
    QuerySettings,
    SearchSettings,
    UserSettings,
)
from penchant.config.settings import Settings
from penchant.errors import ConfigError

S = TypeVar("S", bound=Settings)


class Recipe(Settings):
    """The settings of a fit. A misspelled name is a ``ConfigError`` with the nearest known one.

    Parameters
    ----------
    target
        The behavior to predict (default: the dataset's).
    seed
        Of all that is random: a seed, the data and the settings fix the model.
    repeats
        Whether items already seen may be recommended again.
    cleaning
        What each cleaning rule does, and its bounds.
    content
        What is read of the items.
    users
        What is used of the users.
    transition
        Of the transition expert.
    sequence
        Of the sequence expert.
    interests
        How a user's events become interests.
    queries
        What a search does to a list.
    privacy
        How a private fit spends its budget.
    search
        The bounded search; budget 1 takes ``transition`` as it stands.
    models
        Settings of further models, by name: baselines, and those written outside.

    Examples
    --------
    >>> recipe = Recipe(seed=3, transition={"decay": 0.7})
    >>> recipe.transition.decay
    0.7
    """

    target: str | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    repeats: bool = False
    cleaning: CleaningSettings = CleaningSettings()
    content: ContentSettings = ContentSettings()
    users: UserSettings = UserSettings()
    transition: TransitionSettings = TransitionSettings()
    sequence: Annotated[SequenceSettings, Field(validate_default=True)] = SequenceSettings()
    interests: InterestSettings = InterestSettings()
    queries: QuerySettings = QuerySettings()
    privacy: PrivacySettings = PrivacySettings()
    search: SearchSettings = SearchSettings()
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("sequence")
    @classmethod
    def _ranked(cls, sequence: SequenceSettings, info: ValidationInfo) -> SequenceSettings:
        """What lists may hold again is learned as what may come again, unless it is said."""
        if info.data.get("repeats") and sequence.repeats is None:
            return sequence.model_copy(update={"repeats": True})
        return sequence

    @classmethod
    def load(cls, path: str | Path | None = None, overrides: list[str] | None = None) -> "Recipe":
        """Read a recipe file, then apply overrides.

        Parameters
        ----------
        path
            A TOML file; default: the settings that suit most data.
        overrides
            Texts ``section.key=value``, applied in order.

        Returns
        -------
        Recipe
            The checked settings.

        Raises
        ------
        ConfigError
            For a file that cannot be read, an unknown setting, and a value that it cannot have.

        Examples
        --------
        >>> Recipe.load(overrides=["transition.decay=0.7", "seed=3"]).transition.decay
        0.7
        """
        data = {} if path is None else read_toml(path, "a recipe file")
        for override in overrides or []:
            assign(data, override)
        return parse(cls, data, str(path) if path else "the recipe")


def read_toml(path: str | Path, what: str) -> dict[str, Any]:
    """A TOML file as a mapping; ConfigError, which names ``what``, where it cannot be read."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"expected {what} at {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}; correct that line") from error


def parse(kind: type[S], data: Mapping[str, Any], where: str) -> S:
    """Validate a mapping as settings; ConfigError names the keys that are wrong."""
    try:
        return kind.model_validate(data)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error.__cause__


def assign(data: dict[str, Any], override: str) -> None:
    """Put ``section.key=value`` into nested settings; ConfigError where it is no such thing."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"expected --set key=value, received {override!r}")
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        value = text
    *path, last = key.split(".")
    for part in path:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {override}: {part} is a value, not a section")
    data[last] = value
