"""Impressions: what was shown to whom, and whether it was clicked. They are no events."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from penchant.data.dataset import Dataset
from penchant.data.readers.column_mapping import COLUMN_ALIASES, REQUIRED_COLUMNS
from penchant.data.vocabulary import Vocabulary
from penchant.errors import DataError
from penchant.storage.database import column_types, connect, identifier, literal
from penchant.types import Ints

FILE = "impressions.parquet"


@dataclass(frozen=True)
class Impressions:
    """I impressions of a dataset's users and items, in the order of the file.

    user, item     their rows, (I,)
    clicked        (I,) of bool
    request        row in ``requests`` of each, (I,); -1 where it names none
    unknown_users  impressions that were left out, as the dataset does not know their user
    unknown_items  of the others, those whose item it does not know
    """

    user: Ints
    item: Ints
    clicked: NDArray[np.bool_]
    request: Ints
    requests: Vocabulary
    unknown_users: int
    unknown_items: int

    def __len__(self) -> int:
        return len(self.user)


def read_impressions(directory: str | Path, dataset: Dataset) -> Impressions:
    """Read the impressions of a DATA directory as rows of its dataset.

    Raises DataError where the directory has none, or they lack a column or a cell.
    """
    file = Path(directory) / FILE
    if not file.is_file():
        raise DataError(
            f"expected {FILE} in {directory}, received none; penchant ingest writes it from the "
            "[impressions] of a mapping or from --impressions"
        )
    database = connect()
    source = f"read_parquet({literal(str(file))}, file_row_number = true, binary_as_string = true)"
    try:
        kinds = column_types(database, source)
    except duckdb.Error as error:
        raise DataError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error
    for name in REQUIRED_COLUMNS["impressions"]:
        if name not in kinds:
            raise DataError(
                f"{file}: expected a column {name!r}, received {', '.join(kinds)}; let penchant "
                "ingest read the source"
            )
    request = "request" if "request" in kinds else "null"
    cells = database.execute(
        f'select cast({request} as varchar), cast("user" as varchar), cast(item as varchar), '
        f"try_cast(clicked as boolean) from {source} order by file_row_number"
    ).fetchall()
    named, users, items, clicked = zip(*cells, strict=True) if cells else ((), (), (), ())
    if None in clicked:
        raise DataError(
            f"{file}, row {clicked.index(None)} of column 'clicked': expected true or false, "
            "received neither; let penchant ingest clean the source"
        )
    user, item = dataset.users.rows(users), dataset.catalogue.items.rows(items)
    requests = Vocabulary.of(name for name in named if name is not None)
    known = (user >= 0) & (item >= 0)
    return Impressions(
        user[known],
        item[known],
        np.array(clicked, bool)[known],
        requests.rows(named)[known],
        requests,
        int((user < 0).sum()),
        int(((user >= 0) & (item < 0)).sum()),
    )


def impressions_query(columns: list[str]) -> str:
    """The query for the impressions that were read: the data model's columns that there were."""
    names = {name: identifier(name) for name in COLUMN_ALIASES["impressions"]}
    names["timestamp"] = "time as timestamp"
    cells = [
        cell for name, cell in names.items() if name in (*REQUIRED_COLUMNS["impressions"], *columns)
    ]
    return f"select {', '.join(cells)} from impressions order by row"
