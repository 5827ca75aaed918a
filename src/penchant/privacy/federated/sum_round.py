"""One round: each client sends its sums once, in the open or masked, and the server adds them up.

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
from penchant.privacy.federated.agreement import Terms, Words
from penchant.privacy.federated.client import words
from penchant.privacy.federated.participants import Check, Dropped, Roll
from penchant.privacy.federated.secure_aggregation import Keys, least, ring, unmasked
from penchant.types import Ints


@dataclass(frozen=True)
class Summed:
    """What a round of sums gave.

    met, statistics   of the events of all clients whose sums are in
    sent              bytes of each of them
    dropped           those lost at any stage; at "shares" a client's masked sums are in already
    """

    met: Ints
    statistics: Statistics
    sent: dict[str, int]
    dropped: tuple[Dropped, ...]
    seconds: float


def summed(grid: Grid, terms: Terms, timeout: float = 600.0) -> Summed:
    """Sums of all clients, each seen by the server.

    Raises TrainingError where no client is left.
    """
    began = time.perf_counter()
    present = Roll(grid, timeout).call()
    message = participants.told(terms=terms.to_json())
    total = np.zeros(terms.cells, np.uint64)
    for _, answer in present.ask(
        "train.sums", participants.same(message), "sums", _sums(terms, 1 << 62)
    ):
        total += words(answer)
    return _found(present, terms, total, began)


def summed_secretly(
    grid: Grid, terms: Terms, degree: int | None = None, timeout: float = 600.0
) -> Summed:
    """Sums of all clients, of which the server sees the total alone; see ``masking``.

    ``degree`` is how many neighbors each client shares masks with (default: all others).
    Raises ConfigError for fewer than three clients, TrainingError where too many are lost.
    """
    began = time.perf_counter()
    present = Roll(grid, timeout).call()
    asked = present.ask(
        "train.keys", participants.same(participants.told()), "keys", _readable(_keys)
    )
    keys_of = {node: _keys(answer) for node, answer in asked}
    number = {node: place for place, node in enumerate(present.present, 1)}
    graph = ring(len(number), degree)
    keys = {number[node]: keys_of[node] for node in number}
    threshold = min(least(neighbors) for neighbors in graph.values())

    def neighbors(node: int) -> RecordDict:
        told = {n: [keys[n].letters.hex(), keys[n].masks.hex()] for n in graph[number[node]]}
        mine = {"number": number[node], "threshold": threshold, "keys": json.dumps(told)}
        return participants.told(**mine)

    def sealed(node: int, answer: RecordDict) -> str | None:
        addressed = {int(n) for n in _letters(answer)}
        return None if addressed == set(graph[number[node]]) else "letters to others than asked"

    asked = present.ask("train.share", neighbors, "letters", sealed)
    letters = {number[node]: _letters(answer) for node, answer in asked}
    graph = {n: [other for other in graph[n] if other in letters] for n in letters}
    text = terms.to_json()

    def forwarded(node: int) -> RecordDict:
        mine = number[node]
        own = {other: letters[other][str(mine)] for other in graph[mine]}
        return participants.told(terms=text, letters=json.dumps(own))

    total, arrived = np.zeros(terms.cells, np.uint64), []
    for node, answer in present.ask("train.masked", forwarded, "masked sums", _sums(terms)):
        total += words(answer)
        arrived.append(number[node])
    came = participants.told(arrived=json.dumps(arrived))
    counted = [node for node in present.present if number[node] in arrived]
    # who is lost from here on has its sums in: neighbors open what hides them
    asked = present.ask("train.opened", participants.same(came), "shares", _readable(_shares))
    opened = {number[node]: _shares(answer) for node, answer in asked}
    total = unmasked(total, graph, keys, threshold, opened, arrived)
    return _found(present, terms, total, began, counted)


def _found(
    present: Roll, terms: Terms, total: Words, began: float, counted: list[int] | None = None
) -> Summed:
    met, statistics = terms.read(total)
    who = present.present if counted is None else counted
    sent = {present.names[node]: present.sent[node] for node in who}
    seconds = time.perf_counter() - began
    return Summed(met, statistics, sent, tuple(present.dropped), seconds)


def _sums(terms: Terms, below: int | None = None) -> Check:
    """Checks a vector: its size, its type and, where it is no mask, its values."""

    def wrong(node: int, answer: RecordDict) -> str | None:
        arrays = participants.unpacked(answer)
        unlike = participants.unlike(arrays, {"sums": ((terms.cells,), "uint64")})
        if unlike is None and below is not None and (arrays["sums"] >= below).any():
            return f"expected sums below {below}, received a cell beyond"
        return unlike

    return wrong


def _readable(read: Callable[[RecordDict], object]) -> Check:
    """Checks that an answer can be read."""

    def wrong(node: int, answer: RecordDict) -> str | None:
        read(answer)
        return None

    return wrong


def _keys(answer: RecordDict) -> Keys:
    found = Keys(participants.value(answer, "letters"), participants.value(answer, "masks"))
    if {len(found.letters), len(found.masks)} != {32}:
        raise ValueError("expected keys of 32 bytes")
    return found


def _letters(answer: RecordDict) -> dict[str, str]:
    found: dict[str, str] = json.loads(participants.text(answer, "letters"))
    return {number: bytes.fromhex(letter).hex() for number, letter in found.items()}


def _shares(answer: RecordDict) -> dict[int, bytes]:
    found = json.loads(participants.text(answer, "shares"))
    return {int(number): bytes.fromhex(share) for number, share in found.items()}
