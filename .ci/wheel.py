"""Try the installed wheel where there is nothing but its core: what it costs, and that it works.

Called as ``python -I wheel.py WHEELS SECONDS`` with the folder of the downloaded wheels and the
time that their installation took.
"""

import subprocess
import sys
import time
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from statistics import median

IMPORT_LIMIT = 0.5
NOT_CORE = ("torch", "implicit", "pandas", "pyarrow", "sklearn", "matplotlib", "pytest")
PENCHANT = str(Path(sys.executable).with_name("penchant"))
IMPORT = "import penchant"
USE = "import penchant; [getattr(penchant, name) for name in penchant.__all__]"


def main(wheels: str, seconds: str) -> None:
    """Fail where the wheel does not stand alone, and print its sizes and times in one line."""
    there = [name for name in NOT_CORE if find_spec(name)]
    assert not there, f"expected the core alone, found {', '.join(there)}"
    import penchant

    assert Path(penchant.__file__).is_relative_to(sys.prefix), f"foreign: {penchant.__file__}"
    assert files("penchant").joinpath("py.typed").is_file(), "the wheel lost its py.typed"

    imported, used = seconds_of(IMPORT), seconds_of(USE)
    _, help_seconds = run([PENCHANT, "--help"])
    _, demo_seconds = run([PENCHANT, "demo"])
    print(
        f"core: download {megabytes(wheels):.0f} MB, "
        f"installed {megabytes(Path(penchant.__file__).parents[1]):.0f} MB, "
        f"install {seconds} s, import {imported:.2f} s, every public name {used:.2f} s, "
        f"--help {help_seconds:.1f} s, demo {demo_seconds:.0f} s"
    )
    assert imported <= IMPORT_LIMIT, f"import penchant takes more than {IMPORT_LIMIT} s"


def seconds_of(statement: str) -> float:
    """Median of what the statement takes in five new processes, without their start."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    return median(float(run([sys.executable, "-I", "-c", code])[0]) for _ in range(5))


def run(command: list[str]) -> tuple[str, float]:
    """What the command printed, and its seconds; a command that fails shows all it said."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} exited {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout, time.perf_counter() - start


def megabytes(folder: str | Path) -> float:
    """Size of all files below the folder, in millions of bytes."""
    return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6


if __name__ == "__main__":
    main(*sys.argv[1:])
