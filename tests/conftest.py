"""The tests run in as many processes as there are cores: each keeps to one thread."""

import os
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # else torch's threads wait for one another

# a key of the tests' own: none is made, or used, in the user's settings
os.environ["PENCHANT_KEY_FILE"] = str(Path(tempfile.gettempdir()) / "penchant-tests-key")

# contents of generated worlds are encoded once for all tests, and never in the user's own cache
os.environ.setdefault("PENCHANT_CACHE", str(Path(tempfile.gettempdir()) / "penchant-tests"))


@pytest.fixture(scope="session")
def public_data():
    """The folder of public data sets; tests that read one are skipped where it is not at hand."""
    root = os.environ.get("PENCHANT_DATA")
    if not root:
        pytest.skip("PENCHANT_DATA names no folder of public data; the README says where to get it")
    return Path(root)


@pytest.fixture(scope="session")
def movielens(tmp_path_factory, public_data):
    """MovieLens 100K."""
    from penchant.data.ingest import ingest
    from penchant.data.io.load import load

    if not (public_data / "raw" / "ml-100k").is_dir():
        pytest.skip("PENCHANT_DATA holds no raw/ml-100k; the README says where to get it")
    out = tmp_path_factory.mktemp("ml-100k")
    recipe = Path(__file__).parents[1] / "recipes" / "ml-100k.toml"
    ingest(public_data / "raw" / "ml-100k", out, mapping=recipe)
    return load(out)


@pytest.fixture(scope="module")
def data():
    """The world of a service's run, where a module has no other."""
    from serving import world

    return world()


@pytest.fixture(scope="module")
def run(tmp_path_factory, data):
    """A fitted run of this world on disk."""
    from serving import run_of

    return run_of(tmp_path_factory.mktemp("runs") / "run", data=data)


@pytest.fixture
def database(tmp_path):
    """The address of a store of its own."""
    return f"sqlite:///{tmp_path / 'store.sqlite'}"


@pytest.fixture
def client(run, database):
    """A client of a service of the run, in this process."""
    from serving import client_of

    with client_of(run, database) as made:
        yield made
