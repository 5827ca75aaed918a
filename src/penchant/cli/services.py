"""What a command needs of the service: its store, and its parts where they are installed."""

from typing import Any

from penchant.errors import MissingExtraError


def open_store(address: str) -> Any:
    """The store at an address, created where there is none."""
    from penchant.serve.store.store import Store

    return Store(address)


def service_parts() -> tuple[Any, Any]:
    """The settings of a service and the module that starts its workers."""
    try:
        from penchant.serve import workers
        from penchant.serve.settings import ServiceSettings
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "fastapi", "serve") from error
    return ServiceSettings, workers


def subject_access(address: str) -> Any:
    """The store of a service, which must be there already."""
    try:
        from penchant.serve.store.subject_access import SubjectAccess
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "sqlalchemy", "serve") from error
    return SubjectAccess.opened(address)
