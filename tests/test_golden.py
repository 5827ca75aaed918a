"""What version 0.1.0 computed is what this one computes: sums, B and lists; its runs load."""

import hashlib
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from penchant import Model, load
from penchant.config import Recipe, TransitionSettings
from penchant.errors import ArtifactError
from penchant.evaluation.fit_report import FitReport
from penchant.models.transition.recommender import TRANSITION

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "golden" / "ml100k.json").read_text(encoding="utf-8"))


def digest(*arrays):
    made = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        made.update(str((array.dtype.str, array.shape)).encode())
        made.update(array.tobytes())
    return made.hexdigest()


def sparse_digest(matrix):
    matrix = matrix.tocsr(copy=True)
    matrix.sum_duplicates()
    matrix.sort_indices()
    where = (np.asarray(part, np.int64) for part in (matrix.indices, matrix.indptr))
    return digest(np.asarray(matrix.data), *where)


def kernel():
    """The BLAS that SciPy's LAPACK runs on: bits of B are those of one kernel."""
    return sorted(
        {
            f"{pool['architecture']} {pool['version']}"
            for pool in threadpool_info()
            if "scipy.libs" in pool["filepath"]
        }
    )


@pytest.fixture(scope="module")
def expert(movielens):
    return TRANSITION.fitter(movielens, 0)(TransitionSettings())


def test_the_sums_of_movielens_are_those_of_0_1_0(movielens, expert):
    assert len(movielens.events) == GOLDEN["events"]
    for name, expected in GOLDEN["sums"].items():
        side, letter = name.split(".")
        assert sparse_digest(getattr(getattr(expert.statistics, side), letter)) == expected


def test_the_matrix_of_movielens_is_that_of_0_1_0(expert):
    B = expert.B.tocsr(copy=True)
    B.sort_indices()
    places = (np.asarray(part, np.int64) for part in (B.indices, B.indptr))
    assert digest(*places) == GOLDEN["B"]["pattern"]
    if kernel() == GOLDEN["kernel"]:
        assert digest(B.data) == GOLDEN["B"]["values"]
    values = B.data.astype(np.float64)
    assert values.sum() == pytest.approx(GOLDEN["B"]["sum"], rel=1e-5)
    assert (values**2).sum() == pytest.approx(GOLDEN["B"]["sum of squares"], rel=1e-5)


def test_the_lists_of_movielens_are_those_of_0_1_0(movielens, expert):
    rows = np.concatenate([block.items for block in Model(movielens, expert).recommend_all(10)])
    names = np.array([*movielens.catalogue.items.ids, ""], object)[rows]
    for user, expected in GOLDEN["first lists"].items():
        assert list(names[movielens.users.index[user]]) == expected
    if kernel() == GOLDEN["kernel"]:
        text = json.dumps([list(row) for row in names], ensure_ascii=False)
        assert hashlib.sha256(text.encode()).hexdigest() == GOLDEN["lists"]


@pytest.mark.parametrize("family", ["transition", "fusion"])
def test_a_run_of_0_1_0_loads_and_lists_the_same(family, tmp_path):
    if family == "fusion":
        pytest.importorskip("torch", reason="torch is not installed; it is the extra deep")
    with tarfile.open(HERE / "fixtures" / "runs-0.1.0.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    expected = json.loads((tmp_path / f"{family}.json").read_text(encoding="utf-8"))
    with pytest.warns(
        FutureWarning, match=r"saved by Penchant 0\.1\.0, .* alpha is content_weights"
    ):
        model = load(tmp_path / family)
    assert model.recipe.target == "buy"
    for behavior, lists in expected.items():
        assert lists
        for user, rows in lists.items():
            found = model.recommend(user, k=5, behavior=behavior).items
            assert [row.item for row in found] == [item for item, _ in rows]
            assert [row.score for row in found] == pytest.approx([s for _, s in rows], rel=1e-4)
    assert model.recipe == Recipe.model_validate(model.recipe.model_dump())
    again = load(model.save(tmp_path / "again"))
    user = model.dataset.users.ids[0]
    assert again.recommend(user).items == model.recommend(user).items


@pytest.mark.parametrize("family", ["transition", "fusion"])
def test_the_report_of_a_run_of_0_1_0_is_read_and_written_whole(family, tmp_path):
    with tarfile.open(HERE / "fixtures" / "runs-0.1.0.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    content = json.loads((tmp_path / family / "manifest.json").read_text(encoding="utf-8"))["info"]
    report = FitReport.from_dict(content)
    assert report.evaluation.cases == content["evaluation"]["cases"]
    assert report.to_dict() == content
    json.dumps(report.to_dict(), allow_nan=False)
    with pytest.raises(ArtifactError, match="expected 'cases', received none"):
        FitReport.from_dict({"evaluation": {"protocol": "leave-one-out"}})
