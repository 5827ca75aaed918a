"""Texts in which people say what they want: searches, questions, their own interests."""

from typing import NamedTuple


class TextQuery(NamedTuple):
    """A text of a user: a search, a question, or interests in their own words.

    text          the words
    events_since  how many events of the history came after it
    history       which history of a block it belongs to
    share         of a list's places that it takes; None leaves that to the settings
    """

    text: str
    events_since: int
    history: int
    share: float | None = None
