"""The rounds of a federated training."""

from typing import Any

from penchant.cli.views.console import interval, say, table
from penchant.errors import counted
from penchant.evaluation.metrics import Interval
from penchant.storage.json_records import from_json

_SHOWN = 10


def show(content: dict[str, Any]) -> None:
    """Print what was sent, and how good the federated model is."""
    say(
        f"{counted(content['clients'], 'client')} with {counted(content['users'], 'user')} and "
        f"{counted(content['events'], 'event')} of {counted(content['items'], 'public item')}"
    )
    if not content["block_is_public"]:
        say("the public items are the best sellers of the data; name your own list with --block")
    sent = content["bytes_per_client"]
    what = "network weights" if content["model"] == "sequence" else "statistics"
    masked = ", masked" if content["secure"] else ""
    say(
        f"{counted(content['answered'], 'client')} sent {what}{masked}: {sent['least']:,} to "
        f"{sent['most']:,} bytes each, {content['seconds']:.1f} s in all"
    )
    if dropped := content["dropped"]:
        rows = [(drop["client"], drop["stage"], drop["reason"]) for drop in dropped[:_SHOWN]]
        title = f"{len(rows)} of {counted(len(dropped), 'client')} that dropped out"
        table(title, ("client", "stage", "reason"), rows, left=3)
    else:
        say("no client dropped out")
    if sizes := content.get("bytes_of_catalogues"):
        listed = ", ".join(
            f"{size / 1e6:,.0f} MB for {counted(count, 'item')}" for count, size in sizes.items()
        )
        say(f"what a client sends, by the number of public items: {listed}")
    if same := content.get("same_bits_as_central"):
        parts = ", ".join(f"{name} {'yes' if equal else 'NO'}" for name, equal in same.items())
        say(f"bit for bit as trained centrally: {parts}")
    if content.get("rho") is not None:
        say(f"privacy of a whole client: rho = {content['rho']:.4g} (zCDP), with a trusted server")
    federated, central = (
        interval(from_json(Interval, content[name])) for name in ("ndcg@10", "central_ndcg@10")
    )
    say(
        f"NDCG@10 of the federated model: {federated}; trained centrally on the same items: "
        f"{central}"
    )
