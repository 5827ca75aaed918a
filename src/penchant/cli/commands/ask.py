"""The command ``penchant ask``."""

from typing import Annotated

import typer

from penchant.cli.options import (
    Behavior,
    Count,
    Diversity,
    Domain,
    History,
    Json,
    Llm,
    RulesFile,
    Run,
    User,
    history_items,
    language_model,
    rules_from,
)
from penchant.cli.views.console import emit, working
from penchant.cli.views.question import show_answer
from penchant.errors import ConfigError


def ask(
    run: Run,
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT", help='What is wanted, such as "something lighter, not horror".'
        ),
    ],
    user: User = None,
    history: History = None,
    k: Count = 10,
    behavior: Behavior = None,
    domain: Domain = None,
    rules_file: RulesFile = None,
    diversity: Diversity = None,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """List the items that fit a question in plain words.

    With --user or --history, those that suit the person come first. Without a language model the
    question is matched with the words of the catalogue.

    Examples
    --------
    penchant ask run/ --user ann "something lighter for tonight, not horror"
    """
    from penchant.llm.tasks.question import ask as answer
    from penchant.recommendation import load

    if user is not None and history is not None:
        raise ConfigError("expected --user or --history, not both")
    with working(f"loading {run}") as progress:
        model = load(run)
        progress("reading the question")
        past = None if user is not None else history_items(history) or []
        unknown_items = model.histories(past or [])[1]
        listed, question = answer(
            model,
            text,
            user,
            past,
            k=k,
            behavior=behavior,
            domain=domain,
            rules=rules_from(rules_file, diversity),
            language=language_model(llm),
        )
    content = listed.to_dict() | {"question": question.to_dict()}
    if as_json:
        emit(content)
        return
    who = f"user {user}" if user is not None else "this history" if history else "anybody"
    stranger = user is not None and user not in model.dataset.users
    show_answer(content, question, who, unknown_items, stranger)
