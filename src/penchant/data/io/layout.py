"""The files of a DATA directory and what its dataset.toml may say."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import Field

from penchant.config import Settings
from penchant.data.readers.column_mapping import BehaviorSettings, Unit
from penchant.errors import DataError
from penchant.storage.database import Connection, export_parquet
from penchant.types import TimeKind

TABLES = ("events", "items", "users", "relations", "test")
"""What a dataset is made of; impressions stand beside it."""

FILES = (*TABLES, "impressions")


class DatasetSettings(Settings):
    """What dataset.toml says; what it leaves out is inferred.

    ``features`` names, for each modality of features.safetensors, the encoder that made it: it
    stands in saved runs, as does ``counted``, the columns that tell what an item is.
    """

    name: str | None = None
    time: TimeKind | None = None
    unit: Unit | None = None
    protocol: str | None = None
    target: str | None = None
    behaviors: dict[str, BehaviorSettings] = Field(default_factory=dict)
    features: dict[str, str] = Field(default_factory=dict)
    counted: tuple[str, ...] = ()


def write_directory(
    database: Connection, directory: Path, queries: dict[str, str], settings: DatasetSettings
) -> Path:
    """Write beside the directory's old files, then put each in place, the events last."""
    if "test" not in queries and (directory / "test.parquet").exists():
        raise DataError(
            f"{directory} holds a test.parquet that does not belong to these events; remove it or "
            "choose another directory"
        )
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=directory, prefix=".writing-") as place:
        for table, query in queries.items():
            export_parquet(database, query, Path(place) / f"{table}.parquet")
        (Path(place) / "dataset.toml").write_text(_toml(settings), encoding="utf-8")
        for table in reversed(FILES):
            if table in queries:
                (Path(place) / f"{table}.parquet").replace(directory / f"{table}.parquet")
            else:
                (directory / f"{table}.parquet").unlink(missing_ok=True)
        (Path(place) / "dataset.toml").replace(directory / "dataset.toml")
    return directory


def _toml(settings: DatasetSettings) -> str:
    # a JSON string of printable text is a TOML string
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key in ("name", "time", "unit", "protocol", "target")
        if (value := getattr(settings, key)) is not None
    ]
    if settings.counted:
        lines.append(f"counted = {json.dumps(settings.counted, ensure_ascii=False)}")
    for name, behavior in settings.behaviors.items():
        lines += [
            "",
            f"[behaviors.{json.dumps(name, ensure_ascii=False)}]",
            f"strength = {behavior.strength}",
            f"polarity = {behavior.polarity}",
        ]
    if settings.features:
        lines += ["", "[features]"]
        lines += [
            f"{json.dumps(name)} = {json.dumps(encoder, ensure_ascii=False)}"
            for name, encoder in settings.features.items()
        ]
    return "\n".join(lines) + "\n"
