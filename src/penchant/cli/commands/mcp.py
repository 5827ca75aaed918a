"""The command ``penchant mcp``."""

from typing import Annotated

import typer

from penchant.cli.options import Database, RulesFile, Run, default_database
from penchant.errors import MissingExtraError


def mcp(
    run: Run,
    user: Annotated[str, typer.Option(help="The one person that it acts for.")],
    database: Database = None,
    rules_file: RulesFile = None,
) -> None:
    """Serve one user's lists and interests to a language model: MCP over stdio."""
    try:
        from penchant.serve.mcp import serve as started
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "mcp", "mcp,serve") from error
    from penchant.recommendation.rerank import Rules

    rules = Rules() if rules_file is None else Rules.load(rules_file)
    asked = rules.model_dump(exclude_unset=True)
    started(run, user, database or default_database(run), asked)
