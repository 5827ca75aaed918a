"""Interest maps: a few users' events where their items lie, by interest."""

import numpy as np

from penchant.data.hashing import hashes, uniform
from penchant.errors import counted
from penchant.recommendation import Model
from penchant.recommendation.interests import Interest, Interests
from penchant.report.html import Section, figures, paragraph, share, short, text
from penchant.report.svg import MapMark, scatter, symbol
from penchant.types import Floats, Ints

FEWEST = 10
"""Events from which on a user can be an example."""

_DOTS = 400


def interests_section(model: Model, count: int = 4, seed: int = 0) -> Section:
    """The interests of ``count`` users, drawn by a hash among those with ten events or more."""
    title = "Interests of a few users"
    if model.transition is None:
        reason = (
            "Interests are found from what is taken together, which only a transition expert "
            f"counts; a run of {model.family} has none."
        )
        return Section("interests", title, paragraph(reason, kind="absent"))
    chosen = examples(model, count, seed)
    if not chosen:
        reason = f"No user has {FEWEST} events, so a map would show little."
        return Section("interests", title, paragraph(reason, kind="absent"))
    body = paragraph(
        f"{counted(len(chosen), 'user')}, chosen at random among those with {FEWEST} events or "
        "more. Each mark is an item of the user's events, larger where there are more; items near "
        "each other are chosen by the same people, or are similar. Color and shape show the "
        "interest; hollow circles belong to none."
    )
    body += "".join(_person(model, user) for user in chosen)
    return Section("interests", title, body)


def examples(model: Model, count: int, seed: int) -> list[str]:
    """Users with enough events about items, by a seeded hash of their identifiers."""
    data = model.dataset
    about = data.events.user[data.events.item >= 0]
    able = np.flatnonzero(np.bincount(about, minlength=len(data.users)) >= FEWEST)
    names = [data.users.ids[user] for user in able.tolist()]
    place = uniform(hashes("report", names, seed))
    return [names[n] for n in np.argsort(place, kind="stable")[:count].tolist()]


def plane(vectors: Floats) -> tuple[Floats, float]:
    """The first two principal directions of some vectors (n, D): (n, 2), and their share.

    The share is that of the variance. Each direction points to where its largest value is positive.

    >>> found, kept = plane(np.array([[0.0, 0, 1], [2, 0, 1], [4, 0, 1]]))
    >>> np.abs(found).round(9).tolist(), round(kept, 9)
    ([[2.0, 0.0], [0.0, 0.0], [2.0, 0.0]], 1.0)
    """
    centered = vectors - vectors.mean(axis=0)
    U, s, _ = np.linalg.svd(centered, full_matrices=False)
    found = np.zeros((len(vectors), 2))
    kept = min(2, len(s))
    found[:, :kept] = (U * s)[:, :kept]
    found[np.abs(found) < 1e-12] = 0.0
    largest = found[np.abs(found).argmax(axis=0), [0, 1]]
    found *= np.where(largest < 0, -1.0, 1.0)
    total = float((s**2).sum())
    return found, float((s[:2] ** 2).sum() / total) if total > 0 else 1.0


def _person(model: Model, user: str) -> str:
    found = model.interests(user)
    events = model.dataset.history(user).events
    key = "".join(_line(place, one) for place, one in enumerate(found.clusters))
    if found.unassigned > 0.005:
        rest = f"in no interest: {share(found.unassigned)} of the weight"
        key += f"<li>{swatch(-1)}<div>{text(rest)}</div></li>"
    return (
        f"<h3>User {text(user)}: {len(events):,} events</h3>"
        f'<div class="person">{interest_map(model, user, events.item, found)}'
        f'<ul class="key">{key}</ul></div>'
    )


def interest_map(
    model: Model, user: str, item: Ints, found: Interests, labels: bool = False
) -> str:
    """The map of a user's interests as a figure, from the items of their events (E,), oldest first.

    Items are -1 where an event is about none; one of them at least is not. ``labels`` writes each
    interest's beside its marks.
    """
    rows, times = _met(item)
    places, kept = plane(found.space.vectors[rows])
    of = _kinds(rows, found)
    catalogue = model.dataset.catalogue
    marks = [
        MapMark(
            float(x),
            float(y),
            min(4.0 + 1.5 * float(np.sqrt(n - 1)), 10.0),
            kind,
            f"{catalogue.title(item) or catalogue.items.ids[item]}: {n} "
            f"{'event' if n == 1 else 'events'}, "
            f"{found.clusters[kind].label if kind >= 0 else 'of no interest'}",
        )
        for (x, y), item, n, kind in zip(
            places.tolist(), rows.tolist(), times.tolist(), of, strict=True
        )
    ]
    plot = scatter(
        f"Interests of user {user}",
        "first principal direction",
        "second principal direction",
        marks,
        [one.label for one in found.clusters] if labels else (),
    )
    caption = f"The two directions hold {share(kept)} of the differences between these items."
    if len(np.unique(item[item >= 0])) > len(rows):
        caption += f" Shown are the latest {len(rows)} items."
    return figures(plot, caption=caption)


def _line(place: int, one: Interest) -> str:
    """An interest in the legend."""
    facts = [f"{one.events:,} {'event' if one.events == 1 else 'events'}"]
    facts.append(", ".join(f"{name} {share(of)}" for name, of in one.behaviors.items()))
    if one.last:
        facts.append(f"last active {one.last[:10]}".replace("-", "\u2011"))
    if one.factor != 1:
        facts.append("muted by the user" if one.factor == 0 else f"boosted {one.factor:g} times")
    because = "; ".join(short(title, 60) for title in one.titles[:3])
    return (
        f"<li>{swatch(place)}<div><b>{text(one.label)}</b> {share(one.weight)}"
        f"<small>{text(' · '.join(facts))}</small>"
        f"<small>because of: {text(because)}</small></div></li>"
    )


def swatch(kind: int) -> str:
    """The mark of an interest, for the legend."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="18" height="22" viewBox="0 0 18 22" '
        f'aria-hidden="true">{symbol(kind, 9, 12, 6)}</svg>'
    )


def _met(item: Ints) -> tuple[Ints, Ints]:
    """The latest different items of a history (n,), and the events of each (n,)."""
    item = item[item >= 0][::-1]
    found, first, times = np.unique(item, return_index=True, return_counts=True)
    latest = np.argsort(first, kind="stable")[:_DOTS]
    return found[latest], times[latest]


def _kinds(items: Ints, found: Interests) -> list[int]:
    """The place of each item's interest, -1 for none."""
    of = {int(item): place for place, one in enumerate(found.clusters) for item in one.members}
    return [of.get(item, -1) for item in items.tolist()]
