"""The planted worlds: what they promise is so, the same on every machine."""

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from penchant.data.splitting.split import split
from penchant.data.synthetic.corruption import BOTS, FIELDS
from penchant.data.synthetic.world import BEHAVIORS, checkerboard, world
from penchant.errors import ConfigError
from penchant.evaluation import metrics

GOLDEN = Path(__file__).parents[1] / "golden" / "worlds.json"
KINDS = {"plain": {}, "drift": {"drift": True}, "browse_buy": {"browse_buy": True}}


@pytest.fixture(scope="module")
def plain():
    return world(users=800)


@pytest.fixture(scope="module", params=KINDS)
def each(request):
    return world(users=800, **KINDS[request.param])


def digest(made):
    """A hash of all that was drawn; the arrays are integers but for whole-numbered values."""
    e = made.events
    parts = [e.user, e.item, e.behavior, e.domain, e.time, np.nan_to_num(e.value), made.session]
    text = json.dumps([made.catalogue.items.ids, made.catalogue.titles, made.catalogue.tags])
    whole = b"".join(np.asarray(part).astype("<i8").tobytes() for part in parts)
    return hashlib.sha256(whole + text.encode()).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_is_a_world(kind):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert digest(world(users=60, items=240, seed=7, **KINDS[kind])) == golden[kind]
    assert digest(world(users=60, items=240, seed=8, **KINDS[kind])) != golden[kind]


def test_interests_are_planted(each):
    share = (each.weights > 0).sum(axis=1)
    assert set(share.tolist()) == {1, 2, 3, 4}
    for weights in (each.weights, each.later, each.buying):
        assert weights.sum(axis=1) == pytest.approx(1)
    own = (each.weights + each.later + each.buying) > 0
    kind = each.item_interest[each.events.item]
    assert own[each.events.user, kind][~each.noise].all()
    assert each.noise.mean() == pytest.approx(0.13, abs=0.02)


def test_weights_are_what_people_do(plain):
    meant = ~plain.noise
    kind = plain.item_interest[plain.events.item[meant]]
    counts = np.zeros(plain.weights.shape)
    np.add.at(counts, (plain.events.user[meant], kind), 1)
    done = counts / counts.sum(axis=1, keepdims=True)
    assert np.corrcoef(done.ravel(), plain.weights.ravel())[0, 1] > 0.9


def test_drift_moves_interests():
    made = world(users=800, drift=True)
    assert (made.weights != made.later).any(axis=1).mean() > 0.9
    kind = made.item_interest[made.events.item]
    begun = made.weights[made.events.user, kind] > 0
    place = np.arange(len(kind)) - made.events.indptr(800)[made.events.user]
    assert begun[place < 3].mean() > begun[place > 20].mean() + 0.2


def test_people_may_browse_one_interest_and_buy_another():
    made = world(users=800, browse_buy=True)
    assert not ((made.weights > 0) & (made.buying > 0)).any()
    kind = made.item_interest[made.events.item]
    bought = made.events.behavior == made.catalogue.behavior("buy")
    viewed = made.events.behavior == made.catalogue.behavior("view")
    buying = made.buying[made.events.user, kind] > 0
    assert buying[bought & ~made.noise].all()
    assert not buying[viewed & ~made.noise].any()


def test_worlds_are_varied_and_clean(each):
    data = each.dataset()
    e, catalogue = data.events, data.catalogue
    assert catalogue.items.ids == tuple(sorted(set(catalogue.items.ids)))
    assert data.users.ids == tuple(sorted(set(data.users.ids)))
    assert set(e.behavior) == set(range(len(BEHAVIORS)))
    assert (np.bincount(e.domain) > len(e) / 20).all()
    assert len(np.unique(e.user * len(catalogue) + e.item)) == len(e)
    assert (np.diff(e.time)[np.diff(e.user) == 0] > 0).all()
    assert any("一" <= letter <= "鿿" for title in catalogue.titles for letter in title)
    for kind in range(12):
        domains = {catalogue.domain[i] for i in np.flatnonzero(each.item_interest == kind)}
        assert len(domains) == 4
    owners = {}
    for tags, kind in zip(catalogue.tags, each.item_interest, strict=True):
        for tag in tags:
            owners.setdefault(tag, set()).add(int(kind))
    assert sum(len(kinds) > 1 for kinds in owners.values()) >= 6


def test_popularity_is_skewed_within_an_interest(plain):
    counts = np.bincount(plain.events.item, minlength=len(plain.catalogue))
    assert all(metrics.gini(counts[plain.item_interest == kind]) > 0.15 for kind in range(12))


def test_order_tells_more_than_popularity_and_neighbors(each):
    data = each.dataset()
    parts = split(data)
    size = len(data.catalogue)
    train, histories = parts.train, parts.test.histories
    taken = sparse.csr_array(
        (np.ones(len(train)), (train.user, train.item)), shape=(len(data.users), size)
    )
    count = np.asarray(taken.sum(axis=0)).ravel()
    together = (taken.T @ taken).toarray()
    cosine = together / np.sqrt(np.outer(count, count) + 1e-9)
    follows = np.zeros((size, size))
    same = train.user[1:] == train.user[:-1]
    np.add.at(follows, (train.item[:-1][same], train.item[1:][same]), 1)
    owner, item = histories.owner, histories.events.item
    age = histories.indptr[owner + 1] - 1 - np.arange(len(owner))
    whole = sparse.csr_array((np.ones(len(owner)), (owner, item)), shape=(len(histories), size))
    recent = sparse.csr_array((0.7**age, (owner, item)), shape=(len(histories), size))
    scores = {
        "popularity": np.tile(count, (len(histories), 1)).astype(float),
        "neighbors": whole @ cosine,
        "order": recent @ (follows / (count[:, None] + 5)),
    }
    found = {}
    for name, of in scores.items():
        of[owner, item] = -np.inf
        found[name] = metrics.ndcg(metrics.ranks(of, parts.test.truth), 10).mean()
    assert found["order"] > 1.5 * found["neighbors"]
    assert found["neighbors"] > 2 * found["popularity"]


def test_raw_files_hold_the_dirt_that_is_promised(plain, tmp_path):
    events, items = plain.write_raw(tmp_path)
    with events.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    assert tuple(header) == FIELDS
    whole = [row for row in rows if len(row) == len(FIELDS)]
    identified = Counter(row[0] for row in whole if row[0])
    anonymous = Counter(tuple(row) for row in whole if not row[0])
    with items.open(encoding="utf-8") as file:
        known = {json.loads(line)["item"] for line in file}
    found = {
        "repeated_ids": sum(count - 1 for count in identified.values()),
        "repeats": sum(count - 1 for count in anonymous.values()),
        "junk_dates": sum(row[5][:4] in ("1970", "2099") for row in whole),
        "bots": sum(row[1] in BOTS for row in whole),
        "missing_behavior": sum(not row[3] for row in whole),
        "unknown_items": sum(row[2] not in known for row in whole),
        "bad_values": sum(bool(row[6]) and not row[6].isdigit() for row in whole),
        "malformed": len(rows) - len(whole),
    }
    assert found == plain.corruption
    assert known == set(plain.catalogue.items.ids)
    added = sum(plain.corruption.values()) - plain.corruption["bad_values"]
    assert len(rows) == len(plain.events) + added


def test_raw_files_without_dirt_are_the_dataset(plain, tmp_path):
    events, _ = plain.write_raw(tmp_path, corruption=False)
    with events.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    e, catalogue = plain.events, plain.catalogue
    assert len(rows) == len(e)
    assert [row["user"] for row in rows] == [plain.users.ids[u] for u in e.user]
    assert [row["item"] for row in rows] == [catalogue.items.ids[i] for i in e.item]
    times = np.array([row["timestamp"].rstrip("Z") for row in rows], "datetime64[ms]")
    assert (times.astype(np.int64) == e.time).all()
    values = np.array([float(row["value"] or "nan") for row in rows])
    np.testing.assert_array_equal(values, e.value)


def test_raw_files_are_the_same_each_time(plain, tmp_path):
    first, second = (plain.write_raw(tmp_path / name)[0].read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize(("users", "items"), [(20, 20), (7, 12), (3, 8)])
def test_checkerboard_leaves_out_one_item_of_the_users_own(users, items):
    data = checkerboard(users, items)
    for user in range(users):
        taken = data.events.item[data.events.user == user]
        (missing,) = set(range(user % 2, items, 2)) - set(taken.tolist())
        assert missing == user % 2 + 2 * ((user // 2) % (items // 2))
        assert taken[0] == (missing + 2) % items


def test_errors_say_what_was_received(tmp_path):
    with pytest.raises(ConfigError, match="received 0, 1200"):
        world(users=0)
    with pytest.raises(ConfigError, match="received 4 and 5"):
        checkerboard(4, 5)
    with pytest.raises(ConfigError, match="at least 200 events"):
        world(users=2).write_raw(tmp_path)
