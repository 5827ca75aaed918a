"""How a service runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ServiceSettings:
    """How a service runs.

    Parameters
    ----------
    runs
        Variant -> path of its run. A second variant serves ``share`` of the users, chosen by a
        hash of who asks.
    database
        The store: ``sqlite:///FILE`` or ``postgresql+psycopg://USER@HOST/NAME``.
    share
        Fraction of the users for the second variant.
    rules
        Rules of all lists, unless a request sets others.
    margin
        Fraction of NDCG@10 that a new artifact may lose.
    open
        Whether no API keys are needed; for this machine only.
    rate
        Requests a second of one key and worker; 0 for no limit.
    limit
        Bytes of a request body.
    timeout
        Seconds of a request.
    hosts
        Host names that are served; empty for any.
    since
        The change of the store after which published artifacts are loaded; default: the latest.
    key
        The file of the secret key that signs receipts; default: that of ``load_key``.
    llm
        The settings file of a language model; None generates all texts without one.
    patience
        Seconds that a request waits for the language model.

    Examples
    --------
    >>> ServiceSettings(runs={"main": "run"}, database="sqlite:///store.sqlite").share
    0.0
    """

    runs: Mapping[str, str]
    database: str
    share: float = 0.0
    rules: Mapping[str, Any] = field(default_factory=dict)
    margin: float = 0.1
    open: bool = False
    rate: float = 200.0
    limit: int = 1 << 20
    timeout: float = 30.0
    hosts: tuple[str, ...] = ()
    since: int | None = None
    key: str | None = None
    llm: str | None = None
    patience: float = 5.0
