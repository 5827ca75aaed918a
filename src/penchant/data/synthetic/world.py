"""Planted worlds: people whose interests are known, so that a model can be marked.

Only integer draws, uniform draws and exact arithmetic are used (no powers, logarithms or sums in
an order of numpy's choosing), so that a seed gives the same world on every machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from penchant.data.dataset import Behavior, Catalogue, Dataset, Events
from penchant.data.synthetic.behavior import DAY, DISLIKE, START, VIEW, BehaviorSimulator
from penchant.data.synthetic.catalogue import INTERESTS, make_items
from penchant.data.synthetic.corruption import CORRUPTIONS, write_events, write_items
from penchant.data.vocabulary import Vocabulary
from penchant.errors import ConfigError
from penchant.types import Floats, Ints

BEHAVIORS = (
    Behavior("buy", 1.0),
    Behavior("cart", 0.6),
    Behavior("dislike", 1.0, -1),
    Behavior("like", 0.7),
    Behavior("share", 0.8),
    Behavior("view", 0.2),
)
TARGET = "buy"

MIXTURE = np.array([0.28, 0.40, 0.43, 0.56, 0.60, 1.0])
"""Up to which uniform draw an event is of each behavior, in the order of BEHAVIORS."""


@dataclass(frozen=True)
class World:
    """A generated world and what is true of it.

    Attributes
    ----------
    catalogue, users, events
        The data itself: N items, U users, E events.
    session : array of int, shape (E,)
        The visit that each event belongs to.
    noise : array of bool, shape (E,)
        The events that follow no interest.
    interests : tuple of str, length T
        The names of the interests.
    item_interest : array of int, shape (N,)
        The interest of each item.
    weights, later : array of float, shape (U, T)
        Each user's interests at first and at last (the same without drift); rows sum to 1.
    buying : array of float, shape (U, T)
        The interests that users buy from: ``weights``, unless they browse one and buy another.
    seed : int
        What the world was drawn from.
    """

    catalogue: Catalogue
    users: Vocabulary
    events: Events
    session: Ints
    noise: NDArray[np.bool_]
    interests: tuple[str, ...]
    item_interest: Ints
    weights: Floats
    later: Floats
    buying: Floats
    seed: int

    def dataset(self, protocol: str = "leave-one-out") -> Dataset:
        """The world as clean data; the target is "buy", times are a clock."""
        return Dataset("demo", self.catalogue, self.users, self.events, "clock", TARGET, protocol)

    @cached_property
    def corruption(self) -> dict[str, int]:
        """How many rows ``write_raw`` spoils under each rule, by the rule's name."""
        return {rule: count(len(self.events)) for rule, count in CORRUPTIONS.items()}

    def write_raw(self, directory: str | Path, corruption: bool = True) -> tuple[Path, Path]:
        """Write events.csv and items.jsonl, with the rows of ``corruption`` strewn in; their paths.

        Dirty rows come on top of the world's own, except for "bad_values", which spoils the
        value of rows that have none: dropping what the rules find leaves ``dataset()``.
        """
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        events, items = directory / "events.csv", directory / "items.jsonl"
        spoiled = self.corruption if corruption else {}
        write_events(events, self.dataset(), self.session, spoiled, self.seed)
        write_items(items, self.catalogue)
        return events, items


def world(
    users: int = 2000,
    items: int = 1200,
    seed: int = 0,
    *,
    noise: float = 0.1,
    drift: bool = False,
    browse_buy: bool = False,
) -> World:
    """People with 1 to 4 interests who follow series within them.

    Each event picks an interest (mostly that of the visit), then, 6 times in 10, the item after
    the user's last one in that interest (the ring of its series), else a popular one; nobody
    takes an item twice. A ``noise`` share of events, and all dislikes, fall on any item.

    ``drift`` is a process that decayed counts do not assume: weights move from one set of
    interests to another, interests have a season, what is popular turns over each month, the
    chains are looser and every second item bears a tag of a foreign interest. ``browse_buy``:
    what people view and what they buy are different interests.
    """
    if users < 1 or items < 10 * len(INTERESTS) or not 0 <= noise <= 1:
        raise ConfigError(
            f"expected at least 1 user, {10 * len(INTERESTS)} items and noise from 0 to 1, "
            f"received {users}, {items} and {noise}"
        )
    rng = np.random.default_rng(seed)
    shop = make_items(items, rng, foreign_tags=drift)
    first, second = _interests(rng, users, browse_buy)
    later = _interests(rng, users, False)[0] if drift else first
    length = 12 + _skewed(rng, users, 49)
    owner = np.repeat(np.arange(users), length)
    start = np.cumsum(length) - length
    step = np.arange(len(owner)) - start[owner]
    time, session = _visits(rng, owner, step)
    behavior = np.searchsorted(MIXTURE, rng.random(len(owner)), "right")
    behavior = np.minimum(behavior, VIEW)
    stray = rng.random(len(owner)) < noise
    stray |= behavior == DISLIKE
    simulator = BehaviorSimulator(rng, shop, (first, later, second if browse_buy else None), drift)
    item = np.empty(len(owner), np.int64)
    meant = np.zeros(len(owner), bool)
    for now in range(int(length.max())):
        who = np.flatnonzero(length > now)
        at = start[who] + now
        fresh = session[at] != np.where(now > 0, session[at - 1], -1)
        item[at], meant[at] = simulator.step(
            who, behavior[at], time[at], now / length[who], stray[at], fresh
        )
    order = np.lexsort((np.arange(len(owner)), time, owner))
    dwell = rng.integers(5, 600, len(owner)).astype(float)
    none = np.full(len(owner), -1)
    events = Events(
        owner,
        item,
        none,
        behavior,
        shop.domain[item],
        time * 1000,
        np.where(behavior == VIEW, dwell, np.nan),
        np.arange(len(owner)),
    ).take(order)
    return World(
        shop.catalogue(BEHAVIORS),
        _numbered("u", users, 5),
        events,
        session[order],
        ~meant[order],
        tuple(INTERESTS),
        shop.interest,
        first,
        later,
        second,
        seed,
    )


def genres(
    users: int = 1000,
    items: int = 240,
    length: int = 24,
    seed: int = 0,
    *,
    tags: str = "own",
    in_turns: bool = False,
) -> tuple[Dataset, Ints, Ints]:
    """Four genres, of which each user likes exactly two and takes now from one, now from the other.

    By chance, or ``in_turns``. Item i is of genre i % 4. ``tags``: each genre has its "own", two
    genres each "shared" one, or there are "none". Returns the data, the genre of each item (N,),
    and of each user the two that are liked (U, 2).
    """
    named: dict[str, Callable[[int], tuple[str, ...]]] = {
        "own": lambda genre: (f"genre {genre}",),
        "shared": lambda genre: (f"genres {genre // 2}",),
        "none": lambda genre: (),
    }
    if items % 4 or items < 4 * length or users < 4 or tags not in named:
        raise ConfigError(
            f"expected 4 users or more, 4 items or more for each of {length} events, a multiple of "
            f"4, and tags of {', '.join(named)}; received {users}, {items} and {tags!r}"
        )
    rng = np.random.default_rng(seed)
    likes = np.argsort(rng.random((users, 4)), axis=1, kind="stable")[:, :2]
    owner = np.repeat(np.arange(users), length)
    step = np.tile(np.arange(length), users)
    genre = likes[owner, step % 2 if in_turns else rng.integers(0, 2, len(owner))]
    # each user goes through each genre's items in an order of their own
    order = np.argsort(rng.random((users, 4, items // 4)), axis=2, kind="stable")
    before = np.zeros(len(owner), np.int64)
    for number in range(4):
        mine = (genre == number).reshape(users, length)
        before[mine.ravel()] = (np.cumsum(mine, axis=1) - 1)[mine]
    item = order[owner, genre, before] * 4 + genre
    tagged = [named[tags](number % 4) for number in range(items)]
    data = _viewed("genres", users, owner, item, step, tagged)
    return data, np.arange(items) % 4, likes


def checkerboard(users: int = 20, items: int = 20) -> Dataset:
    """Even users take the even items and odd users the odd ones, each but one: the right answer.

    User u leaves out item ``u % 2 + 2 * ((u // 2) % half)``, with half = items // 2, and takes
    the others in ring order beginning after it, so the item that is missing is also the next one.
    """
    half = items // 2
    if users < 2 or half < 4 or items % 2:
        raise ConfigError(
            "expected 2 users or more and an even number of items from 8, "
            f"received {users} and {items}"
        )
    owner = np.repeat(np.arange(users), half - 1)
    step = np.tile(np.arange(half - 1), users)
    item = owner % 2 + 2 * ((owner // 2 + 1 + step) % half)
    tagged = [(("even", "odd")[number % 2],) for number in range(items)]
    return _viewed("checkerboard", users, owner, item, step, tagged)


def _viewed(
    name: str, users: int, owner: Ints, item: Ints, step: Ints, tags: Sequence[tuple[str, ...]]
) -> Dataset:
    """A dataset of views alone, of users (E,) in order of their steps (E,)."""
    zero, items = np.zeros(len(owner), np.int64), len(tags)
    none, rows = np.full(len(owner), np.nan), np.arange(len(owner))
    events = Events(owner, item, zero - 1, zero, zero, step, none, rows)
    catalogue = Catalogue(
        _numbered("i", items, 4),
        (Behavior("view"),),
        ("default",),
        np.zeros(items, np.int64),
        titles=tuple(f"Item {number}" for number in range(items)),
        tags=tuple(tags),
    )
    return Dataset(name, catalogue, _numbered("u", users, 4), events, "order", "view")


def _numbered(prefix: str, count: int, width: int) -> Vocabulary:
    """Identifiers whose order is that of their numbers."""
    width = max(width, len(str(count - 1)))
    return Vocabulary(tuple(f"{prefix}{number:0{width}d}" for number in range(count)))


def _skewed(rng: np.random.Generator, size: int, top: int) -> Ints:
    """Integers from 0 to top - 1, most of them small (the cube of a uniform draw)."""
    draw = rng.random(size)
    return np.floor(draw * draw * draw * top).astype(np.int64)


def _interests(rng: np.random.Generator, users: int, disjoint: bool) -> tuple[Floats, Floats]:
    """Weights of 1 to 4 interests for each user; ``apart`` draws a second, disjoint set."""
    count = rng.integers(1, 5, users)
    order = np.argsort(rng.random((users, len(INTERESTS))), axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    size = rng.integers(2, 8, (users, len(INTERESTS))).astype(float)
    first = np.where(rank < count[:, None], size, 0.0)
    second = np.where((rank >= 4) & (rank < 4 + count[:, None]), size, 0.0) if disjoint else first
    # whole numbers add exactly in any order
    return first / first.sum(1, keepdims=True), second / second.sum(1, keepdims=True)


def _visits(rng: np.random.Generator, owner: Ints, step: Ints) -> tuple[Ints, Ints]:
    """Times in seconds and visit numbers: a few events within minutes, then days apart.

    Visits fall around an hour of the day that is the user's own.
    """
    users = int(owner[-1]) + 1
    hour = rng.integers(7, 23, users)
    opens = (step == 0) | (rng.random(len(owner)) < 0.35)
    session = np.cumsum(opens) - 1
    pause = np.where(opens, 0, rng.integers(20, 600, len(owner)))
    days = np.where(step == 0, rng.integers(0, 120, users)[owner], rng.integers(1, 8, len(owner)))
    day = np.where(opens, days, 0)
    since = np.cumsum(day)
    base = since[step == 0] - day[step == 0]
    day = since - base[owner]
    elapsed = np.cumsum(pause)
    head = elapsed[opens]
    jitter = rng.integers(0, 2 * 3600, int(session[-1]) + 1)
    clock = hour[owner] * 3600 + jitter[session] - 3600 + elapsed - head[session]
    return START + day * DAY + clock, session
