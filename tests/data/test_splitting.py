"""Splits: worlds small enough to check by eye, and a proof by trial that nothing leaks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.data.dataset import Behavior, Catalogue, Dataset, Events
from penchant.data.ingest import ingest
from penchant.data.io.load import load
from penchant.data.splitting import protocols
from penchant.data.splitting.leakage import count_dropped
from penchant.data.splitting.split import (
    PROTOCOLS,
    Split,
    check_leakage,
    split,
    validation_part,
)
from penchant.data.vocabulary import Vocabulary
from penchant.errors import ConfigError, DataError

BEHAVIORS = (Behavior("buy"), Behavior("view", 0.2))
DOMAINS = ("books", "movies")
ORDERED = [
    "leave-one-out",
    "leave-one-new-out",
    "leave-one-out-per-domain",
    "time",
    "given",
    "cold-user",
]
RANDOM = ["random-per-domain", "cold-item"]
BOUGHT_TWICE = "u i1, u i2, u i1, u i3, u i1, u i1"


def events_of(text, users, items, first_row=0):
    """Events from "user item[?] [domain] [@time]", comma-separated; "?" is a view, else a buy."""
    columns = {name: [] for name in ("user", "item", "behavior", "domain", "time")}
    for position, part in enumerate(filter(None, map(str.strip, text.split(",")))):
        user, item, *more = part.split()
        time = next((int(word[1:]) for word in more if word[0] == "@"), position + 1)
        domain = next((DOMAINS.index(word) for word in more if word in DOMAINS), 0)
        values = (
            users.index[user],
            items.index[item.rstrip("?")],
            item.endswith("?"),
            domain,
            time,
        )
        for name, value in zip(columns, values, strict=True):
            columns[name].append(int(value))
    size = len(columns["user"])
    array = {name: np.array(values, np.int64) for name, values in columns.items()}
    return Events(
        array["user"],
        array["item"],
        np.full(size, -1),
        array["behavior"],
        array["domain"],
        array["time"],
        np.full(size, np.nan),
        np.arange(size) + first_row,
    )


def made(text, held="", time="clock", extra=""):
    words = [part.split() for part in f"{text},{held},{extra}".split(",") if part.strip()]
    users = Vocabulary.of(word[0] for word in words)
    items = Vocabulary.of(word[1].rstrip("?") for word in words)
    catalogue = Catalogue(items, BEHAVIORS, DOMAINS, np.zeros(len(items), np.int64))
    held_out = events_of(held, users, items) if held else None
    events = events_of(text, users, items).sorted()
    return Dataset("made", catalogue, users, events, time, "buy", held_out=held_out)


def names(dataset, events):
    items = dataset.catalogue.items.ids
    marks = ["", "?"]
    return " ".join(items[i] + marks[b] for i, b in zip(events.item, events.behavior, strict=True))


def told(dataset, cases):
    """Each case as "user: history -> truth"."""
    lines = []
    for b in range(len(cases.histories)):
        history = cases.histories.take(np.array([b])).events
        truth = cases.truth[cases.indptr[b] : cases.indptr[b + 1]]
        right = " ".join(dataset.catalogue.items.ids[i] for i in truth)
        lines.append(
            f"{dataset.users.ids[cases.histories.users[b]]}: {names(dataset, history)} -> {right}"
        )
    return lines


@pytest.fixture
def busy():
    """Three hundred users, two domains, repeats, views, undated events and a test file."""
    return random_dataset(np.random.default_rng(3), users=300, items=160, size=6000)


def random_dataset(rng, users, items, size):
    who, what = rng.integers(0, users, size), rng.integers(0, items, size)
    catalogue = Catalogue(
        Vocabulary(tuple(f"i{i:03d}" for i in range(items))),
        BEHAVIORS,
        DOMAINS,
        np.arange(items) % 2,
    )
    events = Events(
        who,
        np.where(rng.random(size) < 0.03, -1, what),
        np.full(size, -1),
        (rng.random(size) < 0.3).astype(np.int64),
        np.where(rng.random(size) < 0.9, what % 2, -1),
        rng.integers(0, 60, size),
        np.full(size, np.nan),
        rng.permutation(size),
    ).sorted()
    bought = events.user * items + events.item
    free = np.setdiff1d(np.arange(users * items), bought[events.behavior == 0])
    pair = rng.permutation(free)[: users // 2]
    size = len(pair)
    zero = np.zeros(size, np.int64)
    held = Events(
        pair // items, pair % items, zero - 1, zero, zero, zero, zero + np.nan, np.arange(size)
    )
    names = Vocabulary(tuple(f"u{i:03d}" for i in range(users)))
    return Dataset("random", catalogue, names, events, "clock", "buy", held_out=held)


def test_leave_one_out():
    data = made("a i1, a i2?, a i3, a i4?, a i5, a i6?, a i7, a i8?, b i1, b i2")
    result = split(data, "leave-one-out")
    assert names(data, result.train) == "i1 i2? i3 i4? i1 i2"
    assert told(data, result.validation) == ["a: i1 i2? i3 i4? -> i5"]
    assert told(data, result.test) == ["a: i1 i2? i3 i4? i5 i6? -> i7"]
    assert result.test.domain.tolist() == [-1]
    assert count_dropped(data, result) == 1  # the view of i8, after the test event


def test_leave_one_out_with_the_same_item_again_and_again():
    data = made(BOUGHT_TWICE)
    result = split(data, "leave-one-out")
    assert told(data, result.validation) == ["u: i1 i2 i1 i3 -> i1"]
    assert told(data, result.test) == ["u: i1 i2 i1 i3 i1 -> i1"]


def test_leave_one_new_out_ends_before_the_first_look_at_what_is_bought():
    data = made("a i1, a i2?, a i2, a i3?, a i4?, a i4, a i3, a i6?, a i5?, a i5, a i1, b i1, b i2")
    result = split(data, "leave-one-new-out")
    assert names(data, result.train) == "i1 i2? i2 i3? i1 i2"
    assert told(data, result.validation) == ["a: i1 i2? i2 i3? -> i4"]
    assert told(data, result.test) == ["a: i1 i2? i2 i3? i4? i4 i3 i6? -> i5"]
    assert count_dropped(data, result) == 2  # the look at i5, and the purchase of i1 after it
    between = data.events.take(np.flatnonzero(data.events.time == 8))  # i6, after the look at i4
    for bad in (
        replace(result, train=result.train + between),
        replace(result, validation=with_history(result.validation, 0, between)),
    ):
        with pytest.raises(DataError, match="leak"):
            check_leakage(bad, data)


@given(st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_leave_one_new_out_is_leave_one_out_where_nothing_comes_again(seed):
    data = random_dataset(np.random.default_rng(seed), 12, 25, 150)
    pair = data.events.user * 26 + data.events.item + 1
    once = np.sort(np.unique(pair, return_index=True)[1])
    data = data.with_events(data.events.take(once[data.events.item[once] >= 0]))
    try:
        results = [split(data, name) for name in ("leave-one-out", "leave-one-new-out")]
    except DataError:
        return
    for first, second in zip(*map(fields_of, results), strict=True):
        assert np.array_equal(first, second)


def test_the_usual_protocol_asks_for_what_lists_can_hold():
    shop = made("a i1?, a i1, a i2?, a i2, a i3?, a i3, a i4, a i5")
    assert protocols.default_protocol(shop) == "leave-one-new-out"
    assert protocols.default_protocol(shop, repeats=True) == "leave-one-out"
    assert (
        protocols.default_protocol(made("a i1?, a i1, a i2?, a i2, a i3, a i4")) == "leave-one-out"
    )
    assert (
        protocols.default_protocol(shop.with_events(shop.events.take(slice(0, 0))))
        == "leave-one-out"
    )
    named = replace(shop, protocol="leave-one-new-out")
    assert protocols.resolve_protocol(named, repeats=False) is named
    asked = protocols.resolve_protocol(named, repeats=True)
    assert asked.protocol == "leave-one-out"
    assert "lists may repeat items of the history" in asked.notes[-1]
    assert protocols.resolve_protocol(asked, repeats=True) is asked


def test_ties_in_time_follow_the_source_row():
    data = made("a i3 @7, a i1 @7, a i2 @7")
    assert told(data, split(data).test) == ["a: i3 i1 -> i2"]


def test_leave_one_out_per_domain_where_domains_share_a_clock():
    text = (
        "a b1 books @1, a m1 movies @2, a b2 books @3, a m2 movies @4, a b3 books @5,"
        "a m3 movies @6, a b4? books @7"
    )
    data = made(text)
    result = split(data, "leave-one-out-per-domain")
    assert names(data, result.train) == "b1 m1"
    assert told(data, result.validation) == ["a: b1 m1 -> b2", "a: b1 m1 -> m2"]
    assert told(data, result.test) == ["a: b1 m1 b2 m2 -> b3", "a: b1 m1 b2 m2 -> m3"]
    assert result.test.domain.tolist() == [0, 1]


def test_a_later_event_of_another_domain_is_not_told_where_time_is_a_clock():
    text = "a b1 books @1, a b2 books @2, a b3 books @3, a m1 movies @9"
    clock, order = made(text), made(text, time="order")
    history = told(clock, split(clock, "leave-one-out-per-domain").test)
    assert history == ["a: b1 b2 -> b3"]
    history = told(order, split(order, "leave-one-out-per-domain").test)
    assert history == ["a: b1 b2 m1 -> b3"]


def test_time():
    text = ",".join(f"{'ab'[t % 2]} i{t:02d} @{t}" for t in range(1, 21)) + ", new i01 @20"
    data = made(text + ", a i50 @0")
    result = split(data, "time")
    assert result.train.time.max() < result.validation.histories.events.time.max() + 1
    assert told(data, result.validation) == [
        "a: i02 i04 i06 i08 i10 i12 i14 i16 -> i18",
        "b: i01 i03 i05 i07 i09 i11 i13 i15 -> i17",
    ]
    assert told(data, result.test) == [
        "a: i02 i04 i06 i08 i10 i12 i14 i16 i18 -> i20",
        "b: i01 i03 i05 i07 i09 i11 i13 i15 i17 -> i19",
    ]


def test_given():
    data = made("a i1?, a i2, a i3?, a i2, a i4?, b i1", held="a i9, b i7, b i8")
    result = split(data, "given")
    assert names(data, result.train) == "i1? i3? i1"
    assert told(data, result.validation) == ["a: i1? i3? -> i2"]
    assert told(data, result.test) == ["a: i1? i2 i3? i2 i4? -> i9", "b: i1 -> i7 i8"]


def test_given_refuses_a_test_event_that_is_in_the_history():
    data = made("a i1, a i2, a i9", held="a i9")
    with pytest.raises(DataError, match="'i9' of user 'a'"):
        split(data, "given")


def test_random_per_domain_takes_every_trace_of_a_pair():
    data = made(",".join(f"a i{i}, a i{i}?" for i in range(4)), time="none")
    result = split(data, "random-per-domain")
    (validation,), (test,) = result.validation.truth, result.test.truth
    assert len({validation, test}) == 2
    assert set(result.train.item) == set(range(4)) - {validation, test}
    assert set(result.validation.histories.events.item) == set(range(4)) - {validation, test}
    assert set(result.test.histories.events.item) == set(range(4)) - {test}
    assert count_dropped(data, result) == 1  # the view of the test item


def test_random_choice_depends_on_identifiers_only():
    text = ",".join(f"{user} i{i}" for user in "bc" for i in range(8))
    others = ",".join(f"{user} h{i}" for user in "ad" for i in range(8))

    def held(data):
        ids = data.catalogue.items.ids
        for_users = split(data, "random-per-domain", seed=4).test
        users = for_users.histories.users
        return {data.users.ids[u]: ids[i] for u, i in zip(users, for_users.truth, strict=True)}

    small, large = held(made(text)), held(made(f"{others},{text}"))
    assert large | small == large
    seeds = {tuple(split(made(text), "random-per-domain", seed).test.truth) for seed in range(9)}
    assert len(seeds) > 3


def test_cold_items_and_cold_users(busy):
    result = protocols.cold_item(busy, share=0.2)
    cold = set(result.test.truth) | set(result.validation.truth)
    assert not cold & set(result.train.item)
    assert not set(result.test.truth) & set(result.validation.truth)
    assert set(result.test.histories.users) <= set(result.train.user)
    result = protocols.cold_user(busy, share=0.2)
    asked = set(result.test.histories.users) | set(result.validation.histories.users)
    assert len(asked) == pytest.approx(120, abs=30)
    assert not asked & set(result.train.user)


def test_shares_are_stable_and_of_their_size():
    users = [f"user-{i}" for i in range(20_000)]
    parts = validation_part(users, seed=1)
    assert np.bincount(parts) / 20_000 == pytest.approx([0.5, 0.3, 0.2], abs=0.015)
    assert (validation_part(users[::-1], seed=1)[::-1] == parts).all()
    assert (validation_part(users, seed=2) != parts).any()


def fields_of(result):
    for cases in (result.validation, result.test):
        yield from (cases.truth, cases.indptr, cases.domain, cases.histories.users)
        yield from (cases.histories.indptr, cases.histories.events.row)
    yield result.train.row


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_order_of_rows_does_not_matter(busy, protocol):
    shuffled = busy.events.take(np.random.default_rng(0).permutation(len(busy.events)))
    pairs = zip(
        fields_of(split(busy, protocol)),
        fields_of(split(busy.with_events(shuffled), protocol)),
        strict=True,
    )
    assert all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(st.integers(0, 2**32), st.sampled_from(["clock", "order", "none"]))
@settings(max_examples=40, deadline=None)
def test_nothing_leaks(protocol, seed, time):
    rng = np.random.default_rng(seed)
    users, items, size = (int(rng.integers(1, top)) for top in (12, 25, 200))
    data = replace(random_dataset(rng, users, items, size), time=time)
    try:
        result = split(data, protocol, seed)
    except ConfigError:
        assert time != "clock"
        return
    except DataError as error:
        undated = protocol == "time" and not (data.events.time != 0).any()
        if ("needs dated events" if undated else "finds nobody") not in str(error):
            raise
        return
    assert not set(result.train.row) - set(data.events.row)
    assert np.isin(result.train.user, data.events.user).all()
    for cases in (result.validation, result.test):
        assert len(cases.indptr) == len(cases.histories) + 1 == len(cases.behavior) + 1
        assert (cases.histories.lengths >= (0 if protocol == "given" else 1)).all()
        assert (np.diff(cases.indptr) >= 1).all()
        owner = np.repeat(cases.histories.users, cases.histories.lengths)
        assert (owner == cases.histories.events.user).all()


def with_history(cases, case, events):
    """The cases with some events put at the end of one history."""
    at = cases.histories.indptr[case + 1]
    old = cases.histories.events
    joined = old.take(slice(None, at)) + events + old.take(slice(at, None))
    indptr = cases.histories.indptr + len(events) * (np.arange(len(cases.histories) + 1) > case)
    return replace(cases, histories=replace(cases.histories, indptr=indptr, events=joined))


def truth_event(data, result, side, case):
    """The held-out event of a case: it is in nobody's knowledge that may not have it."""
    cases = getattr(result, side)
    user, item = cases.histories.users[case], cases.truth[cases.indptr[case]]
    source = data.events
    known = np.isin(source.row, result.train.row)
    known |= np.isin(source.row, cases.histories.take(np.array([case])).events.row)
    mine = (source.user == user) & (source.item == item) & (source.behavior == 0) & ~known
    if result.protocol == "time":
        mine &= source.time > 0
    return source.take(np.flatnonzero(mine)[:1])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("side", ["validation", "test"])
@pytest.mark.parametrize("case", [0, 2])
def test_a_planted_leak_is_caught(busy, protocol, side, case):
    result: Split = split(busy, protocol)
    if protocol == "given" and side == "test":
        leak = busy.held_out.take(
            np.flatnonzero(busy.held_out.user == result.test.histories.users[case])
        )
    else:
        leak = truth_event(busy, result, side, case)
    assert len(leak) == 1
    cases = getattr(result, side)
    for bad in (
        replace(result, train=result.train + leak),
        replace(result, **{side: with_history(cases, case, leak)}),
    ):
        with pytest.raises(DataError, match="leak"):
            check_leakage(bad, busy)


@pytest.mark.parametrize("protocol", ORDERED)
def test_a_later_event_of_another_kind_is_caught(protocol):
    text = ",".join(f"{u} i{t}" for t in range(1, 13) for u in "abcdefghijklmnopqrstuvwxyz")
    text += ",".join(["", *(f"{u} i0? @900" for u in "abcdefghijklmnopqrstuvwxyz")])
    data = made(text, held="a i20, b i20")
    result = split(data, protocol)
    user = result.validation.histories.users[0]
    view = data.events.take(np.flatnonzero((data.events.user == user) & (data.events.time == 900)))
    assert len(view) == 1
    planted = with_history(result.validation, 0, view)
    with pytest.raises(DataError, match="leak"):
        check_leakage(replace(result, validation=planted), data)
    with pytest.raises(DataError, match="leak"):
        check_leakage(replace(result, train=result.train + view), data)


def test_an_event_from_elsewhere_is_caught(busy):
    result = split(busy, "leave-one-out")
    foreign = result.train.take(np.array([0]))
    foreign = replace(foreign, item=(foreign.item + 1) % 160)
    with pytest.raises(DataError, match="does not have"):
        check_leakage(replace(result, train=result.train + foreign), busy)


@pytest.mark.parametrize(
    ("data", "protocol", "error", "words"),
    [
        (made("a i1"), "leave-one-in", ConfigError, "unknown protocol"),
        (made("a i1, a i2"), "leave-one-out", DataError, "nobody to test"),
        (made("a i1, a i2", time="order"), "time", ConfigError, "clock"),
        (made("a i1, a i2, a i3", time="none"), "leave-one-out", ConfigError, "an order"),
        (made("a i1, a i2, a i3"), "given", ConfigError, "test.parquet"),
    ],
)
def test_errors_say_what_to_do(data, protocol, error, words):
    with pytest.raises(error, match=words):
        split(data, protocol)


@pytest.mark.parametrize("protocol", ["leave-one-out", "time", "cold-user"])
def test_a_search_of_several_words_is_one_row_of_several_events(tmp_path, protocol):
    """Words stand twice in a search, too; a split keeps all of them together, or leaves all out."""
    lines = ["user,item,query,behavior,timestamp"]
    for user in range(12):
        for step in range(6):
            about = f",red shoes red {'very ' * step}small" if step % 3 == 1 else f"i{user + step},"
            lines.append(f"u{user},{about},view,{1_700_000_000 + 1000 * step + user}")
    (tmp_path / "events.csv").write_text("\n".join(lines), encoding="utf-8")
    ingest(tmp_path / "events.csv", tmp_path / "data")
    data = load(tmp_path / "data")
    assert len(data.catalogue.tokens) == 4
    parts = split(data, protocol)
    check_leakage(parts, data)
    assert len(parts.test.histories)
    kept = parts.train.row[parts.train.item < 0]
    whole = data.events.row[data.events.item < 0]
    for row in np.unique(kept):
        assert (kept == row).sum() == (whole == row).sum()
    twice = data.with_events(data.events + data.events.take(slice(0, 1)))
    with pytest.raises(DataError, match="one source row for each event"):
        check_leakage(parts, twice)
