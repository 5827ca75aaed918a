"""The command ``penchant mcp``."""

from typing import Annotated

import typer

from penchant.cli.options import Database, RulesFile, Run, default_database
from penchant.errors import MissingExtraError


def mcp(
    run: Run,
    user: Annotated[
        str, typer.Option(metavar="ID", help="ID of the one user whom the assistant acts for.")
    ],
    database: Database = None,
    rules_file: RulesFile = None,
) -> None:
    """Let an assistant read and steer one user's recommendations.

    It speaks the Model Context Protocol (MCP) over standard input and output; an assistant starts
    it as a command.

    Examples
    --------
    penchant mcp run/ --user ann
    """
    try:
        from penchant.serve.mcp import serve as serve_user
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "mcp", "mcp,serve") from error
    from penchant.recommendation.rerank import Rules

    rules = Rules() if rules_file is None else Rules.load(rules_file)
    serve_user(run, user, database or default_database(run), rules.model_dump(exclude_unset=True))
