"""The command ``penchant serve``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Database, KeyFile, RulesFile, Run, default_database
from penchant.cli.services import open_store, service_parts
from penchant.cli.views.console import say


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
    settings_of, started = service_parts()
    from penchant.privacy.erasure.unlearn import notice_of
    from penchant.recommendation.rerank import Rules
    from penchant.storage.artifact import read_manifest
    from penchant.storage.signing_key import key_of

    key_of(secret, say)
    address = database or default_database(run)
    store = open_store(address)
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
    if (flag := notice_of(read_manifest(run)["info"])) is not None:
        say(f"note: {flag}")

    def ready(port: int) -> None:
        say(f"serving {run} at http://{host}:{port} with {workers} workers; Ctrl-C ends it")
        say(f"events are kept in {address.rsplit('@', 1)[-1]}")
        if key is not None:
            say(f"a key for everything, told this once: {key}")
        say(f"console: http://{host}:{port}/  addresses: http://{host}:{port}/docs")

    started.serve(settings, host, port, workers, ready)
