"""The commands that fit and measure: fit, evaluate, benchmark."""

from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.data import Json, RecipeFile, Sets
from penchant.cli.online import Database, Online, evaluate_online
from penchant.cli.output import bar, emit, interval, number, say, table, working
from penchant.cli.private import Delta, Epsilon, show_private
from penchant.cli.private import fitted as private
from penchant.cli.reordered import Below, Judged, ModelFile, ReorderSets, Users, judge_run
from penchant.config import Recipe
from penchant.errors import ConfigError

Data = Annotated[Path, typer.Argument(help="A DATA directory, as penchant ingest writes it.")]
Run = Annotated[Path, typer.Argument(help="A saved run, as penchant fit writes it.")]


SHOWN = ("recall@10", "ndcg@10")


def add(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(fit)
    app.command()(evaluate)
    app.command()(benchmark)


def fit(
    data: Data,
    out: Annotated[Path, typer.Option(help="Where the run is saved.")],
    model: Annotated[
        str | None, typer.Option(help="Default: fusion with torch, else transition.")
    ] = None,
    epsilon: Epsilon = None,
    delta: Delta = 1e-6,
    recipe: RecipeFile = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Choose settings on validation, measure a twin on test, fit on all events, save."""
    from penchant.data.store import load
    from penchant.fitting import fit as run

    chosen = Recipe.load(recipe, sets)
    with working(f"loading {data}") as told:
        if epsilon is None:
            fitted = run(load(data), chosen, model=model, told=told)
        else:
            fitted = private(data, (epsilon, delta), model, chosen, told)
        told(f"saving {out}")
        fitted.save(out)
    content = {
        "run": str(out),
        "model": fitted.family,
        "settings": fitted.settings.model_dump(),
        **fitted.info,
    }
    if as_json:
        emit(content)
        return
    show_run(content)
    say(f"saved to {out}; next: penchant recommend {out} --user U")


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
    from penchant.model import load

    with working(f"loading {run}") as told:
        model = load(run)
        if report is not None:
            from penchant.report import report as page

            report.write_text(page(model, told=told), encoding="utf-8")
    content = {
        "run": str(run),
        "model": model.family,
        "settings": model.settings.model_dump(),
        **model.info,
    }
    if reliability is not None:
        from penchant.plots import reliability as drawn

        if not content.get("probabilities"):
            raise ConfigError(f"expected a run with probabilities to draw, received {run} without")
        reliability.write_text(drawn(content["probabilities"]), encoding="utf-8")
    if weights is not None:
        from penchant.plots import weighed

        if not content.get("weights"):
            raise ConfigError(f"expected a fusion, whose parts are weighed, received {run}")
        weights.write_text(weighed(content["weights"]), encoding="utf-8")
    if as_json:
        emit(content)
        return
    show_run(content)
    if report is not None:
        say(f"the report is in {report}; a browser opens it, without a network")


def benchmark(
    data: Data,
    models: Annotated[str | None, typer.Option(help="Comma-separated; default: all.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Default: the dataset's.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    refit: Annotated[
        bool, typer.Option(help="Add rows fitted with the validation event too.")
    ] = False,
    recipe: RecipeFile = None,
    sets: Sets = None,
    out: Annotated[Path | None, typer.Option(help="Write the JSON document here too.")] = None,
    as_json: Json = False,
) -> None:
    """Search, fit and measure each model on one split, beside published rows."""
    import json

    from penchant.benchmarking import benchmark as run
    from penchant.data.store import load

    chosen = Recipe.load(recipe, [f"seed={seed}", *(sets or [])])
    names = [name.strip() for name in models.split(",")] if models else None
    with working(f"loading {data}") as told:
        found = run(load(data), names, protocol=protocol, recipe=chosen, refit=refit, told=told)
    content = found.to_dict()
    if out is not None:
        text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        out.write_text(text, encoding="utf-8")
    emit(content) if as_json else show_benchmark(content)


def show_run(content: dict[str, Any]) -> None:
    """Print what a fit found."""
    say(f"model: {content['model']}")
    for name, value in content["settings"].items():
        say(f"  {name} = {value}")
    for note in content["notes"]:
        say(f"note: {note}")
    if content.get("content"):
        show_content(content["content"])
    if content.get("privacy"):
        show_private(content)
    evaluation = content.get("evaluation")
    if not evaluation:
        return
    rows = [(name, interval(entry)) for name, entry in evaluation["metrics"].items()]
    title = (
        f"The twin, fitted without the {evaluation['cases']:,} test cases "
        f"({evaluation['protocol']}), on these; mean and 95 % interval"
    )
    table(title, ("metric", "value"), rows)
    show_beside(content.get("baselines", {}))
    show_slices(content.get("slices", {}))
    for name, groups in content.get("groups", {}).items():
        show_groups(name, groups)
    if weights := content.get("weights"):
        show_weights(weights)
    if vectors := content.get("vectors"):
        show_vectors(vectors)
    for probabilities in content.get("probabilities", []):
        show_calibration(probabilities)


def show_content(found: dict[str, Any]) -> None:
    """Print what was read of the items, and what could not be."""
    rows = [
        (name, of["encoder"], f"{of['items']:,}", f"{of['unread']:,}", f"{of['seconds']:.1f}")
        for name, of in found.items()
    ]
    table("Items as they are", ("modality", "read by", "items", "unread", "s"), rows, left=2)
    for name, of in found.items():
        lines = [(one["item"], one["source"], one["reason"]) for one in of["examples"]]
        if lines:
            title = f"{name}: {len(lines)} of {of['unread']:,} items that could not be read"
            table(title, ("item", "source", "reason"), lines, left=3)


def show_beside(baselines: dict[str, Any]) -> None:
    """Print what simpler models do on the same cases, in a line each."""
    for name, of in baselines.items():
        less = of["less"]["ndcg@10"]
        low, value, high = (f"{less[bound]:+.4f}" for bound in ("low", "value", "high"))
        say(
            f"NDCG@10 of {name} on these: {interval(of['metrics']['ndcg@10'])}; the twin less "
            f"{name}, paired: {value} [{low}, {high}]"
        )


def show_slices(slices: dict[str, Any]) -> None:
    """Print the metrics of parts of the test cases."""
    named = {"history": "events of the history", "item": "training events of the true item"}
    rows = [
        (named.get(name, name), part, f"{of['cases']:,}", *map(interval, (of[m] for m in SHOWN)))
        for name, parts in slices.items()
        for part, of in parts.items()
    ]
    if rows:
        table("By parts of the test cases", ("by", "part", "cases", *SHOWN), rows, left=2)


def show_groups(name: str, groups: dict[str, Any]) -> None:
    """Print the metrics of each group of users by a protected attribute."""
    rows = [
        (group, f"{of['cases']:,}", interval(of["recall@10"]), interval(of["ndcg@10"]))
        for group, of in groups.items()
    ]
    table(f"By {name}, which the recipe opted in", (name, "cases", "recall@10", "ndcg@10"), rows)


def show_weights(found: dict[str, Any]) -> None:
    """Print what each part of a fusion weighs."""
    columns = zip(*found["effects"], strict=True)
    rows = [
        (name, *(f"{effect:+.2f}" for effect in effects))
        for name, effects in zip(found["features"], columns, strict=True)
    ]
    title = "How far a deviation of each part moves a score, by the events of the history"
    table(title, ("part", *found["lengths"]), rows)


def show_vectors(found: dict[str, Any]) -> None:
    """Print how far a user's vectors differ and what each finds alone."""
    recall = ", ".join(f"{value:.4f}" for value in found["recall@10"])
    collapse = "no user has two" if found["collapse"] is None else f"{found['collapse']:.3f}"
    say(
        f"{found['vectors']} vectors of a user, {found['active']:.2f} active in a list; mean "
        f"cosine of active ones (1 where they collapse): {collapse}"
    )
    say(
        f"Recall@10 of each vector alone: {recall}; of all their lists together: "
        f"{found['recall@10 together']:.4f}"
    )
    if found.get("agreement") is not None:
        say(
            "agreement of the vectors with the interests found in the events (adjusted Rand index; "
            f"1 alike, 0 by chance): {found['agreement']:.3f}"
        )


def show_calibration(found: dict[str, Any]) -> None:
    """Print how far the probabilities of a run can be trusted."""
    most = max((max(row["said"], row["happened"]) for row in found["reliability"]), default=0.0)
    rows = [
        (
            *(bar(row[name] / most if most else 0.0) for name in ("said", "happened")),
            f"{row['said']:.4f}",
            f"{row['happened']:.4f}",
            f"{row['pairs']:,}",
        )
        for row in found["reliability"]
    ]
    ahead = found["events_ahead"]
    following = "the next event" if ahead == 1 else f"the next {ahead:.3g} events"
    title = (
        f"Probability that one of the {found['listed']} best items is {following} of "
        f"{found['behavior']!r}; bins of equal mass"
    )
    table(title, ("said", "happened", "said", "happened", "pairs"), rows, left=2)
    skills = ("skill_over_base_rate", "skill_over_popularity")
    for name in skills:
        skill = found[name]
        say(
            f"Brier skill over {name.removeprefix('skill_over_').replace('_', ' ')}: "
            f"{skill['value']:.4f} [{skill['low']:.4f}, {skill['high']:.4f}]"
        )
    say(f"expected calibration error: {found['ece']:.4f}; log-loss {found['log_loss']:.4f}")
    for name, other in found.get("above", {}).items():
        if other["pairs"]:
            say(
                f"P({found['behavior']}) > P({name}) for {other['share']:.1%} of the "
                f"{other['pairs']:,} items among the {found['listed']} best of a user for both"
            )


def show_benchmark(content: dict[str, Any]) -> None:
    """Print a benchmark as one table, published rows among the others by NDCG@10."""
    shown = ("recall@10", "ndcg@10", "mrr@10", "accuracy", "coverage@10")
    lines: list[tuple[float, tuple[str, ...]]] = []
    for row in content["rows"]:
        metrics = row["metrics"]
        cells = tuple(
            interval(metrics[name], 4 if "@10" in name and "coverage" not in name else 3)
            for name in shown
        )
        rest = (
            number(row["fit_seconds"], 1),
            f"{row['search_seconds']:.0f} ({row['trials']})",
            f"{row['recommend_users_per_second']:,.0f}",
            f"{row['peak_mb']:,}",
        )
        lines.append((metrics["ndcg@10"]["value"], (row["model"], *cells, *rest)))
    for row in content["published"]:
        value = float(row["ndcg@10"] or "nan")
        sees = "" if row["sees content"] == "no" else f"; sees {row['sees content']}"
        sees += "".join(f";{more}" for more in row["protocol"].split(";")[1:])
        cells = (f"{row['model']} (published{sees})", row["recall@10"], row["ndcg@10"])
        lines.append((value, (*cells, *[""] * 7)))
    lines.sort(key=lambda line: -(line[0] if line[0] == line[0] else -1))
    columns = ("model", *shown, "fit s", "search s (trials)", "users/s", "peak MB")
    title = (
        f"{content['dataset']}, {content['protocol']}, full ranking, {content['cases']:,} cases, "
        f"seed {content['seed']}; mean and half of the 95 % interval"
    )
    table(title, columns, [cells for _, cells in lines])
    for row in content["rows"]:
        settings = ", ".join(f"{k} {v}" for k, v in row["settings"].items())
        say(f"{row['model']}: {settings or 'no settings'}")
    pairs = [content["paired"]] if content["paired"] else []
    for paired in pairs + [pair for pair in content["over_baselines"] if pair not in pairs]:
        d = paired["ndcg@10"]
        say(
            f"{paired['model']} less {paired['against']}, NDCG@10, paired: {d['value']:+.4f} "
            f"[{d['low']:+.4f}, {d['high']:+.4f}]"
        )
    for name, reason in content["skipped"].items():
        say(f"not run: {name}: {reason}")
    for note in content["notes"]:
        say(f"note: {note}")
