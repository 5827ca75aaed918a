"""What a client answers: its name, its statistics, masked or not, and a locally trained expert.

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
from penchant.privacy.federated.agreement import Agreement
from penchant.privacy.federated.secure_aggregation import Member, PublicKeys

DatasetLoader = Callable[[Context], Dataset]
"""Gives a client its own dataset, by its node's configuration."""

Mod = Callable[[Message, Context, Callable[[Message, Context], Message]], Message]

_SECRET = "member"


def client_app(load: DatasetLoader, mods: list[Mod] | None = None) -> ClientApp:
    """The Flower app of a client with these events; ``mods`` are Flower's, around each answer."""
    app = ClientApp(mods=mods)

    def hello(message: Message, context: Context) -> RecordDict:
        return participants.config_message(name=client_name(context))

    def sums(message: Message, context: Context) -> RecordDict:
        agreement = agreement_of(participants.config_text(message.content, "agreement"))
        return participants.array_message(
            {"sums": agreement.vector(agreement.align(load(context)))}
        )

    def public_keys(message: Message, context: Context) -> RecordDict:
        # its number and threshold come with the neighbors; the keys do not depend on them
        member = Member(0, 0)
        _save_member(context, member)
        public = member.public()
        return participants.config_message(letters=public.letters, masks=public.masks)

    def share(message: Message, context: Context) -> RecordDict:
        member = _load_member(context)
        member.number = int(participants.config_value(message.content, "number"))
        member.threshold = int(participants.config_value(message.content, "threshold"))
        keys = json.loads(participants.config_text(message.content, "keys"))
        letters = member.share(
            {int(n): PublicKeys(*map(bytes.fromhex, k)) for n, k in keys.items()}
        )
        _save_member(context, member)
        return participants.config_message(letters=_hex(letters))

    def masked(message: Message, context: Context) -> RecordDict:
        agreement, member = (
            agreement_of(participants.config_text(message.content, "agreement")),
            _load_member(context),
        )
        letters = _bytes(participants.config_text(message.content, "letters"))
        hidden = member.masked(agreement.vector(agreement.align(load(context))), letters)
        _save_member(context, member)
        return participants.array_message({"sums": hidden})

    def opened(message: Message, context: Context) -> RecordDict:
        member = _load_member(context)
        shares = member.open(json.loads(participants.config_text(message.content, "arrived")))
        _save_member(context, member)
        return participants.config_message(shares=_hex(shares))

    def trained(message: Message, context: Context) -> RecordDict:
        from penchant.privacy.federated.fedavg import train_locally

        agreement = agreement_of(participants.config_text(message.content, "agreement"))
        data, arrays = agreement.align(load(context)), participants.arrays_of(message.content)
        seed = int(participants.config_value(message.content, "seed"))
        arrays, examples = train_locally(agreement, data, arrays, seed)
        return participants.array_message(arrays, examples=examples)

    answers = {
        "sums": sums,
        "keys": public_keys,
        "share": share,
        "masked": masked,
        "opened": opened,
    }
    app.query("hello")(_as_reply(hello))
    for action, answer in {**answers, "round": trained}.items():
        app.train(action)(_as_reply(answer))
    return app


def client_name(context: Context) -> str:
    """A client's name: ``name`` of its node's configuration, else by its partition or number."""
    config = context.node_config
    if "name" in config:
        return str(config["name"])
    if "partition-id" in config:
        return f"client {config['partition-id']}"
    return f"node {context.node_id}"


@lru_cache(maxsize=2)
def agreement_of(text: str) -> Agreement:
    """The agreement of a message; the same for all messages of a run, and read once."""
    return Agreement.from_json(text)


def _as_reply(
    answer: Callable[[Message, Context], RecordDict],
) -> Callable[[Message, Context], Message]:
    return lambda message, context: Message(answer(message, context), reply_to=message)


def _save_member(context: Context, member: Member) -> None:
    context.state[_SECRET] = ConfigRecord({"json": member.to_json()})


def _load_member(context: Context) -> Member:
    return Member.from_json(str(context.state.config_records[_SECRET]["json"]))


def _hex(letters: dict[int, bytes]) -> str:
    return json.dumps({number: letter.hex() for number, letter in letters.items()})


def _bytes(text: str) -> dict[int, bytes]:
    return {int(number): bytes.fromhex(letter) for number, letter in json.loads(text).items()}


def sums_of(record: RecordDict) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The vector of an answer."""
    return participants.arrays_of(record)["sums"]
