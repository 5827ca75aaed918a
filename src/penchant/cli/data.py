"""The commands that make data: demo and ingest."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.output import emit, say, working
from penchant.config import Recipe

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", help="Override a setting: section.key=value.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", help="A secret key; default: PENCHANT_KEY_FILE, else your own settings."),
]
Pseudonyms = Annotated[
    Path | None,
    typer.Option("--pseudonyms", help="Keyed digests in the place of user ids: a key file."),
]
RecipeFile = Annotated[Path | None, typer.Option("--recipe", help="A TOML file of settings.")]


def add(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(demo)
    app.command()(ingest)


def demo(
    out: Annotated[Path, typer.Option(help="Where the data and the run are written.")] = Path(
        "demo-out"
    ),
    users: Annotated[int, typer.Option(help="Users of the generated world.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it afterwards, console and all.")
    ] = False,
    port: Annotated[int, typer.Option(help="For --serve; 0 takes a free one.")] = 8000,
    as_json: Json = False,
) -> None:
    """Run the whole job on a generated world: clean, fit, evaluate, recover, explain."""
    from penchant.cli.scene import show
    from penchant.demo import demo as run

    with working("generating a world") as told:
        result = run(out, users=users, seed=seed, told=told)
    emit(result.to_dict()) if as_json else show(result)
    if serve:
        from penchant.cli.service import serve as served

        served(result.folder / "run", port=port, workers=1, open_=True)


def ingest(
    events: Annotated[Path, typer.Argument(help="Events: CSV, TSV, JSONL, Parquet or a folder.")],
    out: Annotated[Path, typer.Option(help="The DATA directory to write.")],
    items: Annotated[Path | None, typer.Option(help="Items: titles, tags, prices ...")] = None,
    users: Annotated[Path | None, typer.Option(help="Users and their attributes.")] = None,
    relations: Annotated[Path | None, typer.Option(help="Who follows whom.")] = None,
    impressions: Annotated[
        Path | None, typer.Option(help="What was shown to whom, and whether it was clicked.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="A TOML file of column names.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of text: utf-8, latin-1, gbk ...")] = None,
    strict: Annotated[bool, typer.Option(help="Make every finding an error.")] = False,
    pseudonyms: Pseudonyms = None,
    tombstones: Annotated[
        Path | None, typer.Option(help="Drop who was forgotten: a DATA directory, or its file.")
    ] = None,
    key: KeyFile = None,
    recipe: RecipeFile = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Read raw files, clean them, report what was found, and write a DATA directory."""
    from penchant.data.keyed import key_of
    from penchant.data.store import ingest as run
    from penchant.data.tombstones import read_tombstones

    settings = Recipe.load(recipe, sets).cleaning
    with working(f"reading {events}"):
        report = run(
            events,
            out,
            items=items,
            users=users,
            relations=relations,
            impressions=impressions,
            mapping=mapping,
            settings=settings,
            strict=strict,
            encoding=encoding,
            pseudonyms=None if pseudonyms is None else key_of(pseudonyms, say),
            tombstones=None if tombstones is None else read_tombstones(tombstones),
            key=None if key is None else key_of(key),
        )
    if as_json:
        emit({"out": str(out), **report.to_dict()})
        return
    for line in report.lines():
        say(line)
    say(f"written to {out}; next: penchant fit {out} --out RUN")
