"""Re-ranking by a language model on the command line: whether it helps, and lists with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penchant.cli.output import emit, interval, number, say, table, working
from penchant.errors import ConfigError

if TYPE_CHECKING:
    from penchant.data.dataset import Histories
    from penchant.language.reorder import Reordered
    from penchant.llm import LanguageModel
    from penchant.model import Model

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


def judge_run(
    run: Path,
    reorder: bool,
    asked: tuple[Path | None, int | None, int | None, list[str] | None],
    pages: tuple[Path | None, ...],
    as_json: bool,
) -> None:
    """Measure re-ranking by (model file, below, users, settings), keep it in the run, print it.

    Raises ConfigError where it was not asked for, where pages were asked for beside it, where no
    model is configured, and as ``penchant.language.judging.judge``.
    """
    from penchant.config import assign, parse
    from penchant.language.judging import judge, keep
    from penchant.language.reorder import ReorderSettings
    from penchant.model import load

    if not reorder or any(page is not None for page in pages):
        raise ConfigError(
            "expected --reorder, with --llm, --below, --users and --set or without, and no page or "
            "picture beside it; ask for these in a command of their own"
        )
    file, below, users, sets = asked
    chosen: dict[str, Any] = {} if below is None else {"below": below}
    for override in sets or []:
        assign(chosen, override)
    settings = parse(ReorderSettings, chosen, "--below and --set")
    if users is not None and users < 1:
        raise ConfigError(f"expected --users of at least 1, received {users}")
    llm = model_of(file)
    if llm is None:
        raise ConfigError(
            "expected a language model to measure, received none; name it with --llm FILE, or with "
            "PENCHANT_LLM_URL and PENCHANT_LLM_MODEL"
        )
    with working(f"loading {run}") as told:
        outcome = judge(load(run), llm, settings, users=users or 300, told=told)
        keep(run, outcome)
    emit({"run": str(run), **outcome}) if as_json else show_judged(outcome)


def model_of(file: Path | None) -> "LanguageModel | None":
    """The language model of a file or of the environment; None where neither names one."""
    from penchant.llm.chat import chat_of

    return chat_of(file)


def show_judged(found: dict[str, Any]) -> None:
    """Print what ``judge_run`` found."""
    below = found["settings"]["below"]
    who = f"{found['cases']:,} users with fewer than {below} events"
    if found["shortened"]:
        who = f"{found['cases']:,} users, cut to their latest {below - 1} events"
    rows = [
        (
            name,
            interval(found["without"][name]),
            interval(found["with"][name]),
            f"{of['value']:+.4f} [{of['low']:+.4f}, {of['high']:+.4f}]",
        )
        for name, of in found["less"].items()
    ]
    title = f"{found['model']} on {who} ({found['protocol']}); mean and 95 % interval"
    table(title, ("metric", "without", "with", "difference, paired"), rows)
    cost = found["cost"]
    own = ", ".join(f"{name} {value}" for name, value in found["settings"].items())
    say(f"settings: {own}")
    say(
        f"{cost['requests']:,} requests, {cost['cached']:,} kept from before; tokens: "
        f"{cost['read']:,} read, {cost['written']:,} written; {cost['seconds']:.1f} s of waiting; "
        f"cost {number(cost['money'])}"
    )
    dropped = [f"{found[name]:,} {name.replace('_', ' ')}" for name in ("invented", "repeated")]
    say(
        f"replies that failed: {found['failed']:,}; numbers dropped: {', '.join(dropped)}; items "
        f"left out: {found['left_out']:,}"
    )
    if found["wins"]:
        say("it wins, for the interval lies above 0: lists of such users are re-ranked")
    elif found["low"] > 0:
        say("too few cases to call it a win: lists stay as they are")
    else:
        say("it does not win, for the interval does not lie above 0: lists stay as they are")


def reordered_list(
    model: "Model", given: "Histories", asked: dict[str, Any], user: str | None, file: Path | None
) -> "Reordered":
    """The list of a user or a history, as ``Model.recommend`` takes it, with re-ranking."""
    from penchant.language.reorder import reordered, wanted

    llm, k = model_of(file), asked["k"]
    head = model.aimed(asked["behavior"])
    found = model.recommend(user, **asked | {"k": wanted(head, llm, k)})
    return reordered(found, head, given, llm, k)


def show_reordered(said: dict[str, Any]) -> None:
    """Print whether a model had a say in a list, or why not."""
    if said["used"]:
        say("note: the order is also by a language model; scores are the recommender's")
    for note in said["notes"]:
        say(f"note: {note}")
