"""Text by services over HTTP, against one that fails in every way it is told to."""

import threading

import pytest

from embeddings_server import Service
from penchant.errors import ConfigError, DataError
from penchant.features.encoders.cache import Cache
from penchant.features.encoders.embeddings_api import EmbeddingsEndpoint, EndpointSettings
from penchant.testing.encoders import TEXTS, TextEncoderSuite, run, same


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


class TestEmbeddingsEndpoint(TextEncoderSuite):
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
