"""The way of ``penchant evaluate --online``: what a service showed, by what was clicked."""

from pathlib import Path

from penchant.cli.options import default_database
from penchant.cli.views.console import emit, working
from penchant.cli.views.online import show_online
from penchant.errors import ConfigError, MissingExtraError

_SQLITE = "sqlite:///"


def evaluate_online(run: Path, database: str | None, as_json: bool) -> None:
    """Print clicks by variant, and what a run would have earned on the explored positions.

    Raises
    ------
    ConfigError
        There is no database of a service.
    """
    try:
        from penchant.serve.service.online_evaluation import evaluate_online as evaluate_run_online
        from penchant.serve.store.store import Store
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "sqlalchemy", "serve") from error
    address = database or default_database(run)
    file = Path(address.removeprefix(_SQLITE))
    if address.startswith(_SQLITE) and not file.exists():
        raise ConfigError(
            f"expected the store of a service, received {file}, which does not exist; name it with "
            "--database"
        )
    store = Store(address)
    try:
        with working(f"reading {run} and its store"):
            content = {"run": str(run)} | evaluate_run_online(run, store).to_dict()
    finally:
        store.close()
    emit(content) if as_json else show_online(content)
