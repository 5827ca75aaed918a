"""What people say they want, beside what they do."""

from typing import NamedTuple


class TextQuery(NamedTuple):
    """What someone said they want, in words: a search, a question, interests of their own.

    ``after`` events came after it in history number ``of``; ``share`` is what it takes of a list's
    places, None where the settings say.
    """

    text: str
    after: int
    of: int
    share: float | None = None
