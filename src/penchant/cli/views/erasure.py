"""What an erasure removed, and what still waits for the next fit."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from penchant.cli.views.console import say
from penchant.errors import counted

if TYPE_CHECKING:
    from penchant.privacy.erasure.unlearn import Erasure


def show_erased(erasure: "Erasure", file: Path | None) -> None:
    """Print what was erased, where, and the key of the receipt."""
    receipt: Any = erasure.receipt
    say(
        f"{counted(erasure.users, 'user')} and {counted(erasure.events, 'event')} erased; "
        f"recomputed: {erasure.solved:,} of {counted(erasure.columns, 'column')}"
    )
    for place, rows in receipt["erased"].items():
        if place != "run":
            listed = ", ".join(f"{counted(count, 'row')} of {name}" for name, count in rows.items())
            say(f"erased from {place}: {listed or 'nothing'}")
    say(f"as if they had never been there: {', '.join(erasure.exact)}")
    if erasure.refitted:
        say(f"fitted again without them: {', '.join(erasure.refitted)}")
    say(f"unchanged until the next fit, due by {erasure.deadline}: {', '.join(erasure.left)}")
    if receipt["still_held"]:
        say(f"still holding them: {', '.join(receipt['still_held'])}")
    where = f"saved in {file}" if file is not None else "not saved: --receipt FILE saves it"
    say(f"receipt signed with the key {receipt['key']}, {where}")
