"""Profiles: made of interests, written by users, kept with them and gone with them."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from llm_server import FakeModel
from penchant import load
from penchant.cli import app
from penchant.config import TransitionSettings
from penchant.data import synthetic
from penchant.errors import ArtifactError, ConfigError, LanguageModelError
from penchant.llm.tasks.user_profile import LIMITS, NONE, plain_profile, write_profile
from penchant.models.transition.recommender import TransitionFitter
from penchant.privacy.erasure.erase import erase
from penchant.privacy.subject_access import subject_data
from penchant.recommendation import Model, save_profiles
from penchant.recommendation.interests import Profile
from penchant.storage.signing_key import load_key
from penchant.training.update import update, without_events, without_users

OWN = "Green tea, and pots to make it in.\nNo coffee."


def failing(prompt):
    raise LanguageModelError("the service is away")


def obedient(prompt):
    data = json.loads(prompt.user[prompt.user.index("{") :])
    return {"text": f"You are fond of {data['interests'][0]['titles'][0]}."}


@pytest.fixture(scope="module")
def model():
    data = synthetic.genres(150)[0]
    return Model(data, TransitionFitter(data)(TransitionSettings()))


@pytest.fixture(scope="module")
def user(model):
    return model.dataset.users.ids[0]


@pytest.fixture
def run(tmp_path, model):
    return model.save(tmp_path / "run")


@pytest.fixture
def configured(monkeypatch):
    """Puts a model in the place of the one that settings would name."""
    monkeypatch.delenv("PENCHANT_LLM_URL", raising=False)

    def put(fake):
        monkeypatch.setattr("penchant.llm.client.openai_chat.chat_of", lambda file=None: fake)
        return fake

    return put


def told(*arguments, code=0):
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_without_a_model_a_profile_is_plain(model, user):
    interests = model.interests(user)
    found = write_profile(interests, model.dataset.catalogue)
    assert found.text.startswith(f"Mostly {interests.clusters[0].label} (")
    assert 0 < len(found.text) <= LIMITS.longest
    assert (found.edited, found.model, found.note) == (False, None, None)
    long = replace(interests.clusters[0], titles=tuple("x" * 90 + str(n) for n in range(9)))
    assert 300 < len(plain_profile([long] * 30)) <= LIMITS.longest
    muted = tuple(replace(one, factor=0.0) for one in interests.clusters)
    assert write_profile(replace(interests, clusters=muted), model.dataset.catalogue).text == NONE


def test_a_model_writes_it_and_is_asked_again_only_for_other_interests(model, user):
    fake, catalogue = FakeModel(obedient), model.dataset.catalogue
    interests = model.interests(user)
    found = write_profile(interests, catalogue, fake)
    assert found.model == fake.name
    assert interests.clusters[0].titles[0] in found.text
    assert fake.prompts[0].about_users
    assert user not in fake.prompts[0].system + fake.prompts[0].user
    assert write_profile(interests, catalogue, fake, found) is found
    assert write_profile(interests, catalogue, None, found) is found
    assert len(fake.prompts) == 1
    fewer = replace(interests, clusters=interests.clusters[:1])
    assert write_profile(fewer, catalogue, fake, found) != found
    plain = write_profile(interests, catalogue)
    assert write_profile(interests, catalogue, fake, plain).model == fake.name
    own = Profile.written(OWN)
    assert write_profile(interests, catalogue, fake, own) is own
    assert len(fake.prompts) == 3


def test_a_model_that_lies_is_asked_once_and_one_that_fails_again(model, user):
    interests, catalogue = model.interests(user), model.dataset.catalogue
    plain = write_profile(interests, catalogue)
    seen = {title for one in interests.clusters for title in one.titles}
    other = next(one for one in catalogue.items.ids if one not in seen)
    for lie in (f"also {other}", "the user is sick", "99999 times", "<b>so</b>"):
        liar = FakeModel(lambda prompt, lie=lie: {"text": f"{obedient(prompt)['text']} {lie}"})
        found = write_profile(interests, catalogue, liar)
        assert (found.text, found.model) == (plain.text, None)
        assert "refused" in found.note
        assert write_profile(interests, catalogue, liar, found) is found
        assert len(liar.prompts) == 1
    for broken in (FakeModel(failing), FakeModel(obedient, users=False)):
        found = write_profile(interests, catalogue, broken)
        assert found.text == plain.text
        assert "the text without it" in found.note
        assert write_profile(interests, catalogue, FakeModel(obedient), found).model


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 1001, "a\x00b", "\ud800"])
def test_what_cannot_be_kept_is_refused(text):
    with pytest.raises(ConfigError, match="1 to 1,000 characters"):
        Profile.written(text)


def test_lines_of_a_form_are_lines():
    assert Profile.written(" a\r\nb ").text == "a\nb"
    assert Profile.written("\r\n".join("x" * 500)[:1998]).edited


def test_profiles_are_saved_beside_controls(run, model, user):
    text = {user: Profile.written(OWN), "b": Profile("made", False, "a model", "0f", "so")}
    save_profiles(text, run)
    assert load(run).profiles == text
    load(run).save(run)
    assert load(run).profiles == text
    assert load(run).with_target(None).with_controls(user, ()).profiles == text
    manifest = run / "manifest.json"
    manifest.write_text(manifest.read_text().replace("coffee", "toffee"))
    with pytest.raises(ArtifactError):
        load(run)


def test_a_run_without_profiles_is_read(run):
    from penchant.storage import artifact

    content = json.loads((run / "manifest.json").read_text())
    del content["profiles"]
    (run / "manifest.json").write_bytes(artifact._with_digest(content))
    assert load(run).profiles == {}


def test_profiles_go_with_the_user_and_with_the_events(model, user):
    other = model.dataset.users.ids[1]
    made, own = Profile("made", made="0f"), Profile.written(OWN)
    both = replace(model, profiles={user: made, other: own})
    assert subject_data(both, user)["profile"] == made.to_dict()
    assert subject_data(both, other)["profile"]["text"] == own.text
    assert subject_data(model, user)["profile"] is None
    assert without_users(both, [user])[0].profiles == {other: own}
    rows = model.interests(user).clusters[0].rows
    assert without_events(both, user, rows)[0].profiles == {other: own}
    rows = model.interests(other).clusters[0].rows
    assert without_events(both, other, rows)[0].profiles == {user: made, other: own}
    fresh = model.dataset.with_events(model.dataset.events.take([0]))
    assert update(both, fresh)[0].profiles == both.profiles


def test_a_receipt_counts_profiles(run, model, user):
    save_profiles({user: Profile.written(OWN)}, run)
    receipt = erase(run, [user], load_key()).receipt
    assert receipt["erased"]["run"]["profiles"] == 1
    assert load(run).profiles == {}
    assert "Green" not in (run / "manifest.json").read_text()


def test_the_command_makes_keeps_and_takes_back(run, user, tmp_path, configured):
    configured(None)
    ask = "profile", run, "--user", user
    plain = told(*ask)
    assert plain["text"].startswith("Mostly")
    assert load(run).profiles[user].text == plain["text"]
    fake = configured(FakeModel(obedient))
    assert told(*ask)["model"] == fake.name
    assert told(*ask)["model"] == fake.name
    assert len(fake.prompts) == 1  # the run keeps it
    assert told(*ask, "--write", OWN) == {
        "user": user, "text": OWN, "edited": True, "model": None, "note": None
    }  # fmt: skip
    assert told(*ask)["text"] == OWN
    file = tmp_path / "own.txt"
    file.write_text("Ünd mehr", encoding="utf-8")
    assert told(*ask, "--file", file)["text"] == "Ünd mehr"
    configured(FakeModel(failing))
    back = told(*ask, "--reset")
    assert (back["text"], back["edited"]) == (plain["text"], False)
    assert "away" in back["note"]
    assert user not in load(run).profiles
    shown = CliRunner().invoke(app, list(map(str, ask)))
    assert "in plain words" in shown.output
    assert "note: the language model gave no answer" in shown.output
    exported = CliRunner().invoke(app, ["export-user", str(run), "--user", user])
    assert json.loads(exported.stdout)["runs"][str(run)]["profile"] is None


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--write", "a", "--reset"], "one of --write, --file and --reset"),
        (["--write", " "], "1 to 1,000 characters"),
        (["--file", "/none/there"], "cannot be read"),
        (["--user", "nobody"], "unknown user"),
    ],
)
def test_the_command_says_what_is_wrong(run, user, more, expected):
    done = CliRunner().invoke(app, ["profile", str(run), "--user", user, *more])
    assert expected in str(done.exception)


def test_interests_and_explanations_are_worded_on_the_command_line(run, model, user, configured):
    from test_explanation_text import obedient as words

    item = next(iter(model.dataset.catalogue.items.ids))
    ask = ("interests", run, "--user", user), ("explain", run, "--user", user, "--item", item)
    configured(None)
    plain = [told(*one, "--worded")["worded"] for one in ask]
    assert all("no language model" in one["note"] for one in plain)
    fake = configured(FakeModel(words))
    named, said = (told(*one, "--worded")["worded"] for one in ask)
    assert {one["model"] for one in named["interests"]} == {fake.name}
    assert said["model"] == fake.name
    for one, text in zip(ask, (named["interests"][0]["sentence"], said["text"]), strict=True):
        assert "worded" not in told(*one)
        shown = CliRunner().invoke(app, [*map(str, one), "--worded"])
        assert text in shown.output
