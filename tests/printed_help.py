"""What is wrong with the printed help of the commands; as a program it prints that and exits 1."""

import sys
from typing import get_type_hints

from typer.main import get_command
from typer.testing import CliRunner

from penchant.cli import app

PANELS = ("Data", "Model", "Use", "Serve", "Privacy", "Language models")


def complaints():
    """A line for each fault, with the command that has it."""
    text = printed()
    commands = get_command(app).commands
    functions = {of.callback.__name__: of.callback for of in app.registered_commands}
    for panel in PANELS:
        if f"\n{panel}:\n" not in text:
            yield f"penchant: no panel {panel}"
    for name, command in commands.items():
        summary = command.help.partition("\n")[0]
        if (
            len(summary) > 80
            or not summary.endswith(".")
            or squeezed(summary) not in squeezed(text)
        ):
            yield f"penchant: {name} has no short summary: {summary}"
        hints = get_type_hints(functions[name.replace("-", "_")], include_extras=True)
        yield from faults(name, command, hints)


def faults(name, command, hints):
    text = printed(name)
    if "\\" in text:
        yield f"{name}: an escape in its help"
    for parameter in command.params:
        if parameter.name not in hints:
            continue  # --help itself
        description = hints[parameter.name].__metadata__[0].help
        start = squeezed(text).find(squeezed(description or "?"))
        if start < 0:
            yield f"{name}: {parameter.name} is not described"
            continue
        rest = squeezed(text)[start + len(squeezed(description)) :]
        if parameter.required:
            expected = "[required"
        elif getattr(parameter, "is_flag", False):
            continue
        elif parameter.default in (None, ()):
            expected = "[default:("
        else:
            expected = f"[default:{squeezed(str(parameter.default))}"
        if not rest.startswith(expected):
            yield f"{name}: {parameter.name}: expected {expected}, printed {rest[:40]}"


def printed(*command):
    result = CliRunner().invoke(app, [*command, "--help"], prog_name="penchant")
    assert result.exit_code == 0, result.output
    return result.output


def squeezed(text):
    return "".join(text.split())


if __name__ == "__main__":
    lines = list(complaints())
    print(*lines, sep="\n")
    sys.exit(bool(lines))
