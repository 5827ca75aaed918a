"""A service of embeddings on loopback that does what a script says."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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
