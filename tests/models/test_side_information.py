"""What stands beside a history: attributes and the events of friends."""

from dataclasses import replace

import numpy as np
import pytest

from penchant.config import Recipe, TransitionSettings, UserSettings
from penchant.data.dataset import Events
from penchant.data.io.from_columns import from_columns
from penchant.data.merge import merge
from penchant.data.user_attributes import attribute_rows, select_attributes
from penchant.data.vocabulary import Vocabulary
from penchant.errors import ConfigError
from penchant.models.transition.recommender import TransitionFitter
from penchant.models.transition.side_information import OPENINGS, SideInformation
from penchant.models.transition.statistics import C_UNIT, Predictors, statistics
from penchant.recommendation import Model, load
from penchant.recommendation.explain import explain
from penchant.training.fit import fit
from penchant.training.update import update, without_users
from same_models import assert_same

SETTINGS = TransitionSettings(attributes=0.5, friends=0.25, recent=3, candidates=40)


def planted(users=240, seed=0, time="clock"):
    """Half of the users are of a plan that decides what they take; some have friends.

    A user of plan "a" takes items of the first half, one of "b" of the second, at random.
    """
    rng = np.random.default_rng(seed)
    names = [f"u{row:03}" for row in range(users)]
    plans = ["a" if row % 2 else "b" for row in range(users)]
    user, item, at = [], [], []
    for row in range(users):
        for _ in range(int(rng.integers(0, 7))):
            user.append(names[row])
            item.append(f"i{int(rng.integers(0, 15)) + 15 * (plans[row] == 'b'):02}")
            at.append(1_700_000_000 + int(rng.integers(0, 10**6)))
    pairs = {(int(a), int(b)) for a, b in rng.integers(0, users, (users, 2)) if a != b}
    columns = {
        "user": names,
        "plan": plans,
        "gender": ["f" if r % 3 else "m" for r in range(users)],
    }
    relations = {
        "user": [names[a] for a, _ in sorted(pairs)],
        "friend": [names[b] for _, b in sorted(pairs)],
    }
    given = {} if time == "none" else {"timestamp": at}
    return from_columns(
        user, item, **given, users=columns, relations=relations, time=time, target="event"
    )


def test_who_has_no_events_gets_what_others_began_with():
    rng = np.random.default_rng(0)
    user, item, at = [], [], []
    for row in range(200):  # everybody begins with the same two, and goes on at random
        for place, name in enumerate(
            ["first", "second", *(f"i{n}" for n in rng.integers(0, 20, 5))]
        ):
            user.append(f"u{row}")
            item.append(name)
            at.append(1_700_000_000 + place)
    data = from_columns(user, item, timestamp=at)
    model = Model(
        data, TransitionFitter(data)(SETTINGS.model_copy(update={"short_history_weight": 1.0}))
    )
    assert model.recommend("nobody", k=1).items[0].item == "first"
    assert model.recommend(history=["first"], k=1).items[0].item == "second"
    found = explain(model, "first", user="nobody")
    assert [reason.behavior for reason in found.reasons] == ["opening"]


@pytest.fixture(scope="module", params=["clock", "none"])
def data(request):
    return select_attributes(planted(time=request.param), UserSettings())[0]


def test_protected_attributes_are_used_where_the_recipe_opts_in():
    data = planted()
    plain, notes = select_attributes(data, UserSettings())
    assert plain.catalogue.attributes.ids == ("plan=a", "plan=b")
    assert any("'gender' is protected" in note for note in notes)
    opted, notes = select_attributes(data, UserSettings(protected=("gender",)))
    assert opted.catalogue.attributes.ids == ("gender=f", "gender=m", "plan=a", "plan=b")
    assert notes == ()
    with pytest.raises(ConfigError, match=r"users\.protected"):
        select_attributes(data, UserSettings(attributes=("gender",)))
    with pytest.raises(ConfigError, match="unknown column of users 'plam'"):
        select_attributes(data, UserSettings(attributes=("plam",)))
    users, rows = attribute_rows(opted)
    assert len(users) == 2 * len(data.users)
    assert {opted.catalogue.attributes.ids[row] for row in rows[users == 1]} == {
        "gender=f",
        "plan=a",
    }


@pytest.mark.parametrize("opening", [0.0, 0.5])
def test_the_sums_are_those_of_rows_written_out(data, opening):
    """Every row made by hand: history, attributes, and friends' events before the row."""
    s, events = SETTINGS.model_copy(update={"short_history_weight": opening}), data.events.sorted()
    predictors = Predictors.of(data.catalogue)
    first, P = predictors.side_offset, len(predictors)
    classes = len(OPENINGS) + 1
    users, attributes = attribute_rows(data)
    friends = {int(a): data.relations[data.relations[:, 0] == a, 1] for a in range(len(data.users))}
    G, C = np.zeros((P, P)), np.zeros((P, len(data.catalogue)))
    unit = 2.0**-12

    def beside(user, before, length):
        o = np.zeros(P)
        o[first + sum(length > most for most in OPENINGS)] = opening
        np.add.at(o, first + classes + attributes[users == user], 0.5)
        theirs = np.flatnonzero(np.isin(events.user, friends[user]) & (events.time < before))
        order = np.lexsort((events.item[theirs], events.time[theirs]))
        for e in theirs[order][-s.recent :]:
            o[events.item[e]] += 0.25
        return o

    for user in np.unique(events.user):
        mine = np.flatnonzero(events.user == user)
        if data.time == "none":
            x = beside(user, np.inf, len(mine))
            np.add.at(x, events.item[mine], 1.0)
            G += np.outer(x, x)
            for e in mine:
                C[:, events.item[e]] += np.where(np.arange(P) == events.item[e], 0, x)
            continue
        for place, e in enumerate(mine):
            x = beside(user, events.time[e], place)
            for age, past in enumerate(mine[:place][::-1][: s.window]):
                x[events.item[past]] += np.rint(s.decay**age / unit) * unit
            G += np.outer(x, x)
            C[:, events.item[e]] += x
    sums = statistics(
        data.events, data.catalogue, s, data.time, data.target, SideInformation.of(data)
    )
    assert np.allclose(sums.gram(0.0).toarray(), G)
    found = sums.forward.C.toarray() * C_UNIT
    diagonal = np.arange(len(data.catalogue))
    if data.time == "none":  # a set leaves each target's own cell out
        C[diagonal, diagonal] = found[diagonal, diagonal] = 0
    assert np.allclose(found, C)


def test_somebody_without_events_gets_a_list_of_their_own(data):
    model = Model(
        data, TransitionFitter(data)(SETTINGS.model_copy(update={"short_history_weight": 0.0}))
    )
    lengths = np.diff(data.events.sorted().indptr(len(data.users)))
    right = []
    for row in np.flatnonzero(lengths == 0)[:20]:
        found = model.recommend(data.users.ids[row], k=5)
        assert found.source == "transition"
        half = {"plan=a": "i15", "plan=b": "i99"}
        plan = f"plan={data.attributes['plan'][row]}"
        low = "i00" if plan == "plan=a" else "i15"
        right += [low <= item.item < half[plan] for item in found.items]
    assert np.mean(right) > 0.9
    for opening in (0.0, 1.0):
        settings = SETTINGS.model_copy(update={"short_history_weight": opening})
        model = Model(data, TransitionFitter(data)(settings))
        assert model.recommend("a stranger", k=5).source == "popular"


def test_openings_count_by_default_where_something_stands_beside_users(data):
    assert TransitionFitter(data)(SETTINGS).settings.short_history_weight == 1
    bare = replace(data, relations=data.relations[:0], attributes={})
    bare = replace(bare, catalogue=replace(bare.catalogue, attributes=Vocabulary(())))
    assert TransitionFitter(bare)(SETTINGS).settings.short_history_weight == 0


def test_the_parts_of_an_explanation_add_to_the_score(data):
    model = Model(data, TransitionFitter(data)(SETTINGS))
    kinds = set()
    for user in data.users.ids[:30]:
        found = explain(model, "i03", user=user)
        assert found.residue == pytest.approx(0, abs=1e-9)
        assert sum(r.contribution for r in found.reasons) == pytest.approx(found.score, abs=1e-5)
        kinds |= {reason.behavior for reason in found.reasons}
    assert {"attribute", "friend", "event"} <= kinds


def test_an_update_equals_a_refit_on_all():
    data = select_attributes(planted(), UserSettings())[0]
    late = data.events.time > np.quantile(data.events.time, 0.9)
    old = data.with_events(data.events.take(~late))
    names = [data.users.ids[user] for user in data.events.user[late]]
    items = [data.catalogue.items.ids[item] for item in data.events.item[late]]
    new = from_columns(
        [*names, "newcomer"],
        [*items, "i01"],
        timestamp=[*(data.events.time[late] // 1000).tolist(), 1_700_999_999],
        users={"user": ["newcomer", data.users.ids[0]], "plan": ["c", "a"]},
        relations={"user": [data.users.ids[1]], "friend": ["newcomer"]},
        target="event",
        time="clock",
    )
    model = Model(old, TransitionFitter(old)(SETTINGS))
    found, receipt = update(model, new)
    joint = found.dataset
    assert joint.catalogue.attributes.ids == ("plan=a", "plan=b", "plan=c")
    assert_same(found, Model(joint, TransitionFitter(joint)(SETTINGS)))
    expected = select_attributes(merge(old, new).dataset, UserSettings())[0]
    assert_same(found, Model(expected, TransitionFitter(expected)(SETTINGS)))
    assert receipt.changed_users > len(set(names))  # who has them for friends too


def test_forgetting_takes_a_user_out_of_their_friends_rows():
    data = select_attributes(planted(), UserSettings())[0]
    lengths = np.diff(data.events.sorted().indptr(len(data.users)))
    gone = next(user for user in data.relations[:, 1].tolist() if lengths[user] > 3)
    model = Model(data, TransitionFitter(data)(SETTINGS))
    found, receipt = without_users(model, [data.users.ids[gone]])
    left = found.dataset
    assert len(left.users) == len(data.users) - 1
    assert len(left.relations) < len(data.relations)
    assert_same(found, Model(left, TransitionFitter(left)(SETTINGS)))
    assert receipt.users == 1
    assert receipt.changed_users > 1


def test_a_run_with_attributes_and_friends_is_saved_and_loaded(tmp_path):
    recipe = Recipe.load(overrides=["search.budget=3", "transition.friends=0.2"])
    model = fit(planted(), recipe, model="transition")
    again = load(model.save(tmp_path / "run"))
    assert again.dataset.catalogue.attributes.ids == ("plan=a", "plan=b")
    assert np.array_equal(again.dataset.relations, model.dataset.relations)
    lists = zip(model.recommend_all(5), again.recommend_all(5), strict=True)
    assert all(np.array_equal(a.items, b.items) for a, b in lists)
    alone = fit(planted(), Recipe.load(None, ["users.friends=false", "search.budget=1"]),
                model="transition")  # fmt: skip
    assert not len(alone.dataset.relations)


def test_a_friends_event_is_not_a_seen_item():
    names = ["ann", "bo", "cy", "di"]
    data = from_columns(
        ["ann", "bo", "bo", "cy", "cy", "di", "di"],
        ["tea", "tea", "cup", "tea", "cup", "cup", "pot"],
        timestamp=[5, 1, 2, 1, 2, 1, 2],
        relations={"user": ["ann"], "friend": ["bo"]},
        users={"user": names, "town": ["x", "x", "y", "y"]},
        time="order",
        target="event",
    )
    assert isinstance(data.events, Events)
    described, _ = select_attributes(data, UserSettings())
    model = Model(described, TransitionFitter(described)(SETTINGS))
    assert "cup" in [row.item for row in model.recommend("ann", k=3).items]
    alone = replace(described, relations=described.relations[:0])
    sides = SideInformation.of(alone).side_inputs(described.history("ann"), SETTINGS, 0, 50)
    assert sides.nnz == 1  # her town
