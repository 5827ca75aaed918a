"""The help of the commands: panels, descriptions, defaults and examples in plain text.

Typer 0.20 stores the description of an argument before click 8.5 clears it, and escapes square
brackets as for rich even where the help is plain text. Both are undone here, so that the help reads
the same with every version of the two.
"""

import inspect
from collections.abc import Callable
from itertools import groupby
from typing import Any, get_type_hints

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

_EXAMPLES = "\n\nExamples\n--------\n"


class DocumentedCommand(TyperCommand):
    """A command whose help is its docstring: a summary, details, and a section of examples."""

    examples: tuple[str, ...] = ()

    def __init__(self, *args: Any, **settings: Any) -> None:
        text, _, examples = inspect.cleandoc(settings.get("help") or "").partition(_EXAMPLES)
        super().__init__(*args, **settings | {"help": text})
        self.examples = tuple(examples.splitlines())
        if self.callback is not None:
            _describe(self.params, self.callback)
        for parameter in self.params:
            if isinstance(parameter, TyperOption | TyperArgument):
                optional = parameter.default is None and not parameter.required
                if optional and parameter.show_default is True:
                    parameter.show_default = "none"

    def format_arguments(self, ctx: Any, formatter: Any) -> None:
        """Nothing: click 8.5 calls this before ``format_options``, which writes the arguments."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class PanelGroup(TyperGroup):
    """The list of commands in panels; each summary is shown whole."""

    def resolve_command(self, ctx: Any, args: Any) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except Exception as error:
            if hasattr(error, "possibilities"):  # click 8.5 suggests what typer suggests already
                error.possibilities = None
            raise

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self, ctx, formatter)
        width = max(map(len, self.commands))
        for panel, commands in groupby(self.commands.values(), _panel):
            with formatter.section(panel):
                rows = [(f"{c.name:{width}}", (c.help or "").partition("\n")[0]) for c in commands]
                formatter.write_dl(rows)


def _panel(command: Any) -> str:
    return str(command.rich_help_panel)


def _describe(parameters: Any, callback: Callable[..., Any]) -> None:
    """Give the arguments the descriptions that the annotations of the function hold."""
    hints = get_type_hints(inspect.unwrap(callback), include_extras=True)
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            parameter.help = hints[parameter.name].__metadata__[0].help


def _write_parameters(command: Any, ctx: Any, formatter: Any) -> None:
    for kind, title in (("argument", "Arguments"), ("option", "Options")):
        rows = [
            (name, text.replace("\\[", "["))
            for parameter in command.get_params(ctx)
            if parameter.param_type_name == kind
            and (record := parameter.get_help_record(ctx)) is not None
            for name, text in [record]
        ]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
