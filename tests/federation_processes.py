"""A SuperLink and SuperNodes as processes in a network of their own, where only loopback is.

    python tests/federation_processes.py FOLDER SECONDS run-config-as-JSON name=fault ...

FOLDER holds NAME/ (a DATA directory) for each client and agreement.json. A fault is "none", "nan",
"shape" or "dies"; who dies is killed, with its client's process, once it has begun to train. What
the server saved lies in FOLDER/out. Run it where nothing but loopback can be reached (unshare -n).
"""

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from penchant.privacy.federated.agreement import Agreement
from penchant.privacy.federated.flower_app import write

SUPERLINK = 9000
FAULTY = """import os
import time
from pathlib import Path

from flwr.app import Array, ArrayRecord

from penchant.privacy.federated.flower_app import process_client, process_server


def faulty(message, context, answer):
    fault = context.node_config["fault"]
    if not message.metadata.message_type.startswith("train") or fault == "none":
        return answer(message, context)
    if fault == "dies":
        Path(context.node_config["marker"]).write_text(str(os.getpid()))
        time.sleep(600)
    reply = answer(message, context)
    arrays = {name: array.numpy().copy() for name, array in reply.content["arrays"].items()}
    first = sorted(arrays)[0]
    if fault == "nan":
        arrays[first][...] = float("nan")
    else:
        arrays[first] = arrays[first][:-1]
    reply.content["arrays"] = ArrayRecord({n: Array(a) for n, a in arrays.items()})
    return reply


server = process_server()
client = process_client([faulty])
"""


def loopback_up():
    """Bring ``lo`` up; a new network has it down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        flags = struct.pack("16sh", b"lo", 0x1 | 0x40)
        fcntl.ioctl(asked, 0x8914, flags)


def started(log, command, environment):
    with log.open("w") as out:
        return subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )


def killed(process):
    """End a process that was started here, and those of its session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def until(seconds, done):
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def reachable(port):
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def main():
    folder, seconds, config = Path(sys.argv[1]), float(sys.argv[2]), json.loads(sys.argv[3])
    clients = dict(argument.split("=") for argument in sys.argv[4:])
    loopback_up()
    home = folder / "home"
    home.mkdir()
    (home / "config.toml").write_text(
        f'[superlink.loopback]\naddress = "127.0.0.1:{SUPERLINK}"\ninsecure = true\n'
    )
    environment = os.environ | {
        "FLWR_HOME": str(home),
        "HOME": str(home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    agreement = Agreement.from_json((folder / "agreement.json").read_text())
    app = folder / "app"
    write(app, agreement, folder / "out", clients=len(clients), **config)
    (app / "federation.py").write_text(FAULTY)
    link = ["flower-superlink", "--insecure", "--port", str(SUPERLINK)]
    link += ["--disable-runtime-dependency-installation"]
    running = [started(folder / "superlink.log", link, environment)]
    dying = {}
    try:
        assert until(60, lambda: reachable(SUPERLINK)), "no SuperLink"
        for place, (name, fault) in enumerate(clients.items()):
            marker = folder / f"{name}.marker"
            own = f'name="{name}" data="{folder / name}" fault="{fault}" marker="{marker}"'
            node = ["flower-supernode", "--insecure", "--superlink", f"127.0.0.1:{SUPERLINK}"]
            node += ["--port", str(SUPERLINK + 1 + place), "--node-config", own]
            process = started(folder / f"{name}.log", node, environment)
            running.append(process)
            if fault == "dies":
                dying[marker] = process
        # --stream ends with the run, and its log is the server app's own
        run = ["flwr", "run", str(app), "loopback", "--stream"]
        running.append(served := started(folder / "server.log", run, environment))

        def done():
            for marker, process in list(dying.items()):
                if marker.exists() and marker.read_text():
                    del dying[marker]
                    killed(process)
                    with suppress(ProcessLookupError):
                        os.kill(int(marker.read_text()), signal.SIGKILL)
            return served.poll() is not None

        print("finished" if until(seconds, done) else "too late")
    finally:
        for process in reversed(running):
            killed(process)


if __name__ == "__main__":
    main()
