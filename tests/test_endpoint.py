"""Text by services over HTTP, against one that fails in every way it is told to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from encoder_conformance import TEXTS, TextSuite, run, same
from penchant.errors import ConfigError, DataError
from penchant.features.encoders.cache import Cache
from penchant.features.encoders.embeddings_api import EmbeddingsEndpoint, EndpointSettings


class Service(ThreadingHTTPServer):
    """An embeddings service: five counts of vowels and the length, by the words of a script.

    ``script`` holds what to do with the next requests: a status, or words for something odd.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.asked, self.paths, self.keys = [], [], [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        service = self.server
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        service.asked.append(question)
        service.paths.append(self.path)
        service.keys.append(self.headers["Authorization"])
        step = service.script.pop(0) if service.script else 200
        if step == "drop":
            self.close_connection = True
            return self.connection.close()
        if step == "slow":
            threading.Event().wait(1.0)
            return None
        body = json.dumps(self.answer(step, question)).encode()
        if step == "no json":
            body = b"<html>"
        self.send_response(step if isinstance(step, int) else 200)
        if step == 429:
            self.send_header("Retry-After", "7")
        if step == 307:
            self.send_header("Location", f"{service.url}/elsewhere")
        self.send_header("Content-Length", str(len(body) + 10 * (step == "short")))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, step, question):
        if isinstance(step, int) and step != 200:
            return {"error": f"the key {self.headers['Authorization']} will not do"}
        texts = question["input"]
        if question["model"] != "vowels":
            return {}
        rows = [[text.count(vowel) for vowel in "aeiou"] + [len(text)] for text in texts]
        data = [{"index": n, "embedding": row} for n, row in enumerate(rows)]
        if step == "too few":
            data = data[:-1]
        if step == "ragged":
            data[0]["embedding"] = data[0]["embedding"] + [0]
        return {"data": data[::-1]}

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    service = Service()
    thread = threading.Thread(target=service.serve_forever, daemon=True)
    thread.start()
    yield service
    service.shutdown()
    service.server_close()
    thread.join()


SECRET = "sk-secret-123"


class TestEmbeddingsEndpoint(TextSuite):
    @pytest.fixture(autouse=True)
    def _fresh(self, server):
        self.server = server
        server.script, server.asked, server.paths, server.keys = [], [], [], []
        self.waited = []

    def encoder(self, url=None, model="vowels", key=SECRET, **settings):
        settings = EndpointSettings(**{"batch": 4, "timeout": 10, **settings})
        return EmbeddingsEndpoint(url or self.server.url, model, key, settings, self.waited.append)

    def others(self):
        return [self.encoder(model="other"), self.encoder(limit=7), self.encoder(url="http://a/v1")]

    def failure(self, *script, **settings):
        encoder = self.encoder(**settings)
        encoder.width  # noqa: B018 - asked first
        self.server.script = list(script)
        with pytest.raises(DataError) as caught:
            run(encoder, TEXTS)
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None
        return str(caught.value)

    def test_requests_are_batched_and_bear_the_key(self):
        run(self.encoder(), TEXTS)
        assert [len(asked["input"]) for asked in self.server.asked] == [1, 4, 2]
        assert set(self.server.keys) == {f"Bearer {SECRET}"}
        assert set(self.server.paths) == {"/v1/embeddings"}
        run(self.encoder(self.server.url + "/embeddings?version=2", key=None), ["text"])
        assert self.server.paths[-1] == "/v1/embeddings?version=2"
        assert self.server.keys[-1] is None

    def test_failures_that_pass_are_tried_again(self):
        encoder = self.encoder()
        expected = run(encoder, TEXTS).rows
        self.server.script = [429, 503, "drop", "short", 200]
        same(run(encoder, TEXTS).rows, expected)
        assert self.waited == [7.0, 2.0, 4.0, 8.0]

    def test_a_service_that_stays_away_is_told_and_what_was_made_is_kept(self, tmp_path):
        encoder = self.encoder(tries=3)
        self.server.script = [200, 200, 500, 500, 500]
        with pytest.raises(DataError, match="failed 3 times, at last with: 500"):
            run(encoder, TEXTS, Cache(tmp_path))
        assert self.waited == [1.0, 2.0]
        result = run(encoder, TEXTS, Cache(tmp_path))
        assert (result.made, result.cached) == (2, 4)

    def test_silence_is_a_failure(self):
        assert "timed out" in self.failure("slow", timeout=0.2, tries=1)

    def test_nobody_listens(self):
        encoder = self.encoder("http://127.0.0.1:9/v1", tries=2)
        with pytest.raises(DataError, match=r"failed 2 times.*refused"):
            run(encoder, ["text"])

    @pytest.mark.parametrize("status", [401, 403, 404, 307])
    def test_what_will_not_pass_is_not_tried_again(self, status):
        said = self.failure(status)
        assert f"vowels at {self.server.url}: {status}" in said
        assert self.waited == []
        assert len(self.server.asked) == 2

    @pytest.mark.parametrize("answer", ["no json", "too few", "ragged"])
    def test_odd_answers_are_told(self, answer):
        assert "expected" in self.failure(answer)

    def test_one_refused_text_costs_the_others_nothing(self):
        encoder = self.encoder()
        expected = run(encoder, TEXTS).rows
        # the first batch is refused, then the second of its texts
        self.server.script = [400, 200, 400, 200, 200, 200]
        result = run(encoder, TEXTS)
        assert [unread.item for unread in result.unread] == ["i1"]
        assert result.unread[0].reason.startswith("refused by the service: 400")
        assert SECRET not in result.unread[0].reason
        same(result.rows[[0, 2, 3, 4, 5]], expected[[0, 2, 3, 4, 5]])

    def test_another_model_is_told_at_once(self):
        with pytest.raises(DataError, match="check that the address"):
            run(self.encoder(model="other"), TEXTS)
        self.server.script = [400]
        with pytest.raises(DataError, match="check the model's name"):
            run(self.encoder(), TEXTS)

    def test_the_key_stands_nowhere(self):
        encoder = self.encoder("http://127.0.0.1:1/v1?key=" + SECRET)
        assert SECRET not in encoder.key + encoder.name + repr(encoder)

    @pytest.mark.parametrize("url", ["localhost:8000/v1", "file:///etc", "http://a:b@c/v1", ""])
    def test_what_is_no_address(self, url):
        with pytest.raises(ConfigError, match="expected the address of an API"):
            EmbeddingsEndpoint(url, "model")

    def test_a_key_that_no_header_can_bear(self):
        with pytest.raises(ConfigError, match="plain characters") as caught:
            EmbeddingsEndpoint("http://127.0.0.1/v1", "model", SECRET + "\n")
        assert SECRET not in str(caught.value)
