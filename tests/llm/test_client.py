"""The client of language models, against a service that fails in every way it is told to."""

import gc
import json
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from llm_server import FakeModel, service
from penchant.errors import ConfigError, LanguageModelError, MissingExtraError
from penchant.llm.client import Prompt
from penchant.llm.client.budget import SpentBudgetError
from penchant.llm.client.openai_chat import Chat
from penchant.llm.client.settings import ModelSettings
from penchant.testing.language_models import BLUE, PERSONAL, PROMPT, Color, LanguageModelSuite

SECRET = "sk-secret-123"


class Tags(BaseModel):
    tags: Annotated[list[Annotated[str, Field(max_length=9)]], Field(min_length=1, max_length=3)]
    kind: str = "none"
    inner: Color | None = None


class TestFake(LanguageModelSuite):
    def model(self, text='{"word": "blue", "count": 3}', users=False):
        return FakeModel(lambda _: text, users=users)


@pytest.fixture(scope="module")
def server():
    with service() as made:
        yield made


class TestChat(LanguageModelSuite):
    @pytest.fixture(autouse=True)
    def _fresh(self, server, tmp_path):
        self.server, self.folder = server, tmp_path
        server.reset()
        self.waited = []

    def chat(self, url=None, key=SECRET, chance=lambda: 1.0, **settings):
        told = {"model": "colors", "timeout": 5.0, "tries": 4} | settings
        told = ModelSettings(url=url or self.server.url, **told)
        return Chat(told, key, self.folder, self.waited.append, chance)

    def model(self, text='{"word": "blue", "count": 3}', users=False):
        self.server.text = text
        return self.chat(users=users, cache=False)

    def failure(self, *script, asking=lambda chat: chat.ask(PROMPT, Color), **settings):
        """What is told after the script, without the key, and the client."""
        chat = self.chat(**settings)
        self.server.script = list(script)
        with pytest.raises(LanguageModelError) as caught:
            asking(chat)
        said = str(caught.value)
        assert SECRET not in said + repr(caught.value.__cause__)
        assert said.startswith(f"colors at {self.server.url}: ")
        return said, chat

    def streamed(self, *script, **settings):
        return self.failure(*script, asking=lambda chat: list(chat.stream(PROMPT)), **settings)

    def test_a_request_bears_the_prompt_the_schema_and_nothing_else(self, monkeypatch):
        for name in ("API_KEY", "ORG_ID", "PROJECT_ID", "ADMIN_KEY", "CUSTOM_HEADERS"):
            monkeypatch.setenv(f"OPENAI_{name}", "X-Other: other")
        assert self.chat(longest=50).ask(PROMPT, Color) == BLUE
        (asked,), (headers,) = self.server.asked, self.server.headers
        assert self.server.paths == ["/v1/chat/completions"]
        assert asked["messages"] == [
            {"role": "system", "content": PROMPT.system},
            {"role": "user", "content": PROMPT.user},
        ]
        assert (asked["model"], asked["temperature"], asked["max_tokens"]) == ("colors", 0, 50)
        assert asked["response_format"]["type"] == "json_schema"
        form = asked["response_format"]["json_schema"]
        assert (form["name"], form["strict"]) == ("Color", True)
        assert form["schema"]["required"] == ["word", "count"]
        assert form["schema"]["additionalProperties"] is False
        assert headers.pop("Authorization") == f"Bearer {SECRET}"
        assert "other" not in json.dumps(headers).lower()
        assert not {"openai-organization", "x-stainless-os"} & {name.lower() for name in headers}

    def test_without_a_key_none_is_sent(self, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", SECRET)
        self.chat(key=None).ask(PROMPT, Color)
        assert "Authorization" not in self.server.headers[0]

    def test_the_key_stands_nowhere(self):
        chat = self.chat(f"{self.server.url}/chat/completions?key={SECRET}")
        chat.ask(PROMPT, Color)
        assert self.server.paths == [f"/v1/chat/completions?key={SECRET}"]
        assert chat.name == f"colors at {self.server.url}"
        assert SECRET not in repr(chat) + repr(self.chat()) + repr(self.chat().settings)
        for path in self.folder.iterdir():
            assert SECRET.encode() not in path.read_bytes()

    def test_failures_that_pass_are_tried_again(self):
        chat = self.chat(tries=9)
        steps = [429, 500, "drop", "truncated", "no json", "deep", "list", 425]
        self.server.script = list(steps)
        assert chat.ask(PROMPT, Color) == BLUE
        assert self.waited == [7.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
        assert (chat.spent.requests, chat.spent.failed) == (9, 8)

    def test_silence_is_a_failure(self):
        said, chat = self.failure("hang", "hang", timeout=0.2, tries=2)
        assert "no reply that can be used in 2 tries, at last: timed out after 0.2 s" in said
        assert (chat.spent.requests, chat.spent.failed) == (2, 2)
        # it may have worked on them, so the prompts are counted, by their characters
        assert chat.spent.read == chat.estimated == 2 * -(-len(PROMPT.system + PROMPT.user) // 4)

    def test_a_reply_that_trickles_ends_at_the_timeout(self):
        start = time.monotonic()
        said, _ = self.failure("trickle", timeout=0.4, tries=1)
        assert "timed out after 0.4 s" in said
        assert time.monotonic() - start < 3

    def test_a_reply_without_an_end_is_given_up(self):
        said, _ = self.failure("huge", timeout=30, tries=1)
        assert "more than 16 MiB" in said

    def test_nobody_listens(self):
        chat = self.chat("http://127.0.0.1:9/v1", tries=2)
        with pytest.raises(
            LanguageModelError, match=r"nothing answers there.*refused.*correct url"
        ):
            chat.ask(PROMPT, Color)
        assert (chat.spent.requests, chat.spent.read) == (1, 0)

    @pytest.mark.parametrize(
        ("status", "check"),
        [(400, "format"), (401, "LLM_KEY"), (403, "LLM_KEY"), (404, "address"), (307, "redirects")],
    )
    def test_what_will_not_pass_is_told_at_once(self, status, check):
        said, chat = self.failure(status)
        assert f": {status} " in said
        assert check in said
        assert (len(self.server.asked), self.waited) == (1, [])
        assert (chat.spent.requests, chat.spent.failed, chat.spent.read) == (1, 1, 0)

    def test_pauses_are_drawn_below_a_bound_that_doubles(self):
        chat = self.chat(tries=7, wait=2.0, chance=random.Random(1).random)
        self.server.script = [500] * 6
        chat.ask(PROMPT, Color)
        bounds = [2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
        drawn = random.Random(1)
        assert self.waited == [bound * drawn.random() for bound in bounds]
        assert len({round(w / b, 6) for w, b in zip(self.waited, bounds, strict=True)}) == 6

    @pytest.mark.parametrize(
        ("named", "least", "most"),
        [("3", 3, 3), ("1000", 60, 60), ("soon", 0, 0), ("-1", 0, 0), ("nan", 0, 0)],
    )
    def test_the_time_that_a_service_names_is_waited(self, named, least, most):
        self.server.retry_after, self.server.script = named, [429]
        self.chat(chance=lambda: 0.0).ask(PROMPT, Color)
        assert least <= self.waited[0] <= most

    def test_the_time_may_be_a_date(self):
        named = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
        self.server.retry_after, self.server.script = named, [429]
        self.chat(chance=lambda: 0.0).ask(PROMPT, Color)
        assert 25 < self.waited[0] <= 30

    def test_the_model_is_told_what_does_not_fit(self):
        chat = self.chat()
        self.server.script = [{"text": '{"word": "blue"}'}, {"text": '{"word": "b'}, "empty"]
        assert chat.ask(PROMPT, Color) == BLUE
        first, second, third, fourth = (asked["messages"] for asked in self.server.asked)
        assert len(first) == 2
        assert second[2] == {"role": "assistant", "content": '{"word": "blue"}'}
        assert "count: Field required" in second[3]["content"]
        assert "JSON" in third[3]["content"]
        assert [message["role"] for message in fourth] == ["system", "user", "user"]
        assert self.waited == []
        spent = chat.spent
        assert (spent.requests, spent.failed, spent.read, spent.written) == (4, 3, 44, 28)

    def test_a_fence_around_the_json_is_no_failure(self):
        self.server.text = '```json\n{"word": "blue", "count": 3}\n```'
        assert self.chat().ask(PROMPT, Color) == BLUE

    @pytest.mark.parametrize(("step", "told"), [("cut", "longest = 1024"), ("withheld", "rules")])
    def test_a_cut_reply_is_told_at_once(self, step, told):
        said, chat = self.failure(step)
        assert told in said
        assert (chat.spent.requests, chat.spent.failed, chat.spent.written) == (1, 1, 7)

    @pytest.mark.parametrize("form", ["json_object", "none"])
    def test_without_a_schema_the_model_is_told_it(self, form):
        self.chat(format=form).ask(PROMPT, Color)
        (asked,) = self.server.asked
        assert asked.get("response_format") == ({"type": form} if form != "none" else None)
        system = asked["messages"][0]["content"]
        assert system.startswith(PROMPT.system)
        assert '"required": ["word", "count"]' in system

    def test_bounds_that_a_service_refuses_are_left_out_and_kept_here(self):
        self.server.text = '{"tags": ["a"], "kind": "b", "inner": null}'
        self.server.script = [(400, "Invalid schema for response_format: 'maxLength'")]
        chat = self.chat(tries=1)
        assert chat.ask(PROMPT, Tags).tags == ["a"]
        whole, lean = (json.dumps(asked["response_format"]) for asked in self.server.asked)
        assert '"maxLength": 9' in whole
        assert '"maxItems": 3' in whole
        assert "max" not in lean
        assert '"required": ["tags", "kind", "inner"]' in lean
        self.server.text = '{"tags": ["longer than nine"], "kind": "b", "inner": null}'
        with pytest.raises(LanguageModelError, match="at most 9 characters"):
            chat.ask(Prompt("other", "", "other"), Tags)

    def test_the_newer_name_of_the_limit_is_learned(self):
        self.server.script = [(400, "max_tokens is not known, use max_completion_tokens")]
        chat = self.chat(temperature=None, longest=9, cache=False)
        chat.ask(PROMPT, Color)
        list(chat.stream(PROMPT))
        for asked in self.server.asked[1:]:
            assert asked["max_completion_tokens"] == 9
            assert not {"max_tokens", "temperature"} & set(asked)

    @pytest.mark.parametrize("said", ["response_format: maxLength", "use max_completion_tokens"])
    def test_two_threads_learn_at_once_what_a_service_wants(self, said):
        self.server.text = '{"tags": ["a"], "kind": "b", "inner": null}'
        self.server.pause, self.server.script = 0.2, [(400, said), (400, said)]
        chat = self.chat(cache=False, tries=1)
        with ThreadPoolExecutor(2) as threads:
            found = list(threads.map(lambda _: chat.ask(PROMPT, Tags).tags, range(2)))
        assert found == [["a"], ["a"]]
        assert (chat.spent.requests, chat.spent.failed) == (4, 2)

    def test_tokens_are_estimated_where_none_are_told(self):
        self.server.script = ["no usage", 200]
        chat = self.chat(cache=False)
        chat.ask(PROMPT, Color)
        read, written = -(-len(PROMPT.system + PROMPT.user) // 4), -(-len(self.server.text) // 4)
        assert (chat.spent.read, chat.spent.written) == (read, written)
        assert chat.estimated == read + written
        chat.ask(PROMPT, Color)
        assert (chat.spent.read, chat.estimated) == (read + 11, read + written)

    def test_money_is_counted_by_the_prices(self):
        chat = self.chat(price_read=2.0, price_written=10.0, cache=False)
        for _ in range(3):
            chat.ask(PROMPT, Color)
        assert chat.spent.money == pytest.approx(3 * (11 * 2 + 7 * 10) / 1e6)
        assert chat.spent.seconds > 0

    @pytest.mark.parametrize(
        ("setting", "budget"),
        [
            ("tokens = 50", {"tokens": 50}),
            ("money = 0.0002", {"money": 2e-4, "price_written": 10.0}),
        ],
    )
    def test_a_budget_stops_before_the_next_request(self, setting, budget):
        chat = self.chat(cache=False, **budget)
        for _ in range(3):
            chat.ask(PROMPT, Color)
        with pytest.raises(SpentBudgetError, match=setting) as caught:
            chat.ask(PROMPT, Color)
        assert "3 requests read 33 and wrote 21 tokens" in str(caught.value)
        assert len(self.server.asked) == chat.spent.requests == 3
        with pytest.raises(SpentBudgetError, match="raise that setting"):
            list(chat.stream(PROMPT))

    def test_a_budget_counts_what_is_under_way(self):
        self.server.pause = 0.3
        chat = self.chat(cache=False, tokens=20)
        with ThreadPoolExecutor(4) as threads:
            asked = [threads.submit(chat.ask, PROMPT, Color) for _ in range(4)]
        errors = [each.exception() for each in asked]
        assert sum(error is None for error in errors) == 1
        assert sum(isinstance(error, SpentBudgetError) for error in errors) == 3
        assert "11 tokens are under way" in str(next(error for error in errors if error))

    def test_no_more_requests_at_once_than_the_settings_say(self):
        self.server.pause = 0.2  # so that they meet on a busy machine too
        chat = self.chat(cache=False, concurrent=2)
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(lambda _: chat.ask(PROMPT, Color), range(12)))
        assert self.server.most == 2

    def test_waiting_for_a_turn_ends(self):
        chat = self.chat(cache=False, concurrent=1, timeout=0.3)
        pieces = chat.stream(PROMPT)
        next(pieces)
        with pytest.raises(LanguageModelError, match="raise concurrent or timeout"):
            chat.ask(PROMPT, Color)
        pieces.close()
        assert chat.ask(PROMPT, Color) == BLUE

    def test_a_reply_is_kept(self):
        assert self.chat().ask(PROMPT, Color) == BLUE
        self.server.text = '{"word": "red", "count": 1}'
        again = self.chat()
        assert again.ask(PROMPT, Color) == BLUE
        assert (again.spent.cached, again.spent.requests, again.spent.read) == (1, 0, 0)
        others = [
            (self.chat(temperature=1.0), PROMPT),
            (self.chat(longest=9), PROMPT),
            (self.chat(model="other"), PROMPT),
            (self.chat(self.server.url + "/v2"), PROMPT),
            (self.chat(), Prompt("colors", PROMPT.system, "other")),
            (self.chat(), Prompt("colors", "other", PROMPT.user)),
            (self.chat(cache=False), PROMPT),
        ]
        for chat, prompt in others:
            assert chat.ask(prompt, Color).word == "red"
        self.server.text = '{"tags": ["a"]}'
        assert self.chat().ask(PROMPT, Tags).tags == ["a"]

    def test_threads_keep_replies_side_by_side(self):
        prompts = [Prompt("colors", "", str(number)) for number in range(60)]
        for cached in (0, 60):
            chat = self.chat()
            with ThreadPoolExecutor(4) as threads:
                found = list(threads.map(lambda prompt: chat.ask(prompt, Color), prompts))  # noqa: B023
            assert found == [BLUE] * 60
            assert (chat.spent.cached, chat.spent.requests) == (cached, 60 - cached)
            assert chat.notes == ()

    def test_another_process_finds_what_is_kept(self):
        self.chat().ask(PROMPT, Color)
        code = (
            "import sys; sys.path[:0] = sys.argv[1].split()\n"
            "from test_client import *\n"
            "chat = Chat(ModelSettings(url=sys.argv[2], model='colors'), None, sys.argv[3])\n"
            "print(chat.ask(PROMPT, Color) == BLUE, chat.spent.cached, chat.spent.requests)"
        )
        here = " ".join(map(str, Path(__file__).parents[:2]))
        command = [sys.executable, "-c", code, here, self.server.url, str(self.folder)]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        assert found.stdout.split() == ["True", "1", "0"]
        assert len(self.server.asked) == 1

    def test_what_is_about_a_user_is_never_kept(self):
        chat = self.chat(users=True)
        for _ in range(2):
            chat.ask(PERSONAL, Color)
        assert (chat.spent.cached, chat.spent.requests) == (0, 2)
        assert list(self.folder.iterdir()) == []

    def test_a_damaged_cache_is_put_aside_and_told(self):
        self.chat().ask(PROMPT, Color)
        (file,) = self.folder.glob("*.sqlite")
        file.write_bytes(b"not a database, but a file of someone else's " * 100)
        chat = self.chat()
        assert chat.ask(PROMPT, Color) == BLUE
        assert chat.spent.requests == 1
        assert "replies.0.sqlite was damaged" in chat.notes[0]
        assert (self.folder / "replies.0.aside").read_bytes().startswith(b"not a database")
        again = self.chat()
        assert again.ask(PROMPT, Color) == BLUE
        assert (again.spent.cached, again.notes) == (1, ())

    def test_a_folder_that_cannot_be_written_costs_only_the_cache(self):
        file = self.folder / "file"
        file.write_text("")
        told = ModelSettings(url=self.server.url, model="colors")
        chat = Chat(told, None, file / "folder")
        assert chat.ask(PROMPT, Color) == BLUE
        assert "no cache in" in chat.notes[0]

    def test_a_stream_is_tried_again_before_it_begins(self):
        chat = self.chat()
        self.server.script = [503, "drop"]
        assert json.loads("".join(chat.stream(PROMPT))) == BLUE.model_dump()
        assert self.waited == [1.0, 2.0]
        spent = chat.spent
        # the lost one may have been worked on: its prompt is counted by its characters
        assert (spent.requests, spent.failed, spent.read, spent.written) == (3, 2, 22, 7)
        assert chat.estimated == 11
        assert self.server.asked[-1]["stream_options"] == {"include_usage": True}

    @pytest.mark.parametrize(
        ("step", "told"),
        [
            ("breaks", "the reply broke off before its end"),
            ("silence", "timed out after 0.4 s"),
            ("stalls", "timed out after 0.4 s"),
            ("odd", "expected a JSON object"),
        ],
    )
    def test_a_stream_that_fails_midway_is_an_error(self, step, told):
        said, chat = self.streamed(step, timeout=0.4)
        assert f"a streamed reply failed: {told}" in said
        assert (chat.spent.requests, chat.spent.failed) == (1, 1)
        assert 0 < chat.spent.written <= chat.estimated

    def test_a_stream_that_is_cut_is_an_error(self):
        said, chat = self.streamed("cut", longest=40)
        assert "longest = 40" in said
        assert chat.spent.written > 0

    def test_a_stream_that_is_refused(self):
        said, _ = self.streamed(401)
        assert "check the key" in said

    def test_half_a_stream_is_counted(self):
        chat = self.chat()
        pieces = chat.stream(PROMPT)
        assert next(pieces) == self.server.text[:8]
        pieces.close()
        assert (chat.spent.requests, chat.spent.failed, chat.spent.written) == (1, 0, 2)

    @pytest.mark.parametrize(
        "url", ["localhost:8000/v1", "file:///etc", "http://a:b@c/v1", "", "http://a:x/"]
    )
    def test_what_is_no_address(self, url):
        with pytest.raises(ConfigError, match="expected the address of an API") as caught:
            self.chat(url or "v1")
        assert "a:b" not in str(caught.value)

    def test_a_key_that_no_header_can_bear(self):
        with pytest.raises(ConfigError, match="plain characters") as caught:
            self.chat(key=SECRET + "\n")
        assert SECRET not in str(caught.value)

    def test_without_the_package(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "openai", None)
        with pytest.raises(MissingExtraError, match=r"\.\[llm\]"):
            self.chat()

    def test_connections_are_closed_with_the_client(self):
        before = threading.active_count()
        for _ in range(3):
            self.chat(cache=False).ask(PROMPT, Color)
        gc.collect()
        end = time.monotonic() + 5
        while threading.active_count() > before and time.monotonic() < end:
            time.sleep(0.02)
        assert threading.active_count() <= before
