"""Pseudonyms and consent: what stands of people in DATA, and what does not."""

import hmac
import json
from hashlib import sha256

import duckdb
import pytest
from typer.testing import CliRunner

from penchant import load, load_dataset
from penchant.cli import app
from penchant.data.cleaning.pseudonyms import pseudonym
from penchant.data.ingest import ingest
from penchant.errors import ConfigError
from penchant.storage.signing_key import SigningKey, load_key

FILES = {
    "events.csv": "user,item,behavior,timestamp\n"
    "ann,a,buy,2024-01-01\nann,b,buy,2024-01-02\nbo,b,buy,2024-01-03\ncy,a,buy,2024-01-04\n"
    "dan,a,buy,2024-01-05\neve,b,buy,2024-01-06\n",
    "users.csv": "user,plan,Consent\nann,x,yes\nbo,y,No\ncy,y,\ndan,x,0\n,x,no\nfay,x,false\n",
    "friends.csv": "user,friend\nann,bo\nann,cy\n",
    "seen.csv": "user,item,clicked\nann,a,1\nbo,a,1\nbo,b,0\n",
}


@pytest.fixture
def files(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def given(files, **changes):
    """What ``ingest`` is told."""
    return {
        "events": files / "events.csv",
        "out": files / "data",
        "users": files / "users.csv",
        "relations": files / "friends.csv",
        "impressions": files / "seen.csv",
    } | changes


def cells(folder):
    """Every text in the files of a DATA directory."""
    found = set()
    for file in folder.glob("*.parquet"):
        for row in duckdb.sql(f"select * from '{file}'").fetchall():
            found |= {str(cell) for cell in row}
    return found


def test_ids_become_keyed_digests_in_every_table(files):
    key = load_key(files / "key")
    report = ingest(**given(files, pseudonyms=key))
    expected = hmac.new(key.secret, b"pseudonym\0ann", sha256).hexdigest()[:32]
    assert pseudonym("ann", key) == expected != pseudonym("ann", SigningKey(bytes(32)))
    there = cells(files / "data")
    assert expected in there
    assert not {"ann", "bo", "cy", "dan", "eve", "fay"} & there
    text = "".join(f.read_bytes().hex() for f in (files / "data").iterdir())
    assert key.secret.hex() not in text
    assert key.secret.hex().encode().hex() not in text
    plain = ingest(**given(files, out=files / "plain"))
    assert report.rows == plain.rows
    shown = json.dumps(report.to_dict())
    assert not [name for name in ("ann", "eve") if f'"{name}"' in shown]
    assert any(key.id in note and "pseudonyms" in note for note in report.notes)
    # the same people as before, under other names
    data, other = load_dataset(files / "data"), load_dataset(files / "plain")
    assert sorted(pseudonym(user, key) for user in other.users.ids) == list(data.users.ids)
    ((who, friend),) = data.relations
    assert data.users.ids[who] == expected
    assert data.users.ids[friend] == pseudonym("cy", key)


def test_a_run_on_pseudonyms_is_asked_by_the_pseudonym(files):
    def penchant(*arguments):
        done = CliRunner().invoke(app, [str(part) for part in arguments])
        assert done.exit_code == 0, f"{done.output} {done.exception!r}"
        return done.stdout

    key, run = files / "key", files / "run"
    told = penchant("ingest", files / "events.csv", "--out", files / "data", "--pseudonyms", key)
    assert "a new key was made" in told
    penchant("fit", files / "data", "--out", run, "--model", "transition")
    name = penchant("pseudonym", "ann", "--key", key).strip()
    assert name == json.loads(penchant("pseudonym", "ann", "--key", key, "--json"))["pseudonym"]
    assert len(load(run).dataset.history(name).events) == 2
    more = files / "more.csv"
    more.write_text("user,item,behavior,timestamp\nann,c,buy,2024-02-01\nbo,c,buy,2024-02-01\n")
    found = json.loads(penchant("update", run, "--events", more, "--pseudonyms", key, "--json"))
    assert (found["events"], found["users"]) == (2, 0)
    assert len(load(run).dataset.history(name).events) == 3
    # tombstones are of pseudonyms then, and hold against the plain files
    penchant("forget", run, "--user", name)
    found = json.loads(penchant("update", run, "--events", more, "--pseudonyms", key, "--json"))
    assert (found["events"], found["users"]) == (1, 0)
    done = CliRunner().invoke(app, ["pseudonym", "ann", "--key", str(files / "no")])
    assert isinstance(done.exception, ConfigError)


def test_who_does_not_consent_leaves_no_statistics(files):
    report = ingest(**given(files))
    found = {(f.table, f.action): f.count for f in report.findings if f.rule == "no_consent"}
    assert found == {
        ("events", "dropped"): 2,
        ("relations", "dropped"): 1,
        ("impressions", "dropped"): 2,
        ("users", "unset"): 3,
    }
    assert not [f for f in report.findings if f.rule == "no_consent" and f.examples]
    data = load_dataset(files / "data")
    rows = dict(zip(data.users.ids, data.attributes["plan"], strict=True))
    # the refusal stays, so that a service keeps to it; nothing else does
    assert rows == {"ann": "x", "bo": None, "cy": "y", "dan": None, "eve": None, "fay": None}
    said = dict(zip(data.users.ids, data.attributes["Consent"], strict=True))
    assert (said["bo"], said["dan"], said["ann"], said["cy"]) == ("No", "0", "yes", None)
    acting = {data.users.ids[user] for user in data.events.user}
    assert acting == {"ann", "cy", "eve"}


def test_a_blank_consent_is_what_the_mapping_says(files):
    (files / "map.toml").write_text('[users.constants]\nConsent = "no"\n')
    ingest(**given(files, mapping=files / "map.toml"))
    data = load_dataset(files / "data")
    assert {data.users.ids[user] for user in data.events.user} == {"ann", "eve"}


def test_of_two_answers_the_refusal_counts(files):
    (files / "users.csv").write_text("user,plan,consent\nann,x,yes\nann,y,no\nbo,y,yes\n")
    ingest(**given(files))
    data = load_dataset(files / "data")
    row = data.users.rows(["ann"])[0]
    assert (data.attributes["consent"][row], data.attributes["plan"][row]) == ("no", None)
    assert not (data.events.user == row).any()
