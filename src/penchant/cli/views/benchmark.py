"""A benchmark as a table."""

from typing import Any

from penchant.cli.views.console import interval, number, say, table


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
