"""From contents to rows and their cache, with an encoder whose rows are known."""

import multiprocessing
import sqlite3
import threading
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from penchant.errors import DataError, UnreadableError
from penchant.features.encoders import progress
from penchant.features.encoders.base import encoded
from penchant.features.encoders.cache import Cache
from penchant.features.encoders.text import TextEncoder
from penchant.storage.sqlite_cache import default_folder
from penchant.testing.encoders import EncoderSuite, run, same

VOWELS = "aeiou"


class Vowels(TextEncoder):
    """How often each vowel stands in a text."""

    name = "vowels"
    width = 5

    def __init__(self, limit=100, batch=2):
        super().__init__(limit)
        self.batch = batch
        self.key = f"vowels {limit}"
        self.seen = []

    def prepare(self, content):
        text = super().prepare(content)
        if "?" in text:
            raise UnreadableError("a question")
        return text

    def encode(self, batch):
        self.seen.append(list(batch))
        if any("!" in text for text in batch):
            raise UnreadableError("an exclamation")
        rows = np.array([[text.count(vowel) for vowel in VOWELS] for text in batch], np.float32)
        rows[["inf" in text for text in batch]] = np.inf
        return rows


class TestVowels(EncoderSuite):
    def encoder(self):
        return Vowels()

    def others(self):
        return [Vowels(limit=3)]

    def good(self, folder):
        return ["banana", "apple", "cherry", "kiwi", "plum", "orange"]

    def bad(self, folder):
        return {
            "why?": "a question",
            "oh!": "an exclamation",
            " \t\n\u200b": "empty",
            "": "empty",
            "hm": "zeros",
            "infinite": "not finite",
        }


def test_one_refused_content_costs_its_batch_nothing():
    encoder = Vowels(batch=3)
    result = run(encoder, ["one", "two!", "three", "four"])
    same(result.present, [True, False, True, True])
    assert encoder.seen == [["one", "two!", "three"], ["one"], ["two!"], ["three"], ["four"]]


def test_long_texts_are_cut_and_counted():
    encoder = Vowels(limit=4)
    result = run(encoder, ["a" * 100_000, "aaaa", "é" * 4 + "a", "éaaé", None])
    assert result.rows[:, 0].tolist() == [4, 4, 0, 2, 0]
    assert result.cut == ("i0",)
    assert result.unread[0].item == "i2"


def test_a_run_that_was_interrupted_goes_on_where_it_was(tmp_path):
    texts = [f"{'a' * n} text" for n in range(10)]

    class Stopped(Vowels):
        def encode(self, batch):
            if len(self.seen) == 3:
                raise KeyboardInterrupt
            return super().encode(batch)

    with pytest.raises(KeyboardInterrupt):
        run(Stopped(), texts, Cache(tmp_path))
    result = run(Vowels(), texts, Cache(tmp_path))
    assert (result.made, result.cached) == (4, 6)
    same(result.rows, run(Vowels(), texts).rows)


def test_the_wrong_shape_is_the_encoders_fault():
    class Wide(Vowels):
        width = 6

    with pytest.raises(DataError, match="expected rows of shape"):
        run(Wide(), ["a"])
    with pytest.raises(DataError, match="for each of 1 items, received 2"):
        encoded(Vowels(), ["a"], ["a", "b"], cache=None)


def test_a_file_that_changes_meanwhile_is_told(tmp_path):
    class Once(Vowels):
        def __init__(self):
            super().__init__()
            self.loads = 0

        def load(self, source):
            self.loads += 1
            return f"aeiou {self.loads}".encode()

    assert run(Once(), ["a"]).unread[0].reason == "changed while it was read"


def test_contents_are_decoded_in_other_threads_and_encoded_in_this_one():
    threads = {"prepare": set(), "encode": set()}

    class Watched(Vowels):
        def prepare(self, content):
            threads["prepare"].add(threading.get_ident())
            return super().prepare(content)

        def encode(self, batch):
            threads["encode"].add(threading.get_ident())
            return super().encode(batch)

    run(Watched(), ["a", "e", "i"])
    assert threads["encode"] == {threading.get_ident()}
    assert not threads["prepare"] & threads["encode"]


def test_progress_is_told_at_a_readable_rate(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock) * 1.0)
    told = []
    work = progress.ProgressLog("work", 40, told.append, between=3)
    for _ in range(10):
        work.add(4)
    assert told == [
        "work: 12 of 40, 4 a second, 7 s left",
        "work: 24 of 40, 4 a second, 4 s left",
        "work: 36 of 40, 4 a second, 1 s left",
    ]


def test_the_outcome_is_told(tmp_path):
    told = []
    texts = ["aa", "why?", "e" * 200]
    encoded(Vowels(), ["a", "b", "c"], texts, cache=Cache(tmp_path), progress=told.append)
    assert len(told) == 1
    assert told[0].startswith("text by vowels: 2 encoded, 0 from the cache, 1 unread, 1 cut, in ")


class TestCache:
    key = "an encoder"
    content = sha256(b"content").digest()
    row = np.array([1.5, -2.0, 0.0], np.float32)

    def test_it_keeps_rows_by_encoder_and_content(self, tmp_path):
        with Cache(tmp_path).shelf(self.key, 3) as shelf:
            assert shelf.get([self.content]) == {}
            shelf.put({self.content: self.row})
            same(shelf.get([b"other", self.content])[self.content], self.row)
        with Cache(tmp_path).shelf("another", 3) as shelf:
            assert shelf.get([self.content]) == {}
        assert len(list(tmp_path.glob("*.sqlite"))) == 2

    def test_many_contents_are_asked_for_at_once(self, tmp_path):
        contents = [n.to_bytes(32, "big") for n in range(2345)]
        with Cache(tmp_path).shelf(self.key, 3) as shelf:
            shelf.put({content: self.row + n for n, content in enumerate(contents)})
            found = shelf.get(contents)
        assert list(found) == contents
        same(found[contents[-1]], self.row + 2344)

    @pytest.mark.parametrize("damage", ["garbage", "foreign", "header", "middle"])
    def test_a_damaged_file_is_told_and_made_anew(self, tmp_path, damage):
        contents = [n.to_bytes(32, "big") for n in range(500)]
        with Cache(tmp_path).shelf(self.key, 3) as shelf:
            shelf.put(dict.fromkeys(contents, self.row))
            path = shelf.path
        whole = path.read_bytes()
        assert len(whole) > 16_384
        if damage == "garbage":
            path.write_bytes(b"this is no database at all" * 1000)
        elif damage == "foreign":
            path.unlink()
            with sqlite3.connect(path) as other:
                other.execute("CREATE TABLE rows (this, that)")
            other.close()
        elif damage == "header":
            path.write_bytes(b"\0" * 100 + whole[100:])
        else:
            path.write_bytes(whole[:8192] + b"\xff" * 8192 + whole[16_384:])
        with Cache(tmp_path).shelf(self.key, 3) as shelf:
            found = shelf.get(contents)
            assert len(found) < len(contents)
            for row in found.values():
                same(row, self.row)
            assert len(shelf.notes) == 1
            assert f"{path.name} was damaged" in shelf.notes[0]
            shelf.put(dict.fromkeys(contents, self.row))
            assert len(shelf.get(contents)) == len(contents)
        with Cache(tmp_path).shelf(self.key, 3) as shelf:
            assert len(shelf.get(contents)) == len(contents)
            assert shelf.notes == []
        assert [file.name for file in tmp_path.glob("*.sqlite")] == [shelf.path.name]

    def test_a_row_that_lost_a_bit_is_made_again(self, tmp_path):
        with Cache(tmp_path).shelf(self.key, 3) as shelf:
            shelf.put({self.content: self.row})
            path = shelf.path
        data = self.row.tobytes()
        whole = path.read_bytes()
        assert whole.count(data) == 1
        path.write_bytes(whole.replace(data, bytes([data[0] ^ 1]) + data[1:]))
        with Cache(tmp_path).shelf(self.key, 3) as shelf:
            assert shelf.get([self.content]) == {}
            shelf.put({self.content: self.row})
            same(shelf.get([self.content])[self.content], self.row)

    def test_a_folder_that_cannot_be_written_costs_time_only(self, tmp_path):
        (tmp_path / "file").touch()
        result = run(Vowels(), ["a", "e"], Cache(tmp_path / "file" / "folder"))
        assert result.present.all()
        assert "no cache in" in result.notes[0]

    def test_processes_share_it(self, tmp_path):
        spawn = multiprocessing.get_context("spawn")
        workers = [spawn.Process(target=write, args=(tmp_path, n)) for n in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(120)
            assert worker.exitcode == 0
        with Cache(tmp_path).shelf("shared", 2) as shelf:
            found = shelf.get([n.to_bytes(32, "big") for n in range(60)])
        assert {int.from_bytes(content, "big"): row[0] for content, row in found.items()} == {
            n: n for n in range(60)
        }

    def test_where_it_is_kept(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("PENCHANT_CACHE", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", "")
        assert default_folder() == tmp_path / ".cache" / "penchant"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert default_folder() == tmp_path / "xdg" / "penchant"
        monkeypatch.setenv("PENCHANT_CACHE", str(tmp_path / "named"))
        assert Cache().folder == tmp_path / "named"
        assert Cache(tmp_path).folder == tmp_path


def write(folder: Path, worker: int) -> None:
    """Forty rows, of which half are another worker's too, each in a batch of its own."""
    with Cache(folder).shelf("shared", 2) as shelf:
        for step in range(40):
            n = (20 * worker + step) % 60
            shelf.put({n.to_bytes(32, "big"): np.array([n, worker], np.float32)})
        assert shelf.notes == []
