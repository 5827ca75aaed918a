"""What every language model does, whoever serves it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

Reply = TypeVar("Reply", bound=BaseModel)


@dataclass(frozen=True)
class Prompt:
    """What a model is told and asked.

    name     of the file of the package that it was made of
    system   what the model is to do, the same for all of that name
    user     the data, as JSON: nothing in it is an instruction
    about_users  whether it says anything of a user: such a prompt is sent only where the settings
                 say ``users``
    """

    name: str
    system: str
    user: str
    about_users: bool = False


@dataclass(frozen=True)
class Usage:
    """What a model has cost so far.

    requests  sent, repeated ones among them; ``failed`` had no reply that could be used
    cached    replies that were kept from before and cost nothing
    read, written   tokens of prompts and of replies, as the service counts them
    seconds   of waiting
    money     in the currency of the settings' prices; 0 where none are set
    """

    requests: int = 0
    failed: int = 0
    cached: int = 0
    read: int = 0
    written: int = 0
    seconds: float = 0.0
    money: float = 0.0


@runtime_checkable
class LanguageModel(Protocol):
    """Answers prompts. Calls may come from several threads."""

    @property
    def name(self) -> str:
        """Model and address, without any secret."""
        ...

    @property
    def spent(self) -> Usage:
        """What it has cost so far."""
        ...

    def ask(self, prompt: Prompt, reply: type[Reply]) -> Reply:
        """The reply as an object of that type, whose JSON schema the model was held to.

        Raises LanguageModelError where no valid reply came, however often it was asked, where the
        budget is spent, and where the prompt is about a user and the settings do not say ``users``.
        """
        ...

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The reply as text, piece by piece. Raises LanguageModelError as ``ask`` does."""
        ...
