"""The way of ``penchant update --database``: what a service received goes into its run."""

import json
import time
from pathlib import Path

from penchant.cli.services import open_store, service_parts
from penchant.cli.views.console import emit, say, working
from penchant.errors import counted


def update_from_service(
    run: Path,
    database: str,
    every: float | None,
    as_json: bool,
    key: Path | None = None,
    strict: bool = False,
) -> None:
    """Update a run from the database of its service, once or every so many seconds.

    The workers of the service then read the new run.
    """
    service_parts()
    from penchant.serve.service.refresh import refresh
    from penchant.storage.signing_key import load_key

    secret = load_key(key, say if not as_json else None)
    store = open_store(database)
    while True:
        with working(f"reading {run} and its store") as progress:
            outcome = refresh(run, store, progress=progress, key=secret, strict=strict)
        if as_json:
            emit({"run": str(run), **outcome.to_dict()})
        else:
            added, gone = outcome.added, outcome.forgotten
            parts = [part for part in (added, gone) if part is not None]
            say(
                f"{counted(added.events if added else 0, 'new event')}, "
                f"{counted(added.items if added else 0, 'new item')}, "
                f"{counted(gone.users if gone else 0, 'user')} forgotten; recomputed: "
                f"{counted(sum(part.solved for part in parts), 'column')}"
            )
            if outcome.receipt is not None:
                say(f"a signed receipt of who was forgotten: {json.dumps(outcome.receipt)}")
            if parts:
                say(f"as after a new fit: {', '.join(parts[0].exact)}")
                say(f"unchanged until the next fit: {', '.join(parts[0].left)}")
        if every is None:
            return
        time.sleep(every)
