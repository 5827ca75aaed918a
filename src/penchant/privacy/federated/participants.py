"""Who takes part in a federation: names, what each client sent, and who was dropped, and why."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from penchant.errors import TrainingError

GROUP = 32
"""Clients that are asked at once: so many answers are held at a time."""

Check = Callable[[int, RecordDict], str | None]
"""Says what is wrong with a node's answer; None where nothing is."""


@dataclass(frozen=True)
class DroppedClient:
    """A client that was left out from a stage on."""

    client: str
    stage: str
    reason: str


@dataclass(frozen=True)
class Round:
    """One round of training: who was in it, and by how much the network moved (L2 norm)."""

    clients: tuple[str, ...]
    examples: int
    moved: float


@dataclass
class Participants:
    """The clients of one run, by Flower's number of their node.

    Attributes
    ----------
    timeout
        Seconds after which a client that has not answered is dropped.
    names
        Names of all that answered.
    sent
        Bytes of each client's answers.
    dropped
        Who was dropped, at which stage, and why.
    nodes
        Those who still take part, ordered by name.
    """

    grid: Grid
    timeout: float = 600.0
    names: dict[int, str] = field(default_factory=dict)
    sent: dict[int, int] = field(default_factory=dict)
    dropped: list[DroppedClient] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)

    def discover(self) -> "Participants":
        """Ask all nodes for their names; who answers takes part, ordered by name.

        Raises TrainingError where nobody does.
        """
        self.nodes = sorted(self.grid.get_node_ids())
        self.names = {node: f"node {node}" for node in self.nodes}
        for node, record in self.ask("query.hello", broadcast(RecordDict()), "hello"):
            self.names[node] = config_text(record, "name")
        self.nodes.sort(key=lambda node: (len(self.names[node]), self.names[node]))
        return self

    def ask(
        self,
        kind: str,
        content: Callable[[int], RecordDict],
        stage: str,
        check: Check = lambda node, record: None,
    ) -> Iterator[tuple[int, RecordDict]]:
        """Send a message to each client that takes part and give the answers as they come.

        A client is dropped that fails, does not answer in time, or whose answer ``check`` refuses.
        Raises TrainingError where nobody is left.
        """
        addressed = list(self.nodes)
        for begin in range(0, len(addressed), GROUP):
            part = addressed[begin : begin + GROUP]
            silent = set(part)
            messages = [Message(content(n), n, kind, ttl=2 * self.timeout) for n in part]
            for reply in self.grid.send_and_receive(messages, timeout=self.timeout):
                node = _answering(reply, messages)
                if node not in silent:
                    continue
                silent.discard(node)
                wrong = _wrong(node, reply, check)
                if wrong is not None:
                    self.drop(node, stage, wrong)
                    continue
                self.sent[node] = self.sent.get(node, 0) + message_size(reply.content)
                yield node, reply.content
            for node in sorted(silent):
                self.drop(node, stage, f"no answer within {self.timeout:g} s")
        if not self.nodes:
            reasons = "; ".join(f"{d.client}: {d.reason} ({d.stage})" for d in self.dropped[:5])
            raise TrainingError(
                f"expected an answer of at least one client to {stage!r}, received none of "
                f"{len(addressed)}: {reasons or 'no client is connected'}"
            )

    def drop(self, node: int, stage: str, reason: str) -> None:
        """Leave a client out from here on."""
        self.nodes.remove(node)
        self.dropped.append(DroppedClient(self.names[node], stage, reason))


def _answering(reply: Message, messages: list[Message]) -> int:
    """The node that a reply is of.

    Of a node that is gone the SuperLink answers in its own name, so what counts is the message
    that was answered; within one process messages have no number.
    """
    number = reply.metadata.reply_to_message_id
    for message in messages:
        if number and message.metadata.message_id == number:
            return message.metadata.dst_node_id
    return reply.metadata.src_node_id


def _wrong(node: int, reply: Message, check: Check) -> str | None:
    """Why an answer cannot be taken; None where it can."""
    if reply.has_error():
        lines = (reply.error.reason or "").strip().splitlines()
        return lines[-1] if lines else f"failed with code {reply.error.code}"
    try:
        return check(node, reply.content)
    except (KeyError, ValueError, TypeError) as error:
        return f"an answer that cannot be read ({type(error).__name__}: {error})"


def wait_for_clients(grid: Grid, clients: int, timeout: float) -> None:
    """Wait for clients to connect. Raises TrainingError where they do not in time."""
    until = time.monotonic() + timeout
    while (connected := len(list(grid.get_node_ids()))) < clients:
        if time.monotonic() > until:
            raise TrainingError(
                f"expected {clients} clients, received {connected} within {timeout:g} s; start the "
                "others, or ask for fewer"
            )
        time.sleep(0.5)


def message_size(record: RecordDict) -> int:
    """Bytes of a message's content as Flower counts them: values, names and shapes."""
    return sum(part.count_bytes() for part in record.values())


def broadcast(record: RecordDict) -> Callable[[int], RecordDict]:
    """The same message for each node."""
    return lambda node: record


def config_message(**values: Any) -> RecordDict:
    """A message of strings, numbers and bytes."""
    return RecordDict({"config": ConfigRecord(values)})


def config_value(record: RecordDict, name: str) -> Any:
    """One value of such a message. Raises KeyError where there is none."""
    return record.config_records["config"][name]


def config_text(record: RecordDict, name: str) -> str:
    """A string of such a message. Raises TypeError for another value."""
    value = config_value(record, name)
    if not isinstance(value, str):
        raise TypeError(f"expected text for {name!r}, received {type(value).__name__}")
    return value


def array_message(arrays: Mapping[str, np.ndarray[Any, Any]], **values: Any) -> RecordDict:
    """A message of arrays, with values beside them."""
    record = config_message(**values)
    record["arrays"] = ArrayRecord({name: Array(array) for name, array in arrays.items()})
    return record


def arrays_of(record: RecordDict) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a message. Raises KeyError where it has none, ValueError for damaged ones."""
    arrays = record.array_records["arrays"]
    return {name: array.numpy() for name, array in arrays.items()}


def mismatch(
    arrays: Mapping[str, np.ndarray[Any, Any]], expected: Mapping[str, tuple[tuple[int, ...], str]]
) -> str | None:
    """What is wrong with arrays by name, shape and type; None where nothing is."""
    if arrays.keys() != expected.keys():
        names = sorted(arrays.keys() ^ expected.keys())
        return f"expected the arrays of the request, received others: {', '.join(names[:3])}"
    for name, array in arrays.items():
        shape, kind = expected[name]
        if array.shape != shape or array.dtype != kind:
            return (
                f"expected {name} of shape {shape} and type {kind}, received {array.shape} and "
                f"{array.dtype}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return f"expected finite values in {name}, received NaN or infinite ones"
    return None
