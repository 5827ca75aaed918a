"""Types that the whole package shares."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


Arrays = dict[str, NDArray[Any]]


Ints = NDArray[np.int64]


Floats = NDArray[np.float64]


Mask = NDArray[np.bool_]


TimeKind = Literal["clock", "order", "none"]


Progress = Callable[[str], None]
