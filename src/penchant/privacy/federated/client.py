"""What a client answers: its name, its sums, masked or not, and a locally trained expert.

Events stay here. What leaves is the answer to one of the functions below, and nothing else.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from penchant.data.dataset import Dataset
from penchant.privacy.federated import participants
from penchant.privacy.federated.agreement import Terms
from penchant.privacy.federated.secure_aggregation import Keys, Member

Load = Callable[[Context], Dataset]
"""Gives a client its own dataset, by its node's configuration."""

Mod = Callable[[Message, Context, Callable[[Message, Context], Message]], Message]

_SECRET = "member"


def client_app(load: Load, mods: list[Mod] | None = None) -> ClientApp:
    """The Flower app of a client with these events; ``mods`` are Flower's, around each answer."""
    app = ClientApp(mods=mods)

    def hello(message: Message, context: Context) -> RecordDict:
        return participants.told(name=name_of(context))

    def sums(message: Message, context: Context) -> RecordDict:
        terms = terms_of(participants.text(message.content, "terms"))
        return participants.packed({"sums": terms.vector(terms.aligned(load(context)))})

    def keys(message: Message, context: Context) -> RecordDict:
        # its number and threshold come with the neighbors; the keys do not depend on them
        member = Member(0, 0)
        _keep(context, member)
        public = member.public()
        return participants.told(letters=public.letters, masks=public.masks)

    def share(message: Message, context: Context) -> RecordDict:
        member = _kept(context)
        member.number = int(participants.value(message.content, "number"))
        member.threshold = int(participants.value(message.content, "threshold"))
        told = json.loads(participants.text(message.content, "keys"))
        letters = member.share({int(n): Keys(*map(bytes.fromhex, k)) for n, k in told.items()})
        _keep(context, member)
        return participants.told(letters=_hex(letters))

    def masked(message: Message, context: Context) -> RecordDict:
        terms, member = terms_of(participants.text(message.content, "terms")), _kept(context)
        letters = _bytes(participants.text(message.content, "letters"))
        hidden = member.masked(terms.vector(terms.aligned(load(context))), letters)
        _keep(context, member)
        return participants.packed({"sums": hidden})

    def opened(message: Message, context: Context) -> RecordDict:
        member = _kept(context)
        shares = member.open(json.loads(participants.text(message.content, "arrived")))
        _keep(context, member)
        return participants.told(shares=_hex(shares))

    def trained(message: Message, context: Context) -> RecordDict:
        from penchant.privacy.federated.fedavg import locally

        terms = terms_of(participants.text(message.content, "terms"))
        data, arrays = terms.aligned(load(context)), participants.unpacked(message.content)
        seed = int(participants.value(message.content, "seed"))
        arrays, examples = locally(terms, data, arrays, seed)
        return participants.packed(arrays, examples=examples)

    answers = {"sums": sums, "keys": keys, "share": share, "masked": masked, "opened": opened}
    app.query("hello")(_replying(hello))
    for action, answer in {**answers, "round": trained}.items():
        app.train(action)(_replying(answer))
    return app


def name_of(context: Context) -> str:
    """A client's name: ``name`` of its node's configuration, else by its partition or number."""
    config: dict[str, Any] = dict(context.node_config)
    if "name" in config:
        return str(config["name"])
    if "partition-id" in config:
        return f"client {config['partition-id']}"
    return f"node {context.node_id}"


@lru_cache(maxsize=2)
def terms_of(text: str) -> Terms:
    """The terms of a message; the same for all messages of a run, and read once."""
    return Terms.from_json(text)


def _replying(
    answer: Callable[[Message, Context], RecordDict],
) -> Callable[[Message, Context], Message]:
    return lambda message, context: Message(answer(message, context), reply_to=message)


def _keep(context: Context, member: Member) -> None:
    context.state[_SECRET] = ConfigRecord({"json": member.to_json()})


def _kept(context: Context) -> Member:
    return Member.from_json(str(context.state.config_records[_SECRET]["json"]))


def _hex(letters: dict[int, bytes]) -> str:
    return json.dumps({number: letter.hex() for number, letter in letters.items()})


def _bytes(text: str) -> dict[int, bytes]:
    return {int(number): bytes.fromhex(letter) for number, letter in json.loads(text).items()}


def words(record: RecordDict) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The vector of an answer."""
    return participants.unpacked(record)["sums"]
