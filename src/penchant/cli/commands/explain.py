"""The command ``penchant explain``."""

from penchant.cli.options import (
    History,
    Item,
    Json,
    Llm,
    Run,
    User,
    Worded,
    history_items,
    language_model,
)
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.explanation import show_explanation
from penchant.cli.views.interests import show_note


def explain(
    run: Run,
    item: Item,
    user: User = None,
    history: History = None,
    worded: Worded = False,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """Show why an item has its score for a user.

    It lists what each past event and each interest adds to the score, and what the score would be
    without the most important event.

    Examples
    --------
    penchant explain run/ --user ann --item pot
    penchant explain run/ --history tea,cup --item pot
    """
    from penchant.recommendation import load
    from penchant.recommendation.explain import explain as explained

    with working(f"loading {run}"):
        model = load(run)
    explanation = explained(model, item, user=user, history=history_items(history))
    content = explanation.to_dict()
    if worded:
        from penchant.llm.tasks.explanation_text import word_explanation as sentences

        catalogue = model.dataset.catalogue
        content["worded"] = sentences(explanation, catalogue, language_model(llm)).to_dict()
    if as_json:
        emit(content)
        return
    if worded:
        say(content["worded"]["text"], "bold")
        show_note(content["worded"]["note"])
    show_explanation(content)
    if user is not None and user not in model.dataset.users:
        say(f"note: user {user} is not in the run")
