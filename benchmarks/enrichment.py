"""What it costs to have a language model describe the items of a catalogue.

    python benchmarks/enrichment.py DATA --items 1000 --out benchmarks/results/enrichment.json \
        [--serve | --llm FILE]

The first run asks the model about every item; the second does so again, its file taken away, and
is answered from the cache of replies; the third finds the file and keeps its rows. ``--serve``
starts the small model of the tests on loopback: it says what tokens and seconds such a run takes,
and nothing of how well a model describes.
"""

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local_model import NAME, serving
from penchant.data.io.enrichment import FILE
from penchant.llm.client.openai_chat import chat_of
from penchant.llm.tasks.enrich_items import EnrichmentReport, enrich

COLUMNS = ("items", "kept", "failed", "requests", "cached", "read", "written", "seconds", "an item")
_TABLES = ("events", "items", "users", "relations", "test")


def copied(data: Path, folder: Path) -> Path:
    """The tables of a DATA directory in a folder of one's own, where a file may be written."""
    folder.mkdir()
    for name in [*(f"{table}.parquet" for table in _TABLES), "dataset.toml"]:
        if (data / name).is_file():
            (folder / name).symlink_to((data / name).resolve())
    return folder


def row(report: EnrichmentReport) -> dict[str, Any]:
    """What a run took: tokens as the service counts them, seconds with the reading of the data."""
    made = report.done + len(report.failed)
    spent = report.spent
    return {
        "items": report.items,
        "done": report.done,
        "kept": report.kept,
        "failed": len(report.failed),
        "stopped": report.stopped,
        "dropped": report.dropped,
        "cut": report.cut,
        **asdict(spent),
        "waited": round(spent.seconds, 2),
        "seconds": round(report.seconds, 2),
        "an item": round(report.seconds / max(1, report.items), 3),
        "read an item": round(spent.read / max(1, made), 1),
        "written an item": round(spent.written / max(1, made), 1),
    }


def measured(data: Path, llm: Path | None, items: int) -> dict[str, dict[str, Any]]:
    """The three runs, in a folder of their own."""
    rows = {}
    for name in ("first run", "file deleted", "resumed"):
        if name == "file deleted":
            (data / FILE).unlink()
        model = chat_of(llm)
        if model is None:
            raise SystemExit("expected --serve, --llm FILE or PENCHANT_LLM_URL; received none")
        concurrent = model.settings.concurrent
        report = enrich(data, model, items=items, concurrent=concurrent, progress=told)
        rows[name] = row(report) | {"model": model.name}
        if report.stopped:
            raise SystemExit(f"{name}: {report.stopped}")
    return rows


def told(*said: Any) -> None:
    """Progress in words."""
    if isinstance(said[0], str):
        print(said[0], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="What enriching a catalogue costs.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--llm", type=Path)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with TemporaryDirectory() as place:
        os.environ["PENCHANT_CACHE"] = str(Path(place) / "cache")  # the first run finds nothing
        data = copied(asked.data, Path(place) / "data")
        if asked.serve:
            with serving(Path(place), asked.threads) as llm:
                rows = measured(data, llm, asked.items)
        else:
            rows = measured(data, asked.llm, asked.items)
    model = NAME if asked.serve else next(iter(rows.values()))["model"]
    print(f"\n{asked.data.name}, {model}\n")
    print(" | ".join(("run", *COLUMNS)))
    for name, one in rows.items():
        print(" | ".join((name, *(f"{one[column]:,}" for column in COLUMNS))))
    if asked.out:
        found = {"data": asked.data.name, "model": model, "rows": rows}
        asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
