"""The command ``penchant evaluate``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.options import (
    Below,
    Database,
    Json,
    Judged,
    ModelFile,
    Online,
    ReorderSets,
    Run,
    Users,
    model_of,
)
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.online import show_online
from penchant.cli.views.rerank import show_judged
from penchant.cli.views.run import show_run
from penchant.errors import ConfigError, MissingExtraError

_SQLITE = "sqlite:///"


def evaluate_online(run: Path, database: str | None, as_json: bool) -> None:
    """Print clicks by arm, and what a run would have earned on the places that were drawn.

    Raises ConfigError where there is no store.
    """
    try:
        from penchant.serve.service.online_evaluation import online
        from penchant.serve.store.store import Store
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "sqlalchemy", "serve") from error
    from penchant.cli.options import default_database

    address = database or default_database(run)
    file = Path(address.removeprefix(_SQLITE))
    if address.startswith(_SQLITE) and not file.exists():
        raise ConfigError(
            f"expected the store of a service, received {file}, which is not there; name it with "
            "--database"
        )
    store = Store(address)
    try:
        with working(f"reading {run} and its store"):
            content = {"run": str(run)} | online(run, store).to_dict()
    finally:
        store.close()
    emit(content) if as_json else show_online(content)


def evaluate(
    run: Run,
    reliability: Annotated[
        Path | None, typer.Option(help="An SVG: probabilities against what happened.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="An SVG: what each part of a fusion weighs.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="An HTML page: all of it, for a person, with plots.")
    ] = None,
    online: Online = False,
    database: Database = None,
    reorder: Judged = False,
    llm: ModelFile = None,
    below: Below = None,
    users: Users = None,
    sets: ReorderSets = None,
    as_json: Json = False,
) -> None:
    """Show what a twin fitted without the test events did on them; --online: what was clicked."""
    if online or database is not None:
        if not online or reorder or any(of is not None for of in (reliability, weights, report)):
            raise ConfigError(
                "expected --online, with --database or without, and no page or picture beside it; "
                "ask for these in a command of their own"
            )
        evaluate_online(run, database, as_json)
        return
    if reorder or any(of is not None for of in (llm, below, users, sets)):
        judge_run(run, reorder, (llm, below, users, sets), (reliability, weights, report), as_json)
        return
    from penchant.recommendation import load

    with working(f"loading {run}") as progress:
        model = load(run)
        if report is not None:
            from penchant.report import report as page

            report.write_text(page(model, progress=progress), encoding="utf-8")
    content = {
        "run": str(run),
        "model": model.family,
        "settings": model.settings.model_dump(),
        **model.info,
    }
    if reliability is not None:
        from penchant.report.plots import reliability as drawn

        if not content.get("probabilities"):
            raise ConfigError(f"expected a run with probabilities to draw, received {run} without")
        reliability.write_text(drawn(content["probabilities"]), encoding="utf-8")
    if weights is not None:
        from penchant.report.plots import weighed

        if not content.get("weights"):
            raise ConfigError(f"expected a fusion, whose parts are weighed, received {run}")
        weights.write_text(weighed(content["weights"]), encoding="utf-8")
    if as_json:
        emit(content)
        return
    show_run(content)
    if report is not None:
        say(f"the report is in {report}; a browser opens it, without a network")


def judge_run(
    run: Path,
    reorder: bool,
    asked: tuple[Path | None, int | None, int | None, list[str] | None],
    pages: tuple[Path | None, ...],
    as_json: bool,
) -> None:
    """Measure re-ranking by (model file, below, users, settings), keep it in the run, print it.

    Raises ConfigError where it was not asked for, where pages were asked for beside it, where no
    model is configured, and as ``penchant.llm.tasks.rerank_evaluation.judge``.
    """
    from penchant.config import assign, parse
    from penchant.llm.tasks.rerank import ReorderSettings
    from penchant.llm.tasks.rerank_evaluation import judge, keep
    from penchant.recommendation import load

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
    with working(f"loading {run}") as progress:
        outcome = judge(load(run), llm, settings, users=users or 300, progress=progress)
        keep(run, outcome)
    emit({"run": str(run), **outcome}) if as_json else show_judged(outcome)
