"""The tests run in as many processes as there are cores: each keeps to one thread."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # else torch's threads wait for one another
