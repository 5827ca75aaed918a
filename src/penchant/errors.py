"""The exceptions of Penchant, and the phrases that messages share.

Each message says what was expected, what was received and what to do.

PenchantError
├── DataError        the input: files, columns, values, identifiers
│   ├── StrictError      a finding of the cleaning report, under ``--strict``
│   └── UnreadableError  the text, image or sound of one item; a run reports it and goes on
├── ConfigError      a recipe, a setting, a name that is not known
├── TrainingError    a loss that is not finite, a training that cannot go on
├── ArtifactError    a saved run that is damaged, foreign or of another version
├── BudgetError      a release that would go past the privacy budget
├── LanguageModelError a language model that gave no reply that can be used
└── MissingExtraError an optional dependency that is not installed
"""

from collections.abc import Iterable


class PenchantError(Exception):
    """Base of every error that Penchant raises on purpose.

    Examples
    --------
    >>> from penchant import from_columns
    >>> try:
    ...     from_columns(user=["ann", None], item=["tea", "cup"])
    ... except PenchantError as error:
    ...     print(type(error).__name__)
    DataError
    """


class DataError(PenchantError, ValueError):
    """The input is not what was expected."""


class StrictError(DataError):
    """Cleaning found something, and ``--strict`` makes each finding an error."""


class UnreadableError(DataError):
    """The content of one item cannot be encoded; the message is the reason, in a few words."""


class ConfigError(PenchantError, ValueError):
    """A setting or a name is not known, or a value lies outside its range."""


class TrainingError(PenchantError):
    """A training cannot go on."""


class ArtifactError(PenchantError):
    """A saved run cannot be trusted or read."""


class BudgetError(PenchantError):
    """A release would spend more than what is left of a privacy budget."""


class LanguageModelError(PenchantError):
    """A language model gave no reply that can be used; what asked it goes on without."""


class MissingExtraError(PenchantError, ImportError):
    """An optional dependency is not installed.

    ``command`` installs it where the extra alone does not.
    """

    def __init__(self, package: str, extra: str, command: str | None = None) -> None:
        super().__init__(
            f"expected {package}, which is not installed; install it with: "
            + (command or install_command(extra))
        )


def install_command(extra: str, further: str = "") -> str:
    """The command that installs an extra; Penchant itself is on no package index.

    Examples
    --------
    >>> install_command("serve")
    "pip install '.[serve]' in the folder of Penchant's sources (or 'FILE.whl[serve]' for a wheel)"
    """
    return (
        f"pip install '.[{extra}]'{further} in the folder of Penchant's sources "
        f"(or 'FILE.whl[{extra}]' for a wheel)"
    )


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number and its noun, which agree.

    Parameters
    ----------
    count
        How many; thousands are parted by commas.
    noun, plural
        The noun for one, and for any other number where an s does not make it.

    Examples
    --------
    >>> counted(1, "user"), counted(2000, "user"), counted(0, "query", "queries")
    ('1 user', '2,000 users', '0 queries')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def unknown(kind: str, received: str, known: Iterable[str]) -> ConfigError:
    """An error for a name that is not among the known ones.

    >>> str(unknown("behavior", "veiw", ["view", "buy"]))
    "unknown behavior 'veiw': expected one of buy, view"
    """
    return ConfigError(f"unknown {kind} {received!r}: expected one of {', '.join(sorted(known))}")
