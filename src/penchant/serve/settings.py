"""How a service runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Settings:
    """How a service runs.

    runs     arm -> path of its artifact; the second has ``share`` of the users, by a hash of who
             asks
    rules    of all lists, where a request says nothing else
    margin   the part of NDCG@10 that a new artifact may lack
    open     no keys: for this machine alone
    rate     requests a second of one key and worker; 0 is no limit
    limit    bytes of a body, and ``timeout`` seconds of a request
    hosts    names that it answers under; none given, any
    key      the file of the secret key that signs receipts; none given, the default one
    llm      the settings of a language model; none given, all is said in plain words
    patience seconds that a request waits for it
    since    the change of the store from which on artifacts in it take over
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
