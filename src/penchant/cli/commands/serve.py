"""The command ``penchant serve``."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli.options import Database, KeyFile, RulesFile, Run, default_database
from penchant.cli.services import open_store, service_parts
from penchant.cli.views.console import say
from penchant.errors import counted


def serve(
    run: Run,
    database: Database = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; 0.0.0.0 for other machines.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="NUMBER", help="Port to listen on; 0 takes a free one.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option(metavar="NUMBER", min=1, help="Worker processes; each uses one core.")
    ] = 2,
    other: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A second run, to compare with in an A/B test."),
    ] = None,
    share: Annotated[
        float,
        typer.Option(
            metavar="NUMBER", min=0, max=1, help="With --other: share of users who get its lists."
        ),
    ] = 0.5,
    rules_file: RulesFile = None,
    margin: Annotated[
        float,
        typer.Option(
            metavar="NUMBER",
            min=0,
            max=1,
            help="A new run is refused if its NDCG@10 is lower by more than this share.",
        ),
    ] = 0.1,
    rate: Annotated[
        float,
        typer.Option(
            metavar="NUMBER", min=0, help="Requests per second that a key may make; 0: any number."
        ),
    ] = 200.0,
    open_: Annotated[
        bool, typer.Option("--open", help="Ask for no API key; for this machine alone.")
    ] = False,
    secret: KeyFile = None,
    llm: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Settings of a language model that writes texts, a TOML file.",
            show_default="none: fixed phrases",
        ),
    ] = None,
    patience: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0.1, help="How long a request waits for the model of --llm."
        ),
    ] = 5.0,
) -> None:
    """Serve a run over HTTP, with a web console.

    New events count at once. Events are stored in the database, and the web console is at /.

    Examples
    --------
    penchant serve run/
    penchant serve run/ --database postgresql+psycopg://shop@db/penchant --workers 4
    """
    settings_type, workers_module = service_parts()
    from penchant.evaluation.fit_report import FitReport
    from penchant.privacy.erasure.unlearn import notice
    from penchant.recommendation.rerank import Rules
    from penchant.storage.artifact import read_manifest
    from penchant.storage.signing_key import load_key

    load_key(secret, say)
    address = database or default_database(run)
    store = open_store(address)
    rules = Rules() if rules_file is None else Rules.load(rules_file)
    key = None if open_ else workers_module.first_key(store)
    store.close()
    runs = {"main": str(run)} | ({} if other is None else {"other": str(other)})
    settings = settings_type(
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
    if (flag := notice(FitReport.from_dict(read_manifest(run)["info"]))) is not None:
        say(f"note: {flag}")

    def ready(port: int) -> None:
        url = f"http://{host}:{port}"
        say(f"serving {run} at {url} with {counted(workers, 'worker')}; Ctrl-C ends it")
        say(f"events are stored in {address.rsplit('@', 1)[-1]}")
        if key is not None:
            say(f"API key with all rights, shown only once: {key}")
        say(f"console: {url}/  API: {url}/docs")

    workers_module.serve(settings, host, port, workers, ready)
