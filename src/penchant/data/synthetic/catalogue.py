"""The goods of a planted world: items in series, by interest, across domains and languages."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penchant.data.dataset import Behavior, Catalogue
from penchant.data.vocabulary import Vocabulary
from penchant.types import Floats, Ints

DOMAINS = ("books", "movies", "music", "news")
PREFIXES = ("书-", "m", "曲-", "n/")

INTERESTS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "noir": (
        ("Harbor", "Alibi", "Neon Street"),
        ("雨夜", "暗巷", "霓虹"),
        ("noir", "黑色电影", "detective", "1940s"),
    ),
    "science fiction": (
        ("Orbit", "Starship", "Red Planet"),
        ("星舰", "轨道", "火星"),
        ("science fiction", "科幻", "robots", "space"),
    ),
    "jazz": (
        ("Blue Hour", "Quartet", "Swing"),
        ("蓝调", "四重奏", "摇摆"),
        ("jazz", "爵士", "saxophone", "1940s"),
    ),
    "martial arts": (
        ("Sword", "Temple", "Crane"),
        ("剑客", "少林", "江湖行"),
        ("martial arts", "武侠", "kung fu", "empire"),
    ),
    "cooking": (
        ("Kitchen", "Bread", "Spice"),
        ("厨房", "面包", "香料"),
        ("cooking", "美食", "recipes", "at home"),
    ),
    "football": (
        ("Derby", "Penalty", "Captain"),
        ("德比", "点球", "队长"),
        ("football", "足球", "world cup", "league"),
    ),
    "history": (
        ("Dynasty", "Siege", "Archive"),
        ("王朝", "围城", "史记"),
        ("history", "历史", "empire", "ancient"),
    ),
    "romance": (
        ("Letter", "Wedding", "Summer"),
        ("情书", "婚礼", "夏天"),
        ("romance", "爱情", "wedding", "paris"),
    ),
    "gardening": (
        ("Orchard", "Bonsai", "Seed"),
        ("果园", "盆景", "种子"),
        ("gardening", "园艺", "plants", "at home"),
    ),
    "travel": (
        ("Island", "Night Train", "Summit"),
        ("海岛", "夜车", "雪山"),
        ("travel", "旅行", "mountains", "paris"),
    ),
    "artificial intelligence": (
        ("Network", "Oracle", "Automaton"),
        ("网络", "先知", "机器"),
        ("artificial intelligence", "人工智能", "robots", "computing"),
    ),
    "true crime": (
        ("Verdict", "Witness", "Cold Case"),
        ("判决", "证人", "悬案"),
        ("true crime", "罪案", "detective", "court"),
    ),
}
"""Each interest: English and Chinese words for its titles, and its tags. Some tags are shared."""

ADJECTIVES = ("Silent", "Golden", "Lost", "Last", "Hidden", "Distant", "Crimson", "Little")
ADJECTIVES_ZH = ("寂静的", "金色的", "失落的", "最后的", "隐秘的", "遥远的", "深红的", "小小的")
CREATORS = ("Ada Lane", "王小雨", "J. O'Neill", "李明", "Zoë Krämer", "陈思", "R. Okafor", "林一")
SHARED_TAGS = ("classic", "经典", "award", "new")
SERIES = 5


@dataclass(frozen=True)
class SyntheticItems:
    """N items in rows of the catalogue's order.

    ``interest`` and ``domain`` (N,) of each item; ``after`` (N,) is the item that follows it in
    the ring of its interest, series by series; ``ranked`` (T, S) lists the items of each interest
    by popularity, over again where an interest has fewer than S.
    """

    ids: tuple[str, ...]
    interest: Ints
    domain: Ints
    after: Ints
    ranked: Ints
    titles: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]
    columns: dict[str, NDArray[np.object_]]

    def popular(self, interest: Ints, uniform: Floats, month: Ints) -> Ints:
        """An item of each interest, the one at rank r with odds 1 / (r + 3), (len(interest),).

        Ranks turn over by 7 places a month.
        """
        size = self.ranked.shape[1]
        odds = np.cumsum(1.0 / (np.arange(size) + 3.0))
        rank = np.searchsorted(odds, uniform * odds[-1], "right")
        item: Ints = self.ranked[interest, (rank + 7 * month) % size]
        return item

    def catalogue(self, behaviors: tuple[Behavior, ...]) -> Catalogue:
        """The items as a catalogue."""
        return Catalogue(
            Vocabulary(self.ids),
            behaviors,
            DOMAINS,
            self.domain,
            titles=self.titles,
            tags=self.tags,
            columns=self.columns,
        )


def make_items(items: int, rng: np.random.Generator, foreign_tags: bool = False) -> SyntheticItems:
    """Fill the shelves; ``foreign_tags`` gives every second item a tag of another interest."""
    kinds = len(INTERESTS)
    names = tuple(INTERESTS)
    number = np.arange(items)
    interest = number % kinds
    place = number // kinds
    series = place // SERIES
    # a series stays in one domain, and each interest begins in another
    domain = (series + interest) % len(DOMAINS)
    sizes = np.bincount(interest, minlength=kinds)
    after = interest + kinds * ((place + 1) % sizes[interest])
    most = int(sizes.max())
    ranked = np.empty((kinds, most), np.int64)
    for kind in range(kinds):
        order = np.argsort(rng.random(sizes[kind]), kind="stable")
        ranked[kind] = kind + kinds * np.resize(order, most)
    chinese = rng.random((kinds, most)) < 0.4
    draws = rng.random((items, 4))
    prices = 3 + rng.integers(0, 40, items)

    ids, titles, tags, creators, languages = [], [], [], [], []
    for i in range(items):
        kind, volume = int(interest[i]), int(series[i])
        english, han, own = INTERESTS[names[kind]]
        ids.append(f"{PREFIXES[domain[i]]}{i:04d}")
        part, word, manner = int(place[i]) % SERIES + 1, volume % 3, (volume // 3 + kind) % 8
        sequel = volume // 24
        if chinese[kind, volume]:
            titles.append(f"{ADJECTIVES_ZH[manner]}{han[word]}{'续' * sequel} 第{part}部")
        else:
            titles.append(
                f"The {ADJECTIVES[manner]} {english[word]}{' Returns' * sequel}, part {part}"
            )
        languages.append("zh" if chinese[kind, volume] else "en")
        creators.append(CREATORS[(volume * 5 + kind) % len(CREATORS)])
        label = int(draws[i, 0] * 2)
        own_tags = [own[label], own[2 + int(draws[i, 1] * 2)]]
        if draws[i, 2] < 0.5:
            own_tags.append(own[1 - label])
        if draws[i, 3] < 0.3:
            own_tags.append(SHARED_TAGS[int(draws[i, 3] / 0.3 * len(SHARED_TAGS))])
        if foreign_tags and i % 2:
            own_tags.append(INTERESTS[names[(kind + 1 + int(draws[i, 3] * 11)) % kinds]][2][label])
        tags.append(tuple(own_tags))

    order = np.array(sorted(range(items), key=ids.__getitem__))
    row = np.argsort(order)
    columns = {"creator": creators, "language": languages, "price": prices.tolist()}
    return SyntheticItems(
        tuple(ids[i] for i in order),
        interest[order],
        domain[order],
        row[after[order]],
        row[ranked],
        tuple(titles[i] for i in order),
        tuple(tags[i] for i in order),
        {name: np.array(values, object)[order] for name, values in columns.items()},
    )
