"""The command ``penchant ask``."""

from typing import Annotated

import typer

from penchant.cli.options import (
    Count,
    Diversity,
    History,
    Json,
    Llm,
    RulesFile,
    Run,
    User,
    listed,
    model_of,
    rules_of,
)
from penchant.cli.views.console import emit, say, working
from penchant.cli.views.items import show_items
from penchant.errors import ConfigError


def ask(
    run: Run,
    text: Annotated[str, typer.Argument(help='As "something lighter for tonight, not horror".')],
    user: User = None,
    history: History = None,
    k: Count = 10,
    behavior: Annotated[str | None, typer.Option(help="The behavior to predict.")] = None,
    domain: Annotated[str | None, typer.Option(help="Items of one domain only.")] = None,
    rules_file: RulesFile = None,
    diversity: Diversity = None,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """List what fits a question, those that suit the user first."""
    from penchant.llm.tasks.question import ask as asked
    from penchant.recommendation import load

    if user is not None and history is not None:
        raise ConfigError("expected --user or --history, not both")
    with working(f"loading {run}") as progress:
        model = load(run)
        progress("reading the question")
        past = None if user is not None else listed(history) or []
        strange = model.histories(past or [])[1]
        rules = rules_of(rules_file, diversity)
        found, question = asked(
            *(model, text, user, past),
            k=k,
            behavior=behavior,
            domain=domain,
            rules=rules,
            language=model_of(llm),
        )
    content = found.to_dict() | {"question": question.to_dict()}
    if as_json:
        emit(content)
        return
    read = question.read
    parts = [f"wanted: {read.text}"] if read.text else []
    parts += [f"without: {', '.join(read.excluded_tags)}"] if read.excluded_tags else []
    parts += [f"domain: {read.domain}"] if read.domain else []
    parts = parts or ["nothing is wanted or ruled out that the catalogue knows"]
    say(f"{'; '.join(parts)} ({f'read by {question.model}' if question.model else 'read plainly'})")
    for note in question.notes:
        say(f"note: {note}")
    rows = [item | {"because": None} for item in content["items"]]  # it was just said
    who = f"user {user}" if user is not None else "this history" if history else "anybody"
    show_items(f"For {who}", rows)
    beside = [str(n) for n, item in enumerate(rows, 1) if item["source"] != "asked"]
    if read.text and beside:
        say(f"note: nothing further fits; by the rest of what is known: {', '.join(beside)}")
    if strange:
        say(f"note: not in the catalogue: {', '.join(strange)}")
    if user is not None and user not in model.dataset.users:
        say(f"note: user {user!r} is not known to the run: what fits is listed by popularity")
    if found.short:
        say(f"note: only {len(found.items)} items are left to list")
