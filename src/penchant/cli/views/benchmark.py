"""A benchmark: the verdict, a short table, and with details a long one."""

from typing import Any

from penchant.cli.views.console import interval, number, say, signed, table
from penchant.errors import counted
from penchant.evaluation.metrics import Interval
from penchant.storage.json_records import from_json

_SHORT = ("recall@10", "ndcg@10")
_LONG = ("recall@10", "ndcg@10", "mrr@10", "accuracy", "coverage@10")


def show_benchmark(content: dict[str, Any], verbose: bool) -> None:
    """Print who ranks best, and the metrics of each model; with ``verbose`` all of them."""
    from penchant.report.verdict import benchmark_verdict

    say(benchmark_verdict(content), "bold")
    title = (
        f"{content['dataset']}, {content['protocol']}, {counted(content['cases'], 'test case')}; "
        "mean and half of the 95 % interval"
    )
    if verbose:
        _show_all(content, title)
    else:
        rows = sorted(content["rows"], key=lambda row: -row["metrics"]["ndcg@10"]["value"])
        cells = [(row["model"], *(_interval(row["metrics"][m]) for m in _SHORT)) for row in rows]
        if rows:
            table(title, ("model", *_SHORT), cells)
    for name, reason in content["skipped"].items():
        say(f"not run: {name}: {reason}")
    for note in content["notes"]:
        say(f"note: {note}")
    if not verbose:
        say("--verbose shows settings, further metrics, times and published results")


def _show_all(content: dict[str, Any], title: str) -> None:
    """One table with published rows among the others by NDCG@10; settings and differences."""
    lines: list[tuple[float, tuple[str, ...]]] = []
    for row in content["rows"]:
        metrics = row["metrics"]
        cells = tuple(
            _interval(metrics[name], 4 if "@10" in name and "coverage" not in name else 3)
            for name in _LONG
        )
        costs = (
            number(row["fit_seconds"], 1),
            f"{row['search_seconds']:.0f} ({row['trials']})",
            f"{row['recommend_users_per_second']:,.0f}",
            f"{row['peak_mb']:,}",
        )
        lines.append((metrics["ndcg@10"]["value"], (row["model"], *cells, *costs)))
    for row in content["published"]:
        value = float(row["ndcg@10"] or "nan")
        differs = "" if row["sees content"] == "no" else f"; sees {row['sees content']}"
        differs += "".join(f";{part}" for part in row["protocol"].split(";")[1:])
        cells = (f"{row['model']} (published{differs})", row["recall@10"], row["ndcg@10"])
        lines.append((value, (*cells, *[""] * 7)))
    lines.sort(key=lambda line: -(line[0] if line[0] == line[0] else -1))
    columns = ("model", *_LONG, "fit s", "search s (trials)", "users/s", "peak MB")
    table(f"{title}; full ranking, seed {content['seed']}", columns, [cells for _, cells in lines])
    for row in content["rows"]:
        settings = ", ".join(f"{name} {value}" for name, value in row["settings"].items())
        say(f"{row['model']}: {settings or 'no settings'}")
    pairs = [content["paired"]] if content["paired"] else []
    for pair in pairs + [pair for pair in content["over_baselines"] if pair not in pairs]:
        difference = from_json(Interval, pair["ndcg@10"])
        say(
            f"NDCG@10 of {pair['model']} minus that of {pair['against']}, paired: "
            f"{signed(difference)}"
        )


def _interval(entry: dict[str, float | None], digits: int = 4) -> str:
    return interval(from_json(Interval, entry), digits)
