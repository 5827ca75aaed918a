"""The command ``penchant explain``."""

from typing import Annotated

import typer

from penchant.cli.options import History, InWords, Json, Llm, Run, User, listed, model_of
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.explanation import show_explanation
from penchant.cli.views.interests import show_note


def explain(
    run: Run,
    item: Annotated[str, typer.Option("--item", help="An item of the run.")],
    user: User = None,
    history: History = None,
    in_words: InWords = False,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """Show why an item has its score: events, interests, parts, and the list without."""
    from penchant.recommendation import load
    from penchant.recommendation.explain import explain as explained

    with working(f"loading {run}"):
        model = load(run)
    found = explained(model, item, user=user, history=listed(history))
    content = found.to_dict()
    if in_words:
        from penchant.llm.tasks.explanation_text import worded

        content["worded"] = worded(found, model.dataset.catalogue, model_of(llm)).to_dict()
    if as_json:
        emit(content)
        return
    if in_words:
        say(content["worded"]["text"], "bold")
        show_note(content["worded"]["note"])
    show_explanation(content)
    if user is not None and user not in model.dataset.users:
        say(f"note: user {user!r} is not known to the run")
