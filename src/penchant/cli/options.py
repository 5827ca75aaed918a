"""Arguments and options that several commands share."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penchant.config import parse
from penchant.errors import ConfigError
from penchant.llm.client import LanguageModel

if TYPE_CHECKING:
    from penchant.recommendation.rerank import Rules

_KEY_PLACES = "PENCHANT_KEY_FILE, else ~/.config/penchant/key"
_LLM_PLACES = "PENCHANT_LLM_URL and PENCHANT_LLM_MODEL"

Data = Annotated[
    Path, typer.Argument(metavar="DATA", help="A DATA folder, as penchant ingest writes it.")
]

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A saved run, as penchant fit writes it.")]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document with every detail.")]

Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print the details too: settings, tables, notes.")
]

Force = Annotated[bool, typer.Option("--force", help="Replace what is at --out already.")]

Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Database of a service: sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.",
        show_default="RUN.sqlite beside the run",
    ),
]

UserDatabase = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="Database of a service too: sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.",
    ),
]

UserData = Annotated[
    Path | None,
    typer.Option("--data", metavar="DATA", help="The DATA folder that the run was fitted on, too."),
]

OneUser = Annotated[
    str, typer.Option("--user", metavar="ID", help="ID of a user, as the events have it.")
]

User = Annotated[
    str | None,
    typer.Option("--user", metavar="ID", help="ID of a user, as the events have it."),
]

History = Annotated[
    str | None,
    typer.Option(
        "--history",
        metavar="ITEMS",
        help="IDs of items instead of a user, oldest first, such as tea,cup; or a JSON list.",
    ),
]

Item = Annotated[
    str, typer.Option("--item", metavar="ID", help="ID of an item, as the events have it.")
]

Count = Annotated[int, typer.Option("-k", "--k", metavar="NUMBER", help="How many items to list.")]

Behavior = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Behavior to predict, such as buy.", show_default="the run's target"
    ),
]

Domain = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="List items of this domain only, such as books.", show_default="all"
    ),
]

RulesFile = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        metavar="FILE",
        help="Rules that lists keep, such as price limits: a TOML or JSON file.",
        show_default="no rules",
    ),
]

Diversity = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="How varied the list is, from 0 (by score alone) to 1 (as varied as can be).",
        show_default="as in --rules, else 0",
    ),
]

Request = Annotated[
    str,
    typer.Option(
        metavar="ID",
        help="Request ID; with the seed and the user it makes exploration reproducible.",
        show_default="empty",
    ),
]

Llm = Annotated[
    Path | None,
    typer.Option(
        "--llm",
        metavar="FILE",
        help="Settings of a language model, a TOML file with url and model.",
        show_default=_LLM_PLACES,
    ),
]

Worded = Annotated[
    bool,
    typer.Option(
        "--worded",
        help="Add sentences by the language model, checked against the facts; by fixed phrases "
        "where none is set.",
    ),
]

Reorder = Annotated[
    bool,
    typer.Option(
        "--reorder",
        help="Let the language model re-rank the list, if penchant evaluate --reorder found that "
        "it helps such users.",
    ),
]

EvaluateReorder = Annotated[
    bool,
    typer.Option(
        "--reorder",
        help="Evaluate re-ranking by a language model instead, and save the result in the run.",
    ),
]

ReorderBelow = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        help="With --reorder: re-rank for users with fewer events than this.",
        show_default="5",
    ),
]

ReorderUsers = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        help="With --reorder: on how many users it is evaluated.",
        show_default="300",
    ),
]

ReorderSets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="With --reorder: pool=20, shown=10, bound=11 or texts=true; may be repeated.",
    ),
]

RecipeFile = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        metavar="FILE",
        help="Settings of cleaning, models and search, a TOML file.",
        show_default="built-in settings",
    ),
]

Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Change one setting, such as search.budget=8; may be repeated.",
    ),
]

KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="Secret key that signs receipts; made where there is none.",
        show_default=_KEY_PLACES,
    ),
]

Pseudonyms = Annotated[
    Path | None,
    typer.Option(
        "--pseudonyms",
        metavar="FILE",
        help="Replace user IDs by pseudonyms made with this secret key; made where there is none.",
        show_default="IDs as they are",
    ),
]

Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="Where users were forgotten, serve no deep expert until the next fit."
    ),
]


def default_database(run: Path) -> str:
    """The database of a run where none is named: a file beside it."""
    return f"sqlite:///{run.resolve().parent / (run.resolve().name + '.sqlite')}"


def vacant(place: Path, force: bool, option: str = "--out") -> None:
    """Refuse a file or a folder that holds something already.

    Raises
    ------
    ConfigError
        There is something at ``place``, and ``force`` does not allow to replace it.
    """
    if not force and (place.is_file() or (place.is_dir() and any(place.iterdir()))):
        raise ConfigError(
            f"expected a new or empty {option}, received {place}, which exists already; name "
            "another, or replace it with --force"
        )


def history_items(history: str | None) -> list[str] | None:
    """The items of --history; a JSON list holds identifiers that have commas in them."""
    if history is None:
        return None
    if history.lstrip().startswith("["):
        try:
            items = json.loads(history)
        except ValueError:
            items = None
        if isinstance(items, list) and all(isinstance(item, str) for item in items):
            return items
        raise ConfigError(f"expected --history as a JSON list of texts, received {history}")
    return [item for item in history.split(",") if item]


def rules_from(file: Path | None, diversity: float | None) -> "Rules | None":
    """The rules of the options; None where neither is given."""
    from penchant.recommendation.rerank import Rules

    if file is None and diversity is None:
        return None
    rules = Rules() if file is None else Rules.load(file)
    if diversity is None:
        return rules
    method = "mmr" if rules.method == "none" else rules.method
    values = rules.model_dump() | {"method": method, "diversity": diversity}
    return parse(Rules, values, "--diversity")


def language_model(file: Path | None) -> LanguageModel | None:
    """The language model of a file or of the variables; None where neither names one."""
    from penchant.llm.client.openai_chat import chat_of

    return chat_of(file)
