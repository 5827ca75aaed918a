"""What a fit measured: settings, metrics, slices, weights, probabilities."""

from typing import Any

from penchant.cli.views.console import bar, interval, say, table

SHOWN = ("recall@10", "ndcg@10")


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


def show_private(content: dict[str, Any]) -> None:
    """Print the budget beside NDCG@10, and what the guarantee covers."""
    from penchant.privacy.differential.fit import in_words

    for line in in_words(content):
        say(line)
