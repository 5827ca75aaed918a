"""One round: each client sends its statistics once, in the open or masked; the server adds them.

The sum of integers is that of all events at one place, bit for bit, and so is what is solved of it.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from flwr.app import RecordDict
from flwr.serverapp import Grid

from penchant.models.transition.statistics import Statistics
from penchant.privacy.federated import participants
from penchant.privacy.federated.agreement import Agreement, UInt64s
from penchant.privacy.federated.client import sums_of
from penchant.privacy.federated.participants import Check, DroppedClient, Participants
from penchant.privacy.federated.secure_aggregation import PublicKeys, ring, threshold_for, unmasked
from penchant.types import Ints


@dataclass(frozen=True)
class SumRound:
    """What a round of statistics gave.

    Attributes
    ----------
    event_counts
        Events of each item, (N,), of all clients whose statistics are in.
    statistics
        Of the same clients.
    sent
        Bytes of each client's answers.
    dropped
        Clients lost at any stage; at "shares" a client's masked statistics are in already.
    seconds
        Of the whole round.
    """

    event_counts: Ints
    statistics: Statistics
    sent: dict[str, int]
    dropped: tuple[DroppedClient, ...]
    seconds: float


def sum_round(grid: Grid, agreement: Agreement, timeout: float = 600.0) -> SumRound:
    """Add up the statistics of all clients, each of which the server sees.

    Parameters
    ----------
    grid
        Of the clients.
    agreement
        What all parties know.
    timeout
        Seconds after which a client that has not answered is dropped.

    Raises
    ------
    TrainingError
        Where no client is left.
    """
    began = time.perf_counter()
    clients = Participants(grid, timeout).discover()
    message = participants.config_message(agreement=agreement.to_json())
    total = np.zeros(agreement.cells, np.uint64)
    for _, answer in clients.ask(
        "train.sums", participants.broadcast(message), "sums", _sums(agreement, 1 << 62)
    ):
        total += sums_of(answer)
    return _result(clients, agreement, total, began)


def secure_sum_round(
    grid: Grid, agreement: Agreement, degree: int | None = None, timeout: float = 600.0
) -> SumRound:
    """Add up the statistics of all clients; the server sees the total alone.

    Parameters
    ----------
    grid
        Of the clients.
    agreement
        What all parties know.
    degree
        How many neighbors each client shares masks with; by default all others.
    timeout
        Seconds after which a client that has not answered is dropped.

    Raises
    ------
    ConfigError
        For fewer than three clients.
    TrainingError
        Where too many clients are lost.

    References
    ----------
    The protocol is that of ``secure_aggregation``.
    """
    began = time.perf_counter()
    clients = Participants(grid, timeout).discover()
    answers = clients.ask(
        "train.keys",
        participants.broadcast(participants.config_message()),
        "keys",
        _readable(_keys),
    )
    keys_of = {node: _keys(answer) for node, answer in answers}
    number = {node: place for place, node in enumerate(clients.nodes, 1)}
    graph = ring(len(number), degree)
    keys = {number[node]: keys_of[node] for node in number}
    threshold = min(threshold_for(neighbors) for neighbors in graph.values())

    def neighbors(node: int) -> RecordDict:
        public = {n: [keys[n].letters.hex(), keys[n].masks.hex()] for n in graph[number[node]]}
        return participants.config_message(
            number=number[node], threshold=threshold, keys=json.dumps(public)
        )

    def sealed(node: int, answer: RecordDict) -> str | None:
        addressed = {int(n) for n in _letters(answer)}
        return (
            None
            if addressed == set(graph[number[node]])
            else "letters to others than its neighbors"
        )

    answers = clients.ask("train.share", neighbors, "letters", sealed)
    letters = {number[node]: _letters(answer) for node, answer in answers}
    graph = {n: [other for other in graph[n] if other in letters] for n in letters}
    text = agreement.to_json()

    def forwarded(node: int) -> RecordDict:
        mine = number[node]
        own = {other: letters[other][str(mine)] for other in graph[mine]}
        return participants.config_message(agreement=text, letters=json.dumps(own))

    total, arrived = np.zeros(agreement.cells, np.uint64), []
    for node, answer in clients.ask("train.masked", forwarded, "masked sums", _sums(agreement)):
        total += sums_of(answer)
        arrived.append(number[node])
    came = participants.config_message(arrived=json.dumps(arrived))
    counted = [node for node in clients.nodes if number[node] in arrived]
    # who is lost from here on has its statistics in: neighbors open what hides them
    answers = clients.ask(
        "train.opened", participants.broadcast(came), "shares", _readable(_shares)
    )
    opened = {number[node]: _shares(answer) for node, answer in answers}
    total = unmasked(total, graph, keys, threshold, opened, arrived)
    return _result(clients, agreement, total, began, counted)


def _result(
    clients: Participants,
    agreement: Agreement,
    total: UInt64s,
    began: float,
    counted: list[int] | None = None,
) -> SumRound:
    event_counts, statistics = agreement.read(total)
    nodes = clients.nodes if counted is None else counted
    sent = {clients.names[node]: clients.sent[node] for node in nodes}
    seconds = time.perf_counter() - began
    return SumRound(event_counts, statistics, sent, tuple(clients.dropped), seconds)


def _sums(agreement: Agreement, below: int | None = None) -> Check:
    """Check a vector: its size, its type and, where it is no mask, its values."""

    def check(node: int, answer: RecordDict) -> str | None:
        arrays = participants.arrays_of(answer)
        wrong = participants.mismatch(arrays, {"sums": ((agreement.cells,), "uint64")})
        if wrong is None and below is not None and (arrays["sums"] >= below).any():
            return f"expected sums below {below}, received a larger one"
        return wrong

    return check


def _readable(read: Callable[[RecordDict], object]) -> Check:
    """Check that an answer can be read."""

    def check(node: int, answer: RecordDict) -> str | None:
        read(answer)
        return None

    return check


def _keys(answer: RecordDict) -> PublicKeys:
    letters, masks = (participants.config_value(answer, name) for name in ("letters", "masks"))
    if {len(letters), len(masks)} != {32}:
        raise ValueError("expected keys of 32 bytes")
    return PublicKeys(letters, masks)


def _letters(answer: RecordDict) -> dict[str, str]:
    letters: dict[str, str] = json.loads(participants.config_text(answer, "letters"))
    return {number: bytes.fromhex(letter).hex() for number, letter in letters.items()}


def _shares(answer: RecordDict) -> dict[int, bytes]:
    shares = json.loads(participants.config_text(answer, "shares"))
    return {int(number): bytes.fromhex(share) for number, share in shares.items()}
