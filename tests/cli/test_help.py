"""The help of every command says what each argument and option takes, whatever typer prints it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from printed_help import complaints

ROOT = Path(__file__).parents[2]


def test_every_command_says_what_it_takes():
    assert list(complaints()) == []


@pytest.mark.slow
def test_the_newest_typer_prints_it_too(tmp_path):
    """Typer and what it needs in a folder before the environment's own."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    newest = ["install", "--target", str(tmp_path), "--retries=0", "--timeout=10", "typer"]
    if subprocess.run([*pip, *newest], capture_output=True, check=False).returncode:
        pytest.skip("no package index can be reached")
    path = os.pathsep.join(map(str, (tmp_path, ROOT / "src")))
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "printed_help.py"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
