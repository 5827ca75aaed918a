"""The service under load: how fast a list is, that nothing is stale, and that nothing is lost.

    python benchmarks/serving_load.py RUN --make            # a generated world, both experts
    python benchmarks/serving_load.py TEXT --make --text    # the same, titles read too
    python benchmarks/serving_load.py RUN [TEXT] --out benchmarks/results/serving.json \\
      [--postgres postgresql+psycopg://...]

The service is `penchant serve` with two workers over loopback, the load this process beside it.
"""

import argparse
import json
import os
import queue
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from new_item import KINDS, described
from penchant import fit, from_columns, load
from penchant.config import Recipe
from penchant.data.dataset import Histories
from penchant.serve.store.store import Store

MARKS = {"p50_ms": 8.0, "p99_ms": 20.0, "events_per_second": 3000.0}
LENGTH = 100  # events of a history
RECIPE = Recipe.load(
    overrides=[
        "search.budget=1",
        "transition.candidates=100",
        "sequence.epochs=1",
        "users.attributes=[]",
    ]
)


def world(items: int, users: int, seed: int, length: int = LENGTH) -> Any:
    """Users who mostly stay with two kinds of items, of whom each has ``length`` events."""
    rng = np.random.default_rng(seed)
    kind, tags, _ = described(rng, items)
    order = np.argsort(kind, kind="stable")
    start = np.searchsorted(kind[order], np.arange(KINDS + 1))
    likes = rng.integers(0, KINDS, (users, 2))
    liked = likes[np.repeat(np.arange(users), length), rng.integers(0, 2, users * length)]
    stray = rng.random(len(liked)) < 0.2
    liked[stray] = rng.integers(0, KINDS, stray.sum())
    place = rng.random(len(liked)) ** 2 * np.diff(start)[liked]
    item = order[start[liked] + place.astype(int)]
    names = np.array([f"item {place:06}" for place in range(items)], object)
    first = 1_700_000_000_000
    return from_columns(
        np.repeat([f"user {user:06}" for user in range(users)], length),
        names[item],
        np.where(rng.random(len(item)) < 0.3, "buy", "view").astype(object),
        first + np.arange(users * length) * 1000,
        items={"item": names, "title": [f"Thing {name}" for name in names], "tags": tags},
        time="clock",
        target="buy",
        name=f"{items:,} items",
    )


@dataclass
class Service:
    """A running `penchant serve`."""

    process: subprocess.Popen[str]
    port: int

    def workers(self) -> list[int]:
        """The processes that serve."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", "spawn_main"],
            capture_output=True,
            text=True,
            check=False,
        )
        return [int(line) for line in found.stdout.split()]

    def metrics(self) -> str:
        """What Prometheus would read."""
        with Client(self.port) as client:
            client.connection.request("GET", "/metrics")
            return client.connection.getresponse().read().decode()


@contextmanager
def service(run: Path, database: str, workers: int = 2, port: int = 0) -> Iterator[Service]:
    """`penchant serve` on a free port, ready when the block begins."""
    command = [sys.executable, "-m", "penchant.cli", "serve", str(run), "--open", "--rate", "0"]
    command += ["--database", database, "--workers", str(workers), "--port", str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout is not None
    reader = threading.Thread(target=process.stdout.read, daemon=True)
    try:
        line = process.stdout.readline()
        told = re.search(r"http://[^:]+:(\d+)", line)
        assert told, f"the service said {line!r}"
        reader.start()
        found = Service(process, int(told[1]))
        ready(found, workers)
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if reader.ident is not None:
            reader.join()
        process.stdout.close()


def ready(found: Service, workers: int, seconds: float = 180.0) -> float:
    """Wait until as many workers as there are have answered; seconds that it took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            with Client(found.port) as client:
                status, _ = client.ask("GET", "/readyz")
            if status == 200 and len(found.workers()) >= workers:
                return time.monotonic() - began
        except (OSError, HTTPException):
            pass
        time.sleep(0.05)
    raise TimeoutError("the service did not come up")


class Client:
    """One connection that is kept open; opened anew where the other side has ended."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer; OSError where there was none."""
        sent = None if body is None else json.dumps(body).encode()
        headers = {} if sent is None else {"Content-Type": "application/json"}
        try:
            self.connection.request(method, path, sent, headers)
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, HTTPException) as error:
            self.connection.close()
            raise OSError(str(error)) from error


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds below which half, 99 % and all of some times lie."""
    ms = np.sort(np.array(seconds)) * 1000
    return {
        "p50_ms": float(np.quantile(ms, 0.5)),
        "p90_ms": float(np.quantile(ms, 0.9)),
        "p99_ms": float(np.quantile(ms, 0.99)),
        "most_ms": float(ms[-1]),
    }


def latency(port: int, users: Sequence[str], rate: float, seconds: float) -> dict[str, Any]:
    """Times of lists at a fixed rate, from when each was due: a late start counts as waiting."""
    count = int(rate * seconds)
    times, failed = [0.0] * count, []
    clients: queue.SimpleQueue[Client] = queue.SimpleQueue()
    for _ in range(16):
        clients.put(Client(port))
    began = time.perf_counter() + 0.2

    def one(number: int) -> None:
        due = began + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        client = clients.get()
        path = f"/users/{quote(users[number % len(users)])}/recommendations"
        status, _ = client.ask("GET", path)
        times[number] = time.perf_counter() - due
        clients.put(client)
        if status != 200:
            failed.append(status)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(count)))
    for _ in range(16):
        clients.get().connection.close()
    return {"rate": rate, "requests": count, "failed": len(failed), **quantiles(times)}


def most(port: int, users: Sequence[str], seconds: float, at_once: int = 4) -> float:
    """Lists a second where each of some clients asks again as soon as it has an answer."""
    ends = time.perf_counter() + seconds

    def one(number: int) -> int:
        done = 0
        with Client(port) as client:
            while time.perf_counter() < ends:
                user = users[(number * 977 + done) % len(users)]
                assert client.ask("GET", f"/users/{quote(user)}/recommendations")[0] == 200
                done += 1
        return done

    with ThreadPoolExecutor(at_once) as pool:
        return sum(pool.map(one, range(at_once))) / seconds


def events_per_second(
    port: int, users: Sequence[str], items: Sequence[str], seconds: float, batch: int = 100
) -> dict[str, Any]:
    """Events that are on disk when they are answered, in batches, by two clients."""
    ends = time.perf_counter() + seconds

    def one(number: int) -> tuple[int, list[float]]:
        rng, client, kept, times = random.Random(number), Client(port), 0, []
        while time.perf_counter() < ends:
            body = [
                {"user": rng.choice(users), "item": rng.choice(items), "behavior": "view"}
                for _ in range(batch)
            ]
            began = time.perf_counter()
            status, found = client.ask("POST", "/events", body)
            times.append(time.perf_counter() - began)
            assert (status, found["accepted"]) == (200, batch)
            kept += batch
        client.connection.close()
        return kept, times

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(one, range(2)))
    times = [second for _, some in found for second in some]
    return {"events_per_second": sum(kept for kept, _ in found) / seconds, **quantiles(times)}


def stale(
    port: int, predicted: Callable[[str, list[Any]], Any], users: Sequence[str], rounds: int
) -> dict[str, Any]:
    """Each user posts an event and asks for a list, again and again, all users at once.

    The scores of the list must be those that ``predicted`` gives for all that was posted.
    """

    def one(user: str) -> tuple[int, int, float]:
        client, posted, late, wrong, moved = Client(port), [], 0, 0, 0.0
        path = f"/users/{quote(user)}/recommendations?k=50"
        before = client.ask("GET", path)[1]["items"]
        for number in range(rounds):
            named, watched = before[number % 5]["item"], before[10]["item"]
            event = {"user": user, "item": named, "behavior": "buy"}
            event["timestamp"] = 1_790_000_000_000 + len(posted)
            status, _ = client.ask("POST", "/events", event)
            assert status == 200
            posted.append(event)
            with Client(port) as other:  # a new connection: any worker may have it
                rows = other.ask("GET", path)[1]["items"]
            score = predicted(user, posted)
            held = {row["item"]: row["score"] for row in rows if row["source"] != "popular"}
            late += named in held
            wrong += any(abs(held[item] - score(item)) > 1e-6 for item in held)
            was = next(row["score"] for row in before if row["item"] == watched)
            moved += abs(held.get(watched, was) - was)
            before = rows
        client.connection.close()
        return late, wrong, moved

    with ThreadPoolExecutor(len(users)) as pool:
        found = list(pool.map(one, users))
    late, wrong, moved = (sum(part) for part in zip(*found, strict=True))
    return {
        "rounds": rounds * len(users),
        "at_once": len(users),
        "stale": int(late + wrong),
        "mean_change": moved / (rounds * len(users)),
    }


def scorer(run: Path) -> Callable[[str, list[Any]], Any]:
    """Scores that a run gives after posted events: by the library, without the service."""
    model = load(run)
    data, catalogue, lock = model.dataset, model.dataset.catalogue, threading.Lock()

    def predicted(user: str, posted: list[Any]) -> Any:
        past = data.history(user).events
        rows = catalogue.items.rows(event["item"] for event in posted)
        fresh = replace(
            past.take(np.zeros(len(posted), np.int64)),
            item=rows,
            behavior=np.array([catalogue.behavior(e["behavior"]) for e in posted]),
            # an item that nobody has met has no domain of its own; here there is only one
            domain=np.maximum(catalogue.domain[rows], 0 if len(catalogue.domains) == 1 else -1),
            time=np.array([event["timestamp"] for event in posted]),
        )
        events = past + fresh
        given = Histories(data.users.rows([user]), np.array([0, len(events)]), events)
        with lock:
            scores = model.recommender.score(given)[0]
        return lambda item: scores[catalogue.items.index[item]]

    return predicted


def killed(
    run: Path, database: str, items: Sequence[str], kills: int, workers: int = 2
) -> dict[str, Any]:
    """Kill workers with SIGKILL while clients write; what was answered must be there, once."""
    answered: set[str] = set()
    ending, lock, back = threading.Event(), threading.Lock(), []
    with service(run, database, workers) as found:

        def write(number: int) -> None:
            client, batch = Client(found.port), 0
            while not ending.is_set():
                names = [f"{number}-{batch}-{place}" for place in range(20)]
                body = [
                    {"event_id": name, "user": f"w{number}", "item": items[0], "behavior": "view"}
                    for name in names
                ]
                try:  # sent again under the same identifiers until there is an answer
                    status, _ = client.ask("POST", "/events", body)
                except OSError:
                    time.sleep(0.01)
                    continue
                if status == 200:
                    with lock:
                        answered.update(names)
                    batch += 1
            client.connection.close()

        writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for writer in writers:
            writer.start()
        rng = random.Random(0)
        for _ in range(kills):
            time.sleep(0.3)
            alive = found.workers()
            for one in alive if rng.random() < 0.5 else [rng.choice(alive)]:
                os.kill(one, signal.SIGKILL)
            back.append(ready(found, workers))
        time.sleep(0.5)
        ending.set()
        for writer in writers:
            writer.join()
    store = Store(database)
    kept = [event.id for event in store.events_between(0, store.last_numbers()[0])]
    store.close()
    return {
        "kills": kills,
        "answered": len(answered),
        "lost": len(answered - set(kept)),
        "twice": len(kept) - len(set(kept)),
        "seconds_to_return": max(back),
    }


def measured(
    run: Path, address: Callable[[str], str], seconds: float, kills: int
) -> dict[str, Any]:
    """All of it over one kind of database."""
    model = load(run)
    users, items = model.dataset.users.ids, model.dataset.catalogue.items.ids
    lengths = np.diff(model.dataset.events.indptr(len(users)))
    asked = [users[row] for row in np.flatnonzero(lengths >= LENGTH)[:500]]
    found: dict[str, Any] = {
        "database": address("load").split(":")[0].split("+")[0],
        "reads": ", ".join(model.dataset.catalogue.modalities),
        "family": model.family,
        "items": len(items),
        "history": LENGTH,
    }
    with service(run, address("load")) as served:
        latency(served.port, asked, 20, 5)  # both workers are warm
        found["lists"] = latency(served.port, asked, 50, seconds)
        found["lists_per_second"] = most(served.port, asked, seconds / 3)
        found["events"] = events_per_second(served.port, users, items, seconds / 2)
    with service(run, address("stale")) as served:
        found["stale"] = stale(served.port, scorer(run), asked[:20], 50)
    found["killed"] = killed(run, address("killed"), items, kills)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, nargs="+")
    parser.add_argument("--make", action="store_true", help="fit the generated world into RUN")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=8000)
    parser.add_argument("--text", action="store_true", help="of --make: titles are read too")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--postgres", help="an empty database, postgresql+psycopg://...")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.make:
        content = RECIPE.content.model_copy(update={} if given.text else {"text": "none"})
        recipe = RECIPE.model_copy(update={"content": content})
        data = world(given.items, given.users, 0)
        fit(data, recipe, model="fusion", progress=print).save(given.run[0])
        return
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for place, run in enumerate(given.run):
            address = sqlite(f"{scratch}/{place}")
            rows.append(measured(run, address, given.seconds, given.kills))
            print(json.dumps(rows[-1], indent=1), flush=True)
    if given.postgres:
        address = emptied(given.postgres)
        rows.append(measured(given.run[0], address, given.seconds, given.kills))
        print(json.dumps(rows[-1], indent=1))
    if given.out:
        found = {"marks": MARKS, "rows": rows}
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def sqlite(start: str) -> Callable[[str], str]:
    """Addresses of files of SQLite."""
    return lambda name: f"sqlite:///{start}-{name}.sqlite"


def emptied(url: str) -> Callable[[str], str]:
    """The address of a database whose tables are dropped each time it is asked for."""

    def address(name: str) -> str:
        from penchant.serve.store.tables import metadata

        store = Store(url)
        metadata.drop_all(store.engine)
        store.close()
        return url

    return address


if __name__ == "__main__":
    main()
