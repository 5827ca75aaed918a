"""Flower's messages without a network: all clients within one process, one after the other.

For simulations that need nothing but the extra; ``flwr run`` and Ray run the same two apps.
"""

from collections.abc import Iterable, Iterator

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

_RAISED = 2  # Flower's code of an error in a client's app


class InProcessGrid(Grid):
    """A grid whose nodes, from 2 on, are this process, each with a context of its own.

    An error of a client is an error message, as over a network.
    """

    def __init__(self, app: ClientApp, clients: int) -> None:
        # a message is signed by the task that made it; here that is no task of a server's
        TaskIdentity.run_id = TaskIdentity.task_id = TaskIdentity.node_id = 1
        self.app = app
        self.pushed, self.waiting = 0, dict[str, Message]()
        self.contexts = {
            place + 2: Context(
                run_id=1,
                node_id=place + 2,
                node_config={"partition-id": place, "num-partitions": clients},
                state=RecordDict(),
                run_config={},
            )
            for place in range(clients)
        }

    def get_node_ids(self) -> Iterable[int]:
        return list(self.contexts)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Answers one at a time, as they are asked for: one is held, however many clients."""
        return map(self._answer, messages)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        numbers = []
        for message in messages:
            self.pushed += 1
            numbers.append(str(self.pushed))
            self.waiting[numbers[-1]] = message
        return numbers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return [self._answer(self.waiting.pop(n)) for n in message_ids if n in self.waiting]

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def set_run(self, run: Run) -> None:
        self._run = run

    @property
    def run(self) -> Run:
        return self._run

    def _answer(self, message: Message) -> Message:
        try:
            return self.app(message, self.contexts[message.metadata.dst_node_id])
        except Exception as error:  # whatever it is, it is the client's and not the server's
            reason = f"{type(error).__name__}: {error}"
            return Message(Error(code=_RAISED, reason=reason), reply_to=message)
