"""Each public name reads like a manual: what it takes, what it returns, and an example."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import penchant

PUBLIC = {name: getattr(penchant, name) for name in penchant.__all__ if name != "__version__"}
METHODS = {
    f"{owner.__name__}.{name}": getattr(owner, name)
    for owner, names in (
        (
            penchant.Model,
            {*vars(penchant.Model), "history_of", "interests", "with_interest_factor"},
        ),
        (penchant.Recipe, {"load"}),
        (penchant.Recommendation, {"to_dict"}),
        (penchant.Rules, {"load", "of"}),
    )
    for name in names
    if not name.startswith("_") and inspect.isroutine(getattr(owner, name))
}
CALLABLES = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)} | METHODS


@pytest.mark.parametrize("name", sorted(CALLABLES))
def test_it_documents_parameters_results_and_an_example(name):
    function: Callable[..., Any] = CALLABLES[name]
    text = inspect.getdoc(function) or ""
    headings = set(re.findall(r"^(\w+)\n-+$", text, re.MULTILINE))
    assert "Examples" in headings
    assert ">>> " in text
    signature = inspect.signature(function)
    parameters = [parameter for parameter in signature.parameters if parameter != "self"]
    assert not parameters or "Parameters" in headings
    assert signature.return_annotation is None or headings & {"Returns", "Yields"}
    section = text.partition("Parameters\n----------\n")[2].split("\n\n")[0]
    named = set(re.findall(r"\w+", " ".join(re.findall(r"^\S.*$", section, re.MULTILINE))))
    assert set(parameters) <= named


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_its_help_has_an_example(name):
    assert ">>> " in (PUBLIC[name].__doc__ or "")
    assert name in penchant._PUBLIC


def test_the_version_is_that_of_the_distribution():
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", penchant.__version__)
