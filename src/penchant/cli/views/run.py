"""What a fit measured: settings, metrics, slices, weights, probabilities."""

from typing import Any

from penchant.cli.views.console import bar, interval, say, table
from penchant.errors import counted

SHOWN = ("recall@10", "ndcg@10")


def show_run(content: dict[str, Any], verbose: bool) -> None:
    """Print how good a run's lists are in a sentence; with ``verbose`` all that was measured."""
    from penchant.report.verdict import verdict

    evaluation = content.get("evaluation")
    say(verdict(evaluation or {}, content.get("baselines", {})), "bold")
    say(f"model: {content['model']}")
    if verbose:
        for name, value in content["settings"].items():
            say(f"  {name} = {value}")
    for note in content["notes"]:
        say(f"note: {note}")
    if content.get("privacy"):
        show_private(content)
    if verbose:
        show_content(content.get("content") or {})
        if evaluation:
            show_evaluation(content, evaluation)
    else:
        _show_unread(content.get("content") or {})
        say("--verbose shows settings, all metrics, and for whom the lists are good")


def show_evaluation(content: dict[str, Any], evaluation: dict[str, Any]) -> None:
    """Print metrics, slices, weights and probabilities."""
    rows = [(name, interval(entry)) for name, entry in evaluation["metrics"].items()]
    title = (
        f"Evaluation on {counted(evaluation['cases'], 'test case')} ({evaluation['protocol']}) by "
        "a holdout model, fitted without them; mean and 95 % interval"
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


def _show_unread(content: dict[str, Any]) -> None:
    """Print how many items could not be read, where there are any."""
    for name, modality in content.items():
        if modality["unread"]:
            say(f"{name} of {counted(modality['unread'], 'item')} could not be read")


def show_content(content: dict[str, Any]) -> None:
    """Print what was read of the items' texts, images and sounds, and what could not be."""
    rows = [
        (
            name,
            modality["encoder"],
            f"{modality['items']:,}",
            f"{modality['unread']:,}",
            f"{modality['seconds']:.1f}",
        )
        for name, modality in content.items()
    ]
    if rows:
        columns = ("content", "encoder", "items", "unread", "s")
        table("Content of the items", columns, rows, left=2)
    for name, modality in content.items():
        lines = [(item["item"], item["source"], item["reason"]) for item in modality["examples"]]
        if lines:
            unread = counted(modality["unread"], "item")
            title = f"{name}: {len(lines)} of {unread} that could not be read"
            table(title, ("item", "source", "reason"), lines, left=3)


def show_beside(baselines: dict[str, Any]) -> None:
    """Print what simpler models do on the same test cases, in a line each."""
    for name, baseline in baselines.items():
        less = baseline["less"]["ndcg@10"]
        low, value, high = (f"{less[bound]:+.4f}" for bound in ("low", "value", "high"))
        say(
            f"NDCG@10 of {name} on the same: {interval(baseline['metrics']['ndcg@10'])}; the "
            f"model minus {name}, paired: {value} [{low}, {high}]"
        )


def show_slices(slices: dict[str, Any]) -> None:
    """Print the metrics of parts of the test cases."""
    labels = {"history": "events of the history", "item": "training events of the true item"}
    rows = [
        (
            labels.get(name, name),
            part,
            f"{values['cases']:,}",
            *(interval(values[metric]) for metric in SHOWN),
        )
        for name, parts in slices.items()
        for part, values in parts.items()
    ]
    if rows:
        table("By parts of the test cases", ("by", "part", "cases", *SHOWN), rows, left=2)


def show_groups(name: str, groups: dict[str, Any]) -> None:
    """Print the metrics of each group of users by a protected attribute."""
    rows = [
        (group, f"{values['cases']:,}", *(interval(values[metric]) for metric in SHOWN))
        for group, values in groups.items()
    ]
    table(f"By {name}, as the recipe asks", (name, "cases", *SHOWN), rows)


def show_weights(weights: dict[str, Any]) -> None:
    """Print what each part of a fusion weighs."""
    columns = zip(*weights["effects"], strict=True)
    rows = [
        (name, *(f"{effect:+.2f}" for effect in effects))
        for name, effects in zip(weights["features"], columns, strict=True)
    ]
    title = "How much each part changes a score (one standard deviation), by length of history"
    table(title, ("part", *weights["lengths"]), rows)


def show_vectors(vectors: dict[str, Any]) -> None:
    """Print how far a user's vectors differ and what each finds alone."""
    recall = ", ".join(f"{value:.4f}" for value in vectors["recall@10"])
    collapse = "no user has two" if vectors["collapse"] is None else f"{vectors['collapse']:.3f}"
    say(
        f"{counted(vectors['vectors'], 'vector')} for each user, {vectors['active']:.2f} active "
        f"in a list; mean cosine of active ones (1 if they are the same): {collapse}"
    )
    say(
        f"Recall@10 of each vector alone: {recall}; of all vectors together: "
        f"{vectors['recall@10 together']:.4f}"
    )
    if vectors.get("agreement") is not None:
        say(
            "agreement of the vectors with the interests found in the events (adjusted Rand index; "
            f"1 alike, 0 by chance): {vectors['agreement']:.3f}"
        )


def show_calibration(calibration: dict[str, Any]) -> None:
    """Print how far the probabilities of a run can be trusted."""
    bins = calibration["reliability"]
    most = max((max(row["said"], row["happened"]) for row in bins), default=0.0)
    rows = [
        (
            *(bar(row[name] / most if most else 0.0) for name in ("said", "happened")),
            f"{row['said']:.4f}",
            f"{row['happened']:.4f}",
            f"{row['pairs']:,}",
        )
        for row in bins
    ]
    ahead = calibration["events_ahead"]
    behavior = calibration["behavior"]
    following = (
        f"the next {behavior}" if ahead == 1 else f"among the next {ahead:.3g} of {behavior}"
    )
    title = f"Probability that one of the {calibration['listed']} best items is {following}"
    table(title, ("predicted", "observed", "predicted", "observed", "pairs"), rows, left=2)
    skills = ("skill_over_base_rate", "skill_over_popularity")
    for name in skills:
        skill = calibration[name]
        say(
            f"Brier skill over {name.removeprefix('skill_over_').replace('_', ' ')}: "
            f"{skill['value']:.4f} [{skill['low']:.4f}, {skill['high']:.4f}]"
        )
    say(
        f"expected calibration error: {calibration['ece']:.4f}; "
        f"log-loss {calibration['log_loss']:.4f}"
    )
    for name, other in calibration.get("above", {}).items():
        if other["pairs"]:
            say(
                f"{behavior} is more probable than {name} for "
                f"{other['share']:.1%} of {counted(other['pairs'], 'item')} among a user's "
                f"{calibration['listed']} best for both"
            )


def show_private(content: dict[str, Any]) -> None:
    """Print the budget beside NDCG@10, and what the guarantee covers."""
    from penchant.evaluation.fit_report import FitReport
    from penchant.privacy.differential.fit import summary_lines

    for line in summary_lines(FitReport.from_dict(content)):
        say(line)
