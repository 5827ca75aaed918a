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
    from penchant.llm.tasks.question import read_question
    from penchant.recommendation import load

    if user is not None and history is not None:
        raise ConfigError("expected --user or --history, not both")
    with working(f"loading {run}") as progress:
        model = load(run)
        progress("reading the question")
        question = read_question(text, model.dataset.catalogue, language_model(llm))
        listed = model.ask(
            question,
            user,
            history=history_items(history),
            k=k,
            behavior=behavior,
            domain=domain,
            rules=rules_from(rules_file, diversity),
        )
    content = listed.to_dict() | {"question": question.to_dict()}
    if as_json:
        emit(content)
        return
    who = f"user {user}" if user is not None else "this history" if history else "anybody"
    stranger = user is not None and user not in model.dataset.users
    show_answer(content, question, who, listed.unknown, stranger)
