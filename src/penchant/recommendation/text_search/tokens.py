"""The words of a text, as queries and items are compared by them."""

import re

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words(text: str) -> list[str]:
    """The words of a text in small letters, without an English possessive or plural ending.

    >>> words("Children's films: the 2nd Part")
    ['children', 'film', 'the', '2nd', 'part']
    """
    plain = []
    for word in _WORD.findall(text.casefold().replace("’", "'")):
        word = word.removesuffix("'s").replace("'", "")
        if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
            word = word[:-1]
        plain.append(word)
    return plain
