"""What people say they want: how a text is read, the places it takes, searches of the service."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from llm_server import FakeModel
from penchant import Recipe, fit
from penchant.cli import app
from penchant.config import QuerySettings
from penchant.data.ingest import ingest
from penchant.data.io.load import load
from penchant.data.text_query import TextQuery
from penchant.errors import ConfigError, LanguageModelError
from penchant.llm.tasks.question import read_question
from penchant.recommendation import load as load_model
from penchant.recommendation.interests import Profile
from penchant.recommendation.ranking import named_items, rank
from penchant.recommendation.request import ListRequest
from penchant.recommendation.text_search import (
    active_queries,
    blend_queries,
    parse_query,
    queries_in,
)
from penchant.recommendation.text_search.relevance import words
from penchant.serve.service.refresh import refresh
from penchant.serve.store.store import Store
from serving import client_of, quoted, told

TITLES = {
    "bear": ("The Bear and the Honey Pot", ("Animation", "Children's")),
    "mole": ("The Mole Digs a Tunnel", ("Animation", "Children's")),
    "fox": ("A Fox in Winter", ("Children's",)),
    "moon": ("Night of the Blood Moon", ("Horror",)),
    "crypt": ("The Crypt", ("Horror", "Mystery")),
    "ghost": ("Ghosts of the Old House", ("Horror",)),
    "trial": ("The Trial of the Century", ("Drama",)),
    "river": ("By the River", ("Drama", "Romance")),
    "letter": ("A Letter from Paris", ("Drama", "Romance")),
    "orbit": ("Orbit", ("Sci-Fi",)),
    "mars": ("Stranded on Mars", ("Sci-Fi", "Drama")),
    "race": ("The Great Race", ("Action",)),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Thirty people who watch dramas and horror; one of them has also searched."""
    folder = tmp_path_factory.mktemp("queries")
    rng = np.random.default_rng(0)
    lines = ["user,item,query,behavior,timestamp"]
    liked = ["moon", "crypt", "ghost", "trial", "river", "letter", "mars", "race"]
    for user in range(30):
        for time, item in enumerate(rng.permutation(liked)[:6]):
            lines.append(f"u{user},{item},,watch,{1_700_000_000 + 60 * time}")
    lines.append("u0,,haunted house,search,1700000900")
    lines += [f"u29,{item},,watch,1700001000" for item in ("bear", "mole", "fox", "orbit")]
    (folder / "e.csv").write_text("\n".join(lines), encoding="utf-8")
    items = ["item,title,tags"]
    items += [f'{name},"{title}","{"|".join(tags)}"' for name, (title, tags) in TITLES.items()]
    (folder / "i.csv").write_text("\n".join(items), encoding="utf-8")
    (folder / "m.toml").write_text('target = "watch"\n[items.tags]\nseparator = "|"\n', "utf-8")
    return folder


@pytest.fixture(scope="module")
def model(shop):
    mapping = shop / "m.toml"
    try:
        ingest(shop / "e.csv", shop / "data", items=shop / "i.csv", mapping=mapping)
    except ConfigError:
        mapping.write_text('target = "watch"\n', encoding="utf-8")
        ingest(shop / "e.csv", shop / "data", items=shop / "i.csv", mapping=mapping)
    recipe = Recipe.model_validate({"search": {"budget": 1}, "target": "watch"})
    return fit(load(shop / "data"), recipe, model="transition")


def names(found):
    return [one.item for one in found.items]


def test_a_text_is_read_by_meaning_tags_and_words(model):
    def best(text):
        return model.dataset.catalogue.items.ids[int(np.argmax(model.text_matcher.relevance(text)))]

    assert set(TITLES[best("cartoon for kids")][1]) & {"Animation", "Children's"}
    assert "Horror" in TITLES[best("scary")][1]
    assert best("mars") == "mars"
    assert best("letter from paris") == "letter"


def test_without_an_encoder_words_and_named_tags_are_left(model, monkeypatch):
    monkeypatch.setattr("penchant.recommendation.text_search.relevance._encoder", lambda made: None)
    matcher = type(model.text_matcher)(model.dataset.catalogue, model.content)
    ids = model.dataset.catalogue.items.ids
    assert "Horror" in TITLES[ids[int(np.argmax(matcher.relevance("horror")))]][1]
    assert ids[int(np.argmax(matcher.relevance("letter from paris")))] == "letter"
    assert not matcher.relevance("qqq").any()


def test_a_question_takes_the_whole_list_and_leaves_out_what_it_rules_out(model):
    text = "a film for children, not animation"
    asked = read_question(text, model.dataset.catalogue)
    assert asked.parsed.excluded_tags == ("Animation",)
    found = model.ask(text, user="u3", k=3)
    assert found == model.ask(asked, user="u3", k=3)
    assert names(found)[0] == "fox"
    assert not any("Animation" in TITLES[item][1] for item in names(found))
    assert found.items[0].source == "asked"
    assert "film for children" in found.items[0].because


def test_a_search_takes_its_share_and_fades_with_what_comes_after(model):
    past = model.dataset.history("u3")
    whole = len(model.dataset.catalogue)

    def places(said):
        found = rank(model, replace(past, queries=said), ListRequest(k=whole, repeats=True))
        order = [model.dataset.catalogue.items.ids[i] for i in found.items[0] if i >= 0]
        return sorted(order.index(item) for item in ("bear", "mole", "fox"))

    before = places(())
    now, later = (places((TextQuery("cartoon for children", after, 0),)) for after in (0, 8))
    assert sum(now) < sum(later) <= sum(before)
    assert places((TextQuery("cartoon for children", 30, 0),)) == before


def test_searches_of_the_data_are_read_from_their_tokens(model):
    terms = model.text_matcher.terms
    assert queries_in(model.dataset.history("u0"), terms) == (TextQuery("haunted house", 0, 0),)
    assert queries_in(model.dataset.history("u1"), terms) == ()
    users = model.dataset.users.rows(["u1", "u0"])
    both = model.dataset.events.histories(users)
    assert queries_in(both, terms) == (TextQuery("haunted house", 0, 1),)
    assert any(one.source == "asked" for one in model.recommend("u0", repeats=True).items)
    assert not any(one.source == "asked" for one in model.recommend("u1", repeats=True).items)


@pytest.mark.parametrize(("telling", "share"), [(True, 0.6), (False, 0.0)])
def test_the_share_of_searches_is_chosen_on_validation_events(tmp_path, telling, share):
    """People search for what they take next, or for what they never take."""
    rng = np.random.default_rng(1)
    titles = [f"{a}{b} lamp" for a in ("ba", "do", "ki", "mu") for b in "bcdfghjklmnpqrs"]
    lines, time = ["user,item,query,behavior,timestamp"], 1_700_000_000
    for user in range(150):
        mine = rng.permutation(len(titles))[:5].tolist()
        for item in mine:
            word = titles[item if telling else (item + 7) % len(titles)].split()[0]
            lines.append(f"u{user},,{word},search,{(time := time + 60)}")
            lines.append(f"u{user},i{item},,buy,{(time := time + 60)}")
    items = ["item,title", *(f"i{n},{title}" for n, title in enumerate(titles))]
    (tmp_path / "e.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "i.csv").write_text("\n".join(items), encoding="utf-8")
    (tmp_path / "m.toml").write_text('target = "buy"\n', encoding="utf-8")
    where = {"items": tmp_path / "i.csv", "mapping": tmp_path / "m.toml"}
    ingest(tmp_path / "e.csv", tmp_path / "data", **where)
    recipe = {"search": {"budget": 1}, "content": {"text": "none"}}
    found = fit(load(tmp_path / "data"), Recipe.model_validate(recipe), model="popularity")
    tried = found.report.searches
    assert found.recipe.queries.share == tried.share == share
    assert tried.ndcg[str(share)] == max(tried.ndcg.values())
    if telling:
        told_ = found.report.evaluation.metrics["ndcg@10"].value
        assert told_ > 0.5 > 2 * tried.ndcg["0.0"]
    fixed = recipe | {"queries": {"share": 0.3}}
    found = fit(load(tmp_path / "data"), Recipe.model_validate(fixed), model="popularity")
    assert (found.recipe.queries.share, found.report.searches) == (0.3, None)


def test_interests_in_ones_own_words_move_the_list_of_a_run(model):
    own = replace(model, profiles={"u3": Profile.written("Cartoons for children.")})
    moved = [one for one in own.recommend("u3", k=5).items if one.source == "asked"]
    assert {"bear", "mole", "fox"} & {one.item for one in moved}
    made = replace(model, profiles={"u3": Profile("Cartoons for children.")})
    assert names(made.recommend("u3", k=5)) == names(model.recommend("u3", k=5))


def test_a_stranger_who_asks_is_not_told_what_is_popular(model):
    found = model.recommend(history=[], query="cartoon for children", k=3)
    assert set(names(found)) == {"bear", "mole", "fox"}
    assert found.source == model.family


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(-320, 320), min_size=1, max_size=30),
    st.lists(st.integers(-3, 3), min_size=30, max_size=30),
    st.floats(0.01, 1.0),
)
def test_scores_change_places_and_nothing_else(scores, fit_, share):
    scores = np.array(scores) / 64
    found = blend_queries(scores, [np.array(fit_, float)[: len(scores)]], [share], 2.0).scores
    assert np.allclose(np.sort(found), np.sort(scores), atol=1e-6)
    assert len(np.unique(found)) == len(scores)


def test_half_of_the_places_are_of_the_past_and_half_of_the_wish():
    scores = np.arange(100.0, 0, -1)
    fit_ = np.zeros(100)
    fit_[50:60] = 1.0
    found = blend_queries(scores, [fit_], [0.5], 100.0)
    first = np.argsort(-found.scores)[:10]
    assert sorted(first.tolist()) == [0, 1, 2, 3, 4, 50, 51, 52, 53, 54]
    assert found.query[first].max() == 0
    assert (found.query[:5] == -1).all()


def test_what_is_out_stays_out_and_one_item_is_no_trouble():
    scores = np.array([1.0, -np.inf, 0.5])
    found = blend_queries(scores, [np.array([0.0, 9.0, 1.0])], [0.9], 2.0)
    assert found.scores[1] == -np.inf
    assert blend_queries(np.array([2.0]), [np.array([1.0])], [1.0], 2.0).scores.tolist() == [2.0]
    assert blend_queries(scores, [], [], 2.0).scores is scores


def test_items_without_a_score_keep_it_and_can_be_asked_for():
    none = -np.finfo(np.float64).max
    scores, fit_ = np.array([3.0, 2.0, none, none, none, -np.inf]), np.arange(6.0)
    found = blend_queries(scores, [fit_], [0.5], 2.0).scores
    assert sorted(found.tolist()) == sorted(scores.tolist())
    alone = blend_queries(scores, [np.array([0.0, 0, 0, 0, 9, 0])], [1.0], 2.0)
    assert int(np.argmax(alone.scores)) == 4


def test_places_that_nothing_fits_are_not_said_to_be_asked_for(model):
    found = model.recommend("u3", query="cartoon for children", k=12)
    asked = {one.item for one in found.items if one.source == "asked"}
    assert {"bear", "mole", "fox"} <= asked < {one.item for one in found.items}


def test_searches_are_the_same_from_a_saved_run(model, tmp_path):
    model.save(tmp_path / "run")
    again = load_model(tmp_path / "run")
    assert len(again.dataset.events) == len(model.dataset.events)
    for user in ("u0", "u1"):
        before = queries_in(model.dataset.history(user), model.text_matcher.terms)
        assert queries_in(again.dataset.history(user), again.text_matcher.terms) == before
    assert again.recommend("u0").items == model.recommend("u0").items


@pytest.mark.parametrize("text", ["Drama. No horror.", "drama without horror"])
def test_what_a_text_rules_out_is_not_brought_by_it(model, text):
    own = replace(model, profiles={"u29": Profile.written(text)})
    for found in (own.recommend("u29", k=12), model.recommend("u29", query=text, k=12)):
        for one in found.items:
            assert one.source != "asked" or "Horror" not in TITLES[one.item][1]
    alone = model.recommend("u29", query="no horror", k=12)
    assert not any("Horror" in TITLES[one.item][1] for one in alone.items)
    only = replace(model, profiles={"u29": Profile.written("No horror.")})
    assert names(only.recommend("u29", k=12)) == names(model.recommend("u29", k=12))


def test_lists_of_all_are_those_of_each(model):
    for block in model.recommend_all(5):
        for row, user in enumerate(block.users.tolist()):
            one = model.recommend(model.dataset.users.ids[user], k=5)
            assert [item.item for item in named_items(model, block, row)] == names(one)
            assert [item.source for item in named_items(model, block, row)] == [
                o.source for o in one.items
            ]


def test_a_model_that_rules_everything_out_is_not_believed(model):
    every = sorted({tag for _, tags in TITLES.values() for tag in tags})
    reply = {"wanted": "scary", "avoid": every, "domain": None}
    read = read_question("scary film", model.dataset.catalogue, FakeModel(lambda prompt: reply))
    assert (read.parsed.text, read.parsed.excluded_tags, read.model) == ("scary film", (), None)
    assert "ruled out most" in read.notes[0]


def test_a_wish_said_again_counts_once_and_an_old_one_ends():
    said = [TextQuery("Tea", 0, 0), TextQuery("tea", 1, 0), TextQuery("cup", 40, 0)]
    assert [one.text for one in active_queries(said, QuerySettings())[0]] == ["Tea"]


@pytest.mark.parametrize(
    ("text", "wanted", "none"),
    [
        ("something lighter for tonight, not horror", "something lighter for tonight", ("Horror",)),
        ("no drama or romance", "", ("Drama", "Romance")),
        ("ein Film ohne Horror, bitte", "ein Film, bitte", ("Horror",)),
        ("science fiction", "science fiction", ()),
        ("not bad", "", ()),
        ("not horror but romance", "romance", ("Horror",)),
        ("not only horror but also drama", "not only horror but also drama", ()),
        ("I don't want horror", "", ("Horror",)),
        ("anything but horror", "", ("Horror",)),
        ("why not horror?", "horror", ()),
        ("drama (no horror)", "drama", ("Horror",)),
        ("un film sans horror ni romance", "un film", ("Horror", "Romance")),
    ],
)
def test_negations_rule_out_tags(model, text, wanted, none):
    read = parse_query(text, model.dataset.catalogue)
    assert (read.text, read.excluded_tags) == (wanted, none)


def test_words_are_compared_without_case_plural_or_possessive():
    assert words("Children’s CARTOONS") == words("children cartoon")


def test_a_models_reading_is_checked_against_the_catalogue(model):
    reply = {"wanted": "funny", "avoid": ["Horror", "Nazis", "Horror"], "domain": "moon base"}
    read = read_question("cheer me up", model.dataset.catalogue, FakeModel(lambda prompt: reply))
    assert read.parsed.text == "funny"
    assert read.parsed.excluded_tags == ("Horror",)
    assert "1 tags or domains" in read.notes[0]
    assert read.model


def test_a_model_that_fails_leaves_the_plain_reading_and_a_note(model):
    def fails(prompt):
        raise LanguageModelError("no answer")

    read = read_question("scary, not drama", model.dataset.catalogue, FakeModel(fails))
    assert (read.parsed.text, read.parsed.excluded_tags, read.model) == ("scary", ("Drama",), None)
    assert "no answer" in read.notes[0]
    off = FakeModel(lambda prompt: {"wanted": "x", "avoid": [], "domain": None}, users=False)
    assert "users" in read_question("scary", model.dataset.catalogue, off).notes[0]
    with pytest.raises(ConfigError, match="a word in it"):
        read_question(" ?! ", model.dataset.catalogue)


def test_the_command_says_how_it_understood(model, tmp_path):
    model.save(tmp_path / "run")
    command = ["ask", str(tmp_path / "run"), "a film for children, not animation", "--user", "u3"]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    for part in ("wanted: a film for children", "not wanted: Animation", "A Fox in Winter"):
        assert part in shown.output
    again = load_model(tmp_path / "run")
    assert names(again.recommend("u3", query="cartoon")) == names(
        model.recommend("u3", query="cartoon")
    )


def test_a_posted_search_moves_the_next_list(model, tmp_path):
    model.save(tmp_path / "run")
    with client_of(tmp_path / "run", f"sqlite:///{tmp_path}/s.db") as client:
        address = f"/users/{quoted('u3')}/recommendations"
        before = told(client.get(address, params={"k": 5}))["items"]
        # neither the words nor the behavior are known to the run
        event = {"user": "u3", "query": "cartoon for children", "behavior": "typed"}
        assert told(client.post("/events", json=event))["accepted"] == 1
        after = told(client.get(address, params={"k": 5}))["items"]
        moved = [one for one in after if one["source"] == "asked"]
        assert {"bear", "mole", "fox"} & {one["item"] for one in moved}
        assert not any(one["source"] == "asked" for one in before)
        assert moved[0]["because"] == "because you asked for “cartoon for children”"
        for _ in range(12):
            told(client.post("/events", json={"user": "u3", "item": "race", "behavior": "watch"}))
        faded = told(client.get(address, params={"k": 5}))["items"]
        assert not any(one["source"] == "asked" for one in faded)


def test_an_update_ends_searches_of_a_behavior_that_the_run_lacks(model, tmp_path):
    model.save(tmp_path / "run")
    database, heard = f"sqlite:///{tmp_path}/s.db", []
    with client_of(tmp_path / "run", database) as client:
        for behavior in ("typed", "search"):
            event = {"user": "u3", "query": "cartoon", "behavior": behavior}
            told(client.post("/events", json=event))
    store = Store(database)
    done = refresh(tmp_path / "run", store, progress=heard.append)
    store.close()
    assert any("1 search of a behavior unknown to the run" in line for line in heard)
    assert done.seq == 2
    renewed = load_model(tmp_path / "run")
    assert queries_in(renewed.dataset.history("u3"), renewed.text_matcher.terms) == (
        TextQuery("cartoon", 0, 0),
    )


def test_the_service_answers_a_question_with_rules_and_without(model, tmp_path):
    model.save(tmp_path / "run")
    with client_of(tmp_path / "run", f"sqlite:///{tmp_path}/s.db") as client:
        asked = {"query": "scary film, not mystery", "k": 2, "repeats": True}
        found = told(client.get("/users/u29/recommendations", params=asked))
        assert {one["item"] for one in found["items"]} <= {"moon", "ghost"}
        assert found["question"]["without"] == ["Mystery"]
        told(client.put("/users/u29/profile", json={"text": "Cartoons for children."}))
        plain = told(client.get("/users/u29/recommendations", params={"k": 5, "repeats": True}))
        assert any(one["source"] == "asked" for one in plain["items"])
        body = {"history": ["river"], "query": "cartoon for children", "k": 2}
        found = told(client.post("/recommendations", json=body))
        assert {one["item"] for one in found["items"]} <= {"bear", "mole", "fox"}
        told(client.get("/users/u29/recommendations", params={"query": ""}), 422)


@pytest.mark.parametrize("repeats", [False, True])
def test_what_no_list_can_hold_is_said(tmp_path, repeats):
    """Each purchase follows a view of the same item: all right answers of this split were seen."""
    lines = ["user,item,behavior,timestamp"]
    lines += [
        f"u{user},i{(user + place // 2) % 9},{('view', 'buy')[place % 2]},{1_700_000_000 + place}"
        for user in range(40)
        for place in range(10)
    ]
    (tmp_path / "e.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "m.toml").write_text('target = "buy"\nprotocol = "leave-one-out"\n', "utf-8")
    ingest(tmp_path / "e.csv", tmp_path / "data", mapping=tmp_path / "m.toml")
    recipe = Recipe.model_validate({"search": {"budget": 1}, "repeats": repeats})
    found = fit(load(tmp_path / "data"), recipe, model="transition")
    said = [note for note in found.report.notes if "no list holds" in note]
    assert bool(said) is not repeats
    if said:
        assert said[0].startswith("100% of the test events")
        assert found.report.evaluation.metrics["ndcg@10"].value == 0
