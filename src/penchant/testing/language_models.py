"""What every language model keeps to, whoever serves it."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import BaseModel

from penchant.errors import LanguageModelError
from penchant.llm.client import LanguageModel, Prompt

PROMPT = Prompt("colors", "You answer in JSON.", '{"wanted": "a color?"}')
PERSONAL = Prompt("people", "You answer in JSON.", '{"likes": "blue"}', about_users=True)


class Color(BaseModel):
    """A word and how often."""

    word: str
    count: int


BLUE = Color(word="blue", count=3)


class LanguageModelSuite(ABC):
    """Tests of a model; a subclass makes one that replies with a text, however often asked."""

    @abstractmethod
    def model(
        self, text: str = '{"word": "blue", "count": 3}', users: bool = False
    ) -> LanguageModel: ...

    def test_it_is_a_language_model(self) -> None:
        model = self.model()
        assert isinstance(model, LanguageModel)
        assert model.name
        assert model.spent.requests == 0

    def test_a_reply_is_an_object_and_is_counted(self) -> None:
        model = self.model()
        assert model.ask(PROMPT, Color) == BLUE
        spent = model.spent
        assert (spent.requests, spent.failed, spent.cached) == (1, 0, 0)
        assert spent.read > 0
        assert spent.written > 0

    @pytest.mark.parametrize("text", ['{"word": "blue"}', '{"word": "bl', "blue", "", "[]"])
    def test_a_reply_that_does_not_fit_is_an_error(self, text: str) -> None:
        model = self.model(text)
        with pytest.raises(LanguageModelError) as caught:
            model.ask(PROMPT, Color)
        assert model.name in str(caught.value)
        assert model.spent.failed == model.spent.requests > 0

    def test_a_stream_is_the_reply_in_pieces(self) -> None:
        model = self.model("It is blue, as the sky is")
        pieces = list(model.stream(PROMPT))
        assert "".join(pieces) == "It is blue, as the sky is"
        assert len(pieces) > 1
        assert model.spent.requests == 1
        assert model.spent.read > 0
        assert model.spent.written > 0

    @pytest.mark.parametrize("asking", ["ask", "stream"])
    def test_nothing_of_users_is_sent_unless_the_settings_say_so(self, asking: str) -> None:
        model = self.model()
        with pytest.raises(LanguageModelError, match="users = true"):
            model.ask(PERSONAL, Color) if asking == "ask" else model.stream(PERSONAL)
        assert model.spent.requests == 0
        model = self.model(users=True)
        assert model.ask(PERSONAL, Color) == BLUE
        assert list(model.stream(PERSONAL))

    def test_two_threads_are_counted_exactly(self) -> None:
        model = self.model()
        prompts = [Prompt("colors", "", f'{{"number": "{n:03}"}}') for n in range(40)]
        model.ask(Prompt("colors", "", '{"number": "one"}'), Color)
        one = model.spent
        with ThreadPoolExecutor(2) as threads:
            assert set(threads.map(lambda p: model.ask(p, Color).word, prompts)) == {"blue"}
        spent = model.spent
        assert (spent.requests, spent.failed) == (41, 0)
        assert (spent.read, spent.written) == (41 * one.read, 41 * one.written)
