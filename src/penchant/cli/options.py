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


Database = Annotated[
    str | None,
    typer.Option(help="sqlite:///FILE or postgresql+psycopg://...; default: RUN.sqlite."),
]


Online = Annotated[
    bool, typer.Option("--online", help="By what a service showed and what was clicked.")
]


Data = Annotated[Path, typer.Argument(help="A DATA directory, as penchant ingest writes it.")]


Run = Annotated[Path, typer.Argument(help="A saved run, as penchant fit writes it.")]


Strict = Annotated[
    bool,
    typer.Option("--strict", help="No deep expert until the next fit, where users were forgotten."),
]


def default_database(run: Path) -> str:
    """The database of a run where none is named: a file beside it."""
    return f"sqlite:///{run.resolve().parent / (run.resolve().name + '.sqlite')}"


User = Annotated[str | None, typer.Option("--user", help="A user of the run.")]


History = Annotated[
    str | None, typer.Option("--history", help="Items, oldest first: a,b,c or a JSON list.")
]


Count = Annotated[int, typer.Option("-k", "--k", help="How many items.")]


def listed(history: str | None) -> list[str] | None:
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


Judged = Annotated[
    bool, typer.Option("--reorder", help="Measure re-ranking by a language model; kept in the run.")
]


ModelFile = Annotated[
    Path | None, typer.Option("--llm", help="A TOML file; default: PENCHANT_LLM_URL and _MODEL.")
]


Below = Annotated[
    int | None, typer.Option(help="With --reorder: users with fewer events than this; 5.")
]


Users = Annotated[int | None, typer.Option(help="With --reorder: how many are asked for; 300.")]


ReorderSets = Annotated[
    list[str] | None,
    typer.Option("--set", help="With --reorder: pool=20, shown=10, bound=11 or texts=true."),
]


Used = Annotated[
    bool, typer.Option("--reorder", help="In an order by a language model, where the run says so.")
]


RulesFile = Annotated[
    Path | None, typer.Option("--rules", help="Rules for the list, a TOML or JSON file.")
]


Diversity = Annotated[
    float | None, typer.Option(help="From 0, the ranking, to 1; mmr unless the rules say.")
]


Request = Annotated[
    str, typer.Option(help="Its identifier: with seed and user, it decides what is drawn.")
]


def rules_of(file: Path | None, diversity: float | None) -> "Rules | None":
    """The rules of the options; None where neither is given."""
    from penchant.recommendation.rerank import Rules

    if file is None and diversity is None:
        return None
    rules = Rules() if file is None else Rules.load(file)
    if diversity is None:
        return rules
    method = "mmr" if rules.method == "none" else rules.method
    asked = rules.model_dump() | {"method": method, "diversity": diversity}
    return parse(Rules, asked, "--diversity")


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


Sets = Annotated[
    list[str] | None, typer.Option("--set", help="Override a setting: section.key=value.")
]


KeyFile = Annotated[
    Path | None,
    typer.Option("--key", help="A secret key; default: PENCHANT_KEY_FILE, else your own settings."),
]


Pseudonyms = Annotated[
    Path | None,
    typer.Option("--pseudonyms", help="Keyed digests in the place of user ids: a key file."),
]


RecipeFile = Annotated[Path | None, typer.Option("--recipe", help="A TOML file of settings.")]


Epsilon = Annotated[
    float | None, typer.Option(help="Differential privacy: the budget; nothing is searched.")
]


Delta = Annotated[float, typer.Option(help="Beside epsilon; well below 1 / users.")]


Llm = Annotated[
    Path | None,
    typer.Option("--llm", help="A TOML file of a language model; else PENCHANT_LLM_URL and so on."),
]


InWords = Annotated[
    bool, typer.Option("--worded", help="As a language model says it, checked; or in plain words.")
]


def model_of(file: Path | None) -> LanguageModel | None:
    """The language model of a file or of the variables; None where neither names one."""
    from penchant.llm.client.openai_chat import chat_of

    return chat_of(file)
