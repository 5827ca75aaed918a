"""A PostgreSQL of our own on a free port, for the tests that need one."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin")) + sorted(
    Path("/usr/pgsql").glob("*/bin")
)
BINARIES = next((place for place in reversed(PLACES) if (place / "initdb").exists()), None)
WHY = "PostgreSQL is not installed; on Debian: apt-get install postgresql"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def cluster() -> Iterator[str]:
    """The address of a database in a cluster that ends with the block."""
    root = os.geteuid() == 0
    name = "postgres" if root else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="penchant-postgres-"))
    if root:
        shutil.chown(folder, name)
    start = ["runuser", "-u", name, "--"] if root else []
    port = free_port()

    def do(*command: str) -> None:
        done = subprocess.run(
            [*start, str(BINARIES / command[0]), *command[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr

    data = folder / "data"
    do("initdb", "-D", str(data), "-A", "trust", "-U", "penchant", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    try:
        do("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        do("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "penchant", "penchant")
        yield f"postgresql+psycopg://penchant@127.0.0.1:{port}/penchant"
    finally:
        do("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
