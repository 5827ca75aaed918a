"""The command ``penchant evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.commands.evaluate_online import evaluate_online
from penchant.cli.commands.evaluate_reorder import evaluate_reorder
from penchant.cli.options import (
    Database,
    EvaluateReorder,
    Json,
    Llm,
    ReorderBelow,
    ReorderSets,
    ReorderUsers,
    Run,
    Verbose,
)
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.run import run_document, show_run
from penchant.errors import ConfigError


def evaluate(
    run: Run,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write everything as an HTML page with plots."),
    ] = None,
    reliability: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write an SVG plot of predicted against observed probabilities."
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write an SVG plot of what each part of a fusion weighs."
        ),
    ] = None,
    online: Annotated[
        bool,
        typer.Option("--online", help="Evaluate what a service showed by what was clicked."),
    ] = False,
    database: Database = None,
    reorder: EvaluateReorder = False,
    llm: Llm = None,
    below: ReorderBelow = None,
    users: ReorderUsers = None,
    sets: ReorderSets = None,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Show how good a run's lists are on events that were held out.

    They were measured when the run was fitted, by a model that never saw these events.

    Examples
    --------
    penchant evaluate run/
    penchant evaluate run/ --report report.html
    penchant evaluate run/ --online
    """
    files = any(file is not None for file in (reliability, weights, report))
    if online or database is not None:
        if not online or reorder or files:
            raise ConfigError(
                "expected --online, with --database or without, and no page or picture beside it; "
                "write these by a command of their own"
            )
        evaluate_online(run, database, as_json)
        return
    if reorder or any(value is not None for value in (llm, below, users, sets)):
        if not reorder or files:
            raise ConfigError(
                "expected --reorder, with --llm, --below, --users and --set or without, and no "
                "page or picture beside it; write these by a command of their own"
            )
        evaluate_reorder(run, llm, below=below, users=users, sets=sets, as_json=as_json)
        return
    from penchant.recommendation import load

    with working(f"loading {run}") as progress:
        model = load(run)
        if report is not None:
            from penchant.report import report as page

            report.write_text(page(model, progress=progress), encoding="utf-8")
    if reliability is not None:
        from penchant.report.plots import reliability as reliability_plot

        if not model.report.probabilities:
            raise ConfigError(f"expected a run with probabilities to draw, received {run} without")
        reliability.write_text(reliability_plot(model.report.probabilities), encoding="utf-8")
    if weights is not None:
        from penchant.report.plots import weights_plot

        if model.report.weights is None:
            raise ConfigError(f"expected a fusion, whose parts are weighed, received {run}")
        weights.write_text(weights_plot(model.report.weights), encoding="utf-8")
    if as_json:
        emit(run_document(run, model))
        return
    show_run(model, verbose)
    if report is not None:
        say(f"the report is in {report}; any browser opens it, without a network")
