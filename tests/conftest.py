"""The tests run in as many processes as there are cores: each keeps to one thread."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # else torch's threads wait for one another

# contents of generated worlds are encoded once for all tests, and never in the user's own cache
os.environ.setdefault("PENCHANT_CACHE", str(Path(tempfile.gettempdir()) / "penchant-tests"))
