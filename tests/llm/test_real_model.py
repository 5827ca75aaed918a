"""The client with a real model, whose replies are checked in form and never in sense."""

import re
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from llm_server import MODEL, real_model
from penchant.errors import LanguageModelError
from penchant.llm.client import Prompt
from penchant.llm.client.openai_chat import Chat
from penchant.llm.client.settings import ModelSettings

PROMPT = Prompt("colors", "You answer in JSON.", '{"wanted": "a color and a few fruits"}')


class Choice(BaseModel):
    """What the model is held to."""

    color: Literal["red", "green", "blue"]
    fruits: Annotated[
        list[Annotated[str, Field(min_length=2, max_length=12)]], Field(min_length=1, max_length=3)
    ]


@pytest.fixture(scope="session")
def url():
    with real_model() as address:
        yield address


def chat(url, folder, **settings):
    return Chat(ModelSettings(url=url, model=MODEL, **{"longest": 100} | settings), None, folder)


def test_a_reply_keeps_to_its_schema_and_is_kept(url, tmp_path):
    model = chat(url, tmp_path)
    found = model.ask(PROMPT, Choice)
    assert found.color in {"red", "green", "blue"}
    assert 1 <= len(found.fruits) <= 3
    spent = model.spent
    assert (spent.requests, spent.failed, model.estimated) == (1, 0, 0)
    assert spent.read > 10
    assert 0 < spent.written <= 100
    again = chat(url, tmp_path)
    assert again.ask(PROMPT, Choice) == found
    assert (again.spent.requests, again.spent.cached) == (0, 1)


def test_a_stream_comes_in_pieces(url, tmp_path):
    model = chat(url, tmp_path)
    pieces = list(model.stream(Prompt("greeting", "You are brief.", "Say hello.")))
    assert len(pieces) > 1
    assert "".join(pieces).strip()
    spent = model.spent
    assert (spent.requests, spent.failed, model.estimated) == (1, 0, 0)
    assert min(spent.read, spent.written) > 0


def test_a_reply_is_cut_where_the_settings_say(url, tmp_path):
    model = chat(url, tmp_path, longest=3)
    with pytest.raises(LanguageModelError, match="cut at longest = 3 tokens"):
        model.ask(PROMPT, Choice)
    with pytest.raises(LanguageModelError, match="cut at longest = 3 tokens"):
        list(model.stream(PROMPT))
    assert (model.spent.requests, model.spent.failed) == (2, 2)
    assert model.spent.written == 6


def test_a_model_that_is_told_the_schema_is_checked_all_the_same(url, tmp_path):
    model = chat(url, tmp_path, format="none", tries=2)
    try:
        model.ask(PROMPT, Choice)
        said = "it fits"
    except LanguageModelError as error:
        said = str(error)
    assert re.search("^it fits$|the reply does not fit|was cut at longest", said)
    assert 1 <= model.spent.requests <= 2


def test_a_server_that_is_gone_is_told(url, tmp_path):
    with real_model() as other:
        assert other != url
    with pytest.raises(LanguageModelError, match="nothing answers there"):
        chat(other, tmp_path, tries=1).ask(PROMPT, Choice)
