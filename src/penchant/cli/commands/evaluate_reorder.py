"""The way of ``penchant evaluate --reorder``: whether a language model orders lists better."""

from pathlib import Path
from typing import Any

from penchant.cli.options import language_model
from penchant.cli.views.console import emit, working
from penchant.cli.views.rerank import show_rerank
from penchant.errors import ConfigError


def evaluate_reorder(
    run: Path,
    llm: Path | None,
    *,
    below: int | None,
    users: int | None,
    sets: list[str] | None,
    as_json: bool,
) -> None:
    """Evaluate re-ranking by a language model, save the result in the run, and print it.

    Raises
    ------
    ConfigError
        No model is configured, a setting is not known, or as
        ``penchant.llm.tasks.rerank_evaluation.judge_run``.
    """
    from penchant.config import assign, parse
    from penchant.llm.tasks.rerank import ReorderSettings
    from penchant.llm.tasks.rerank_evaluation import judge_run, save_outcome
    from penchant.recommendation import load

    values: dict[str, Any] = {} if below is None else {"below": below}
    for override in sets or []:
        assign(values, override)
    settings = parse(ReorderSettings, values, "--below and --set")
    if users is not None and users < 1:
        raise ConfigError(f"expected --users of at least 1, received {users}")
    model = language_model(llm)
    if model is None:
        raise ConfigError(
            "expected a language model to measure, received none; name it with --llm FILE, or with "
            "PENCHANT_LLM_URL and PENCHANT_LLM_MODEL"
        )
    with working(f"loading {run}") as progress:
        outcome = judge_run(load(run), model, settings, users=users or 300, progress=progress)
        save_outcome(run, outcome)
    emit({"run": str(run), **outcome.to_dict()}) if as_json else show_rerank(outcome)
