"""The exceptions of Penchant.

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
    """Base of every error that Penchant raises on purpose."""


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
            f"{package} is needed here and is not installed; install it with: "
            + (command or f"pip install 'penchant[{extra}]'")
        )


def unknown(kind: str, received: str, known: Iterable[str]) -> ConfigError:
    """An error for a name that is not among the known ones.

    >>> str(unknown("behavior", "veiw", ["view", "buy"]))
    "unknown behavior 'veiw': expected one of buy, view"
    """
    return ConfigError(f"unknown {kind} {received!r}: expected one of {', '.join(sorted(known))}")
