"""The command ``penchant profile``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penchant.cli.options import Json, Llm, OneUser, Run, language_model
from penchant.cli.views.console import emit, say, working
from penchant.errors import ConfigError, DataError
from penchant.recommendation.interests import Profile

if TYPE_CHECKING:
    from penchant.recommendation import Model


def profile(
    run: Run,
    user: OneUser,
    llm: Llm = None,
    write: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help='Save the user\'s own text instead, such as "Green tea. No coffee."',
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save the user's own text from a file."),
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Delete the user's own text and write a new one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a user's interests as a short text, or save the user's own.

    Examples
    --------
    penchant profile run/ --user ann
    penchant profile run/ --user ann --write "Green tea. No coffee."
    """
    from penchant.recommendation import load

    if sum([write is not None, file is not None, reset]) > 1:
        raise ConfigError("expected one of --write, --file and --reset")
    own = _read(file) if file is not None else write
    with working(f"loading {run}") as progress:
        model = load(run)
        if user not in model.dataset.users:
            raise model.dataset.unknown_user(user)
        if own is not None:
            text = Profile.written(own)
            _save(model, run, user, text)
        else:
            progress("finding interests")
            text = _current(model, run, user, llm, reset)
    if as_json:
        emit({"user": user, **text.to_dict()})
        return
    say(f"Interests of user {user}, {_author(text)}", "bold")
    say(text.text)
    if text.note is not None:
        say(f"note: {text.note}")


def _current(model: "Model", run: Path, user: str, llm: Path | None, reset: bool) -> Profile:
    """The text that is saved, or one that is written now and saved."""
    from penchant.llm.tasks.user_profile import write_profile

    before = model.profiles.get(user)
    saved = None if reset else before
    if saved is not None and saved.edited:
        return saved
    interests = model.interests(user)
    text = write_profile(interests, model.dataset.catalogue, language_model(llm), saved)
    lasting = text.made and interests.clusters
    if (lasting and text != before) or (reset and before is not None):
        _save(model, run, user, text if lasting else None)
    return text


def _save(model: "Model", run: Path, user: str, text: Profile | None) -> None:
    from penchant.recommendation import save_profiles

    others = {name: other for name, other in model.profiles.items() if name != user}
    save_profiles(others if text is None else {**others, user: text}, run)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"expected a text in UTF-8 at {file}, which cannot be read: {error}"
        ) from error


def _author(text: Profile) -> str:
    if text.edited:
        return "as they wrote it"
    return "in plain words" if text.model is None else f"in the words of {text.model}"
