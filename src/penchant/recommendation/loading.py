"""A saved run as a model again."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from penchant.config import plugins
from penchant.recommendation.model import Model
from penchant.recommendation.run_files import read


def load(path: str | Path, *, allow: Iterable[str] = ()) -> Model:
    """Read a saved model.

    Parameters
    ----------
    path
        Where ``Model.save`` wrote it.
    allow
        What runs may import of models and encoders written outside, as ``package.module:Name``,
        from now on in this process: an update may look an encoder up again. By itself a run imports
        those alone that are installed entry points, or imported already.

    Returns
    -------
    Model
        The model as it was saved; runs of earlier versions are read too.

    Raises
    ------
    ArtifactError
        Where a byte of it has changed, and where it needs what is not installed or allowed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from penchant import fit, from_columns
    >>> dataset = from_columns(user=["ann", "ann", "bo"], item=["tea", "cup", "tea"])
    >>> with TemporaryDirectory() as folder:
    ...     path = fit(dataset, model="popularity").save(f"{folder}/run")
    ...     load(path)
    Model(popularity, 2 users, 2 items)
    """
    plugins.allow(allow)
    run = read(path)
    return Model(**{field.name: getattr(run, field.name) for field in fields(run)})
