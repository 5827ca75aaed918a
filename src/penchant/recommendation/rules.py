"""The rules of a business as data: what may be listed, how varied, how fair, how adventurous."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from penchant.config import Settings, parse, read_toml
from penchant.config.plugins import Named
from penchant.errors import ConfigError

Cell = bool | int | float | str
Share = Annotated[float, Field(ge=0, le=1)]

_WORDS = re.compile(r"\s*(.+?)\s*(<=|>=|==|!=|<|>|\bin\b)\s*(.+?)\s*")


class Condition(Settings):
    """A condition on a column of the items; an item without a value fails it, whatever it is.

    Numbers compare as numbers, times as ISO text, everything else as text; what cannot be compared
    fails. Of a list, one element that is equal is enough.

    In a file it may stand as one text:

    >>> Condition.model_validate("price <= 20")
    Condition(column='price', op='<=', value=20)
    >>> Condition.model_validate('color in ["red", "blue"]').value
    ('red', 'blue')
    """

    column: str
    op: Literal["<", "<=", ">", ">=", "==", "!=", "in"]
    value: Cell | tuple[Cell, ...]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        if not isinstance(data, str):
            return data
        match = _WORDS.fullmatch(data)
        if match is None:
            raise ValueError('expected a condition such as "price <= 20"')
        column, op, value = match.groups()
        try:
            read = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            read = value
        usable = isinstance(read, bool | int | float | str | list)
        return {"column": column, "op": op, "value": read if usable else value}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if isinstance(self.value, tuple) != (self.op == "in"):
            raise ValueError("expected a list of values after in, and one value after any other")
        return self

    def __str__(self) -> str:
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return f"{self.column} {self.op} {value}"


class Rules(Settings):
    """What happens between a ranking and a list.

    The rules apply in the order in which they stand here, whatever the order of a file.

    Examples
    --------
    >>> from penchant import fit, from_columns
    >>> events = {"user": ["ann", "ann", "bo"], "item": ["tea", "cup", "tea"]}
    >>> model = fit(from_columns(**events, timestamp=[1, 2, 3]), model="transition")
    >>> [row.item for row in model.recommend("bo", rules=Rules(repeat={"event": True})).items]
    ['cup', 'tea']

    Notes
    -----
    1. Filters; an item must pass all of them.
       domain        items of one domain
       tags_any      items with at least one of these tags
       tags_none     items with none of these
       allow, deny   items by identifier: no others, and never these
       where         conditions on columns, such as "price <= 20"
       available_at  "now" or an ISO time (UTC unless it says): items from their ``available_from``
                     on and before their ``available_until`` (a date without a time is included);
                     without a bound there is none, and a bound that cannot be read is not met
    2. Seen items.
       repeat        by behavior: an item stays out where any of its events in the history is of
                     a behavior that may not repeat; for behaviors not named, the recipe's
                     ``repeats`` holds
    3. Collapse: of several that are one to a customer, the best by rank stays.
       collapse      column that names an item's group or, as ``variant_of``, the item that it is
                     a variant of
       near          from which cosine of content on two items are one; equal titles of a domain
                     are too, and with "title" these alone
    4. Selection, greedy, among the ``pool`` best that are left.
       method        "none", "mmr" or "dpp"
       diversity     the dial of the method, from 0, which leaves the ranking exactly as it is
       quota         from 0 to 1, how much the list holds to the user's interests
       cap           at most so many items for each value of a column, in the whole list
       pool          how many are selected from; where they do not fill the list, it goes on by rank
    5. Exploration.
       explore       places of the list that are chosen at random; fewer where candidates are few
       explore_at    these places, from 1; default: random too
       explore_among how many of the next candidates they are chosen from
       explore_by    "uniform", or "softmax" of relevance / ``temperature``
       seed          of the choices, with the user and the request
    6. Re-rankers written outside, one after the other.
       rerankers     entry points of ``penchant.rerankers``, "package.module:Name", or in Python the
                     objects; see ``penchant.recommendation.rerank.outside_rerankers``
    """

    domain: str | None = None
    tags_any: tuple[str, ...] = ()
    tags_none: tuple[str, ...] = ()
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    available_at: str | None = None
    repeat: dict[str, bool] = Field(default_factory=dict)
    collapse: str | None = None
    near: Annotated[float, Field(gt=0, le=1)] | Literal["title"] | None = None
    method: Literal["none", "mmr", "dpp"] = "none"
    diversity: Share = 0.0
    quota: Share = 0.0
    cap: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    pool: Annotated[int, Field(ge=1, le=5000)] = 200
    explore: Annotated[int, Field(ge=0)] = 0
    explore_at: tuple[Annotated[int, Field(ge=1)], ...] = ()
    explore_among: Annotated[int, Field(ge=1)] = 50
    explore_by: Literal["uniform", "softmax"] = "uniform"
    temperature: Annotated[float, Field(ge=0.01, le=100)] = 0.2
    seed: Annotated[int, Field(ge=0)] = 0
    rerankers: tuple[Named, ...] = ()

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.diversity > 0 and self.method == "none":
            raise ValueError('expected method = "mmr" or "dpp" beside diversity above 0')
        if self.explore_at and len(set(self.explore_at)) != self.explore:
            raise ValueError(
                f"expected as many different places in explore_at as explore says, {self.explore}"
            )
        if self.explore_among < self.explore:
            raise ValueError(f"expected explore_among of at least explore, {self.explore}")
        return self

    @classmethod
    def of(cls, rules: "RulesLike") -> Self:
        """Make rules of a mapping of their settings, or of a file; rules stay as they are.

        Parameters
        ----------
        rules
            ``Rules``, a mapping, or the path of a TOML or JSON file.

        Returns
        -------
        Rules
            The checked rules.

        Raises
        ------
        ConfigError
            For a file that cannot be read, an unknown setting, and a value that it cannot have.

        Examples
        --------
        >>> Rules.of({"tags_none": ["horror"]}).tags_none
        ('horror',)
        """
        if isinstance(rules, cls):
            return rules
        if isinstance(rules, str | Path):
            return cls.load(rules)
        return parse(cls, dict(rules), "rules")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read rules from a TOML file, or from JSON where the name ends in ``.json``.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        Rules
            The checked rules.

        Raises
        ------
        ConfigError
            Where it cannot be read, and for a key that is not known.

        Examples
        --------
        >>> Rules.load("rules.toml").cap  # doctest: +SKIP
        {'brand': 2}
        """
        if Path(path).suffix.lower() != ".json":
            return parse(cls, read_toml(path, "a file of rules"), str(path))
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise ConfigError(f"expected a file of rules at {path}: {error.strerror}") from error
        except ValueError as error:
            raise ConfigError(f"{path} is not JSON: {error}; correct that line") from error
        return parse(cls, data, str(path))


RulesLike = Rules | Mapping[str, Any] | str | Path
"""Rules, a mapping of their settings, or the path of a file of them."""
