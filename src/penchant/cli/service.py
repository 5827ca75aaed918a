"""The commands of the service, and what brings its run up to date."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from penchant.cli.data import Json, KeyFile
from penchant.cli.models import Run
from penchant.cli.online import Database
from penchant.cli.output import emit, say, table, working
from penchant.cli.ruled import RulesFile
from penchant.errors import ConfigError, MissingExtraError

Strict = Annotated[
    bool,
    typer.Option("--strict", help="No deep expert until the next fit, where users were forgotten."),
]


def add(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (serve, keys, mcp):
        app.command()(command)


def serve(
    run: Run,
    database: Database = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes, a core each.")] = 2,
    other: Annotated[Path | None, typer.Option(help="A second run, to compare with.")] = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="Of users, for --other.")] = 0.5,
    rules_file: RulesFile = None,
    margin: Annotated[
        float, typer.Option(min=0, max=1, help="NDCG@10 that a new artifact may lose, relative.")
    ] = 0.1,
    rate: Annotated[float, typer.Option(min=0, help="Requests/s of a key; 0: any.")] = 200.0,
    open_: Annotated[bool, typer.Option("--open", help="No keys, for this machine alone.")] = False,
    secret: KeyFile = None,
    llm: Annotated[
        Path | None, typer.Option(help="A TOML file of a language model; none: plain words.")
    ] = None,
    patience: Annotated[
        float, typer.Option(min=0.1, help="Seconds that a request waits for --llm.")
    ] = 5.0,
) -> None:
    """Serve a run over HTTP: events count at once; a console at /."""
    settings_of, started = _service()
    from penchant.artifact import read_manifest
    from penchant.data.keyed import key_of
    from penchant.privacy.forgetting import said
    from penchant.rerank import Rules

    key_of(secret, say)
    address = database or default_database(run)
    store = _store(address)
    rules = Rules() if rules_file is None else Rules.load(rules_file)
    key = None if open_ else started.first_key(store)
    store.close()
    runs = {"main": str(run)} | ({} if other is None else {"other": str(other)})
    settings = settings_of(
        runs=runs,
        database=address,
        share=share if other is not None else 0.0,
        rules=rules.model_dump(exclude_unset=True),
        margin=margin,
        open=open_,
        rate=rate,
        key=None if secret is None else str(secret),
        llm=None if llm is None else str(llm),
        patience=patience,
    )
    if (flag := said(read_manifest(run)["info"])) is not None:
        say(f"note: {flag}")

    def ready(port: int) -> None:
        say(f"serving {run} at http://{host}:{port} with {workers} workers; Ctrl-C ends it")
        say(f"events are kept in {address.rsplit('@', 1)[-1]}")
        if key is not None:
            say(f"a key for everything, told this once: {key}")
        say(f"console: http://{host}:{port}/  addresses: http://{host}:{port}/docs")

    started.serve(settings, host, port, workers, ready)


def keys(
    run: Annotated[Path | None, typer.Argument(help="The run whose store has the keys.")] = None,
    database: Database = None,
    new: Annotated[str | None, typer.Option("--add", help="Make a key of this name.")] = None,
    scopes: Annotated[str, typer.Option(help="read,write,admin: what it opens.")] = "read",
    revoke: Annotated[str | None, typer.Option(help="End the key of this id.")] = None,
    as_json: Json = False,
) -> None:
    """List, make and revoke the API keys of a service."""
    _service()
    from penchant.serve.keys import Keys

    if run is None and database is None:
        raise ConfigError("expected a RUN or --database")
    of = Keys(_store(database or default_database(run or Path())))
    made = of.add(new, set(filter(None, scopes.split(",")))) if new is not None else None
    if revoke is not None:
        of.revoke(revoke)
    listed: list[dict[str, Any]] = [
        {**key._asdict(), "scopes": sorted(key.scopes)} for key in of.listed()
    ]
    if as_json:
        emit({"key": made, "keys": listed})
        return
    rows = [
        (key["id"], key["name"], ", ".join(key["scopes"]), "revoked" if key["revoked"] else "")
        for key in listed
    ]
    table("Keys", ("id", "name", "scopes", ""), rows, left=4)
    if made is not None:
        say(f"told this once: {made}")


def mcp(
    run: Run,
    user: Annotated[str, typer.Option(help="The one person that it acts for.")],
    database: Database = None,
    rules_file: RulesFile = None,
) -> None:
    """Serve one user's lists and interests to a language model: MCP over stdio."""
    try:
        from penchant.serve.mcp import serve as started
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "mcp", "mcp,serve") from error
    from penchant.rerank import Rules

    rules = Rules() if rules_file is None else Rules.load(rules_file)
    asked = rules.model_dump(exclude_unset=True)
    started(run, user, database or default_database(run), asked)


def refresh(
    run: Path,
    database: str,
    every: float | None,
    as_json: bool,
    key: Path | None = None,
    strict: bool = False,
) -> None:
    """Take what came into a store into its run, once or again and again; workers follow."""
    _service()
    from penchant.data.keyed import key_of
    from penchant.serve.refresh import refresh as refreshed

    secret = key_of(key, say if not as_json else None)
    store = _store(database)
    while True:
        with working(f"reading {run} and its store") as told:
            found = refreshed(run, store, told=told, key=secret, strict=strict)
        if as_json:
            emit({"run": str(run), **found.to_dict()})
        else:
            added, gone = found.added, found.forgotten
            say(
                f"{added.events if added else 0:,} events, {added.items if added else 0:,} new "
                f"items, {gone.users if gone else 0:,} users forgotten; solved again: "
                f"{sum(one.solved for one in (added, gone) if one):,} columns"
            )
            if found.receipt is not None:
                say(f"a signed receipt of who was forgotten: {json.dumps(found.receipt)}")
            for one in (added, gone):
                if one is not None:
                    say(f"as a new fit would have them: {', '.join(one.exact)}")
                    say(f"until the next fit as they were: {', '.join(one.left)}")
                    break
        if every is None:
            return
        time.sleep(every)


def default_database(run: Path) -> str:
    """The database of a run where none is named: a file beside it."""
    return f"sqlite:///{run.resolve().parent / (run.resolve().name + '.sqlite')}"


def _store(address: str) -> Any:
    from penchant.serve.store import Store

    return Store(address)


def _service() -> tuple[Any, Any]:
    try:
        from penchant.serve import run as started
        from penchant.serve.settings import Settings
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "fastapi", "serve") from error
    return Settings, started
