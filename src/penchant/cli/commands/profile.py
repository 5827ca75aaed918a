"""The command ``penchant profile``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penchant.cli.options import Json, Llm, Run, model_of
from penchant.cli.views.console import emit, say, working
from penchant.errors import ConfigError, DataError
from penchant.recommendation.interests import Profile

if TYPE_CHECKING:
    from penchant.recommendation import Model


def profile(
    run: Run,
    user: Annotated[str, typer.Option("--user", help="A user of the run.")],
    llm: Llm = None,
    write: Annotated[str | None, typer.Option(help="The user's own text, kept as it is.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file with the user's own text.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Take the user's own text back.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a user is interested in, as a text; keep what the user writes instead."""
    from penchant.recommendation import load

    if sum([write is not None, file is not None, reset]) > 1:
        raise ConfigError("expected one of --write, --file and --reset")
    own = _read(file) if file is not None else write
    with working(f"loading {run}") as progress:
        model = load(run)
        if user not in model.dataset.users:
            raise model.dataset.unknown_user(user)
        if own is not None:
            found = Profile.written(own)
            _keep(model, run, user, found)
        else:
            progress("finding interests")
            found = _made(model, run, user, llm, reset)
    if as_json:
        emit({"user": user, **found.to_dict()})
        return
    say(f"Interests of user {user}, {_by(found)}", "bold")
    say(found.text)
    if found.note is not None:
        say(f"note: {found.note}")


def _made(model: "Model", run: Path, user: str, llm: Path | None, reset: bool) -> Profile:
    """The text that stands: the kept one, or one that is made now and kept."""
    from penchant.llm.tasks.user_profile import profiled

    before = model.profiles.get(user)
    kept = None if reset else before
    if kept is not None and kept.edited:
        return kept
    interests = model.interests(user)
    found = profiled(interests, model.dataset.catalogue, model_of(llm), kept)
    lasting = found.made and interests.clusters
    if (lasting and found != before) or (reset and before is not None):
        _keep(model, run, user, found if lasting else None)
    return found


def _keep(model: "Model", run: Path, user: str, text: Profile | None) -> None:

    from penchant.recommendation import save_profiles

    others = {name: of for name, of in model.profiles.items() if name != user}
    kept = others if text is None else {**others, user: text}
    save_profiles(kept, run)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"expected a text in UTF-8 at {file}, which cannot be read: {error}"
        ) from error


def _by(found: Profile) -> str:
    if found.edited:
        return "as they wrote it"
    return "in plain words" if found.model is None else f"in the words of {found.model}"
