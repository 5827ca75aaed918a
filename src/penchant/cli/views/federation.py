"""The rounds of a federated training."""

from typing import Any

from penchant.cli.views.console import interval, say, table

_SHOWN = 10


def show(found: dict[str, Any]) -> None:
    """Print what a federation found."""
    say(
        f"{found['clients']:,} clients hold {found['users']:,} users and {found['events']:,} "
        f"events of {found['items']:,} public items"
    )
    if not found["block_is_public"]:
        say("the items are the best sellers here; name a list that is public with --block")
    sent = found["bytes_per_client"]
    what = "the network" if found["model"] == "sequence" else "sums"
    masked = ", masked" if found["secure"] else ""
    say(
        f"{found['answered']:,} clients sent {what}{masked}: {sent['least']:,} to "
        f"{sent['most']:,} bytes each, {found['seconds']:.1f} s in all"
    )
    if dropped := found["dropped"]:
        rows = [(one["client"], one["stage"], one["reason"]) for one in dropped[:_SHOWN]]
        title = f"{len(rows)} of {len(dropped)} clients that were dropped"
        table(title, ("client", "at", "because"), rows, left=3)
    else:
        say("no client was dropped")
    if of := found.get("bytes_of_catalogues"):
        told = ", ".join(f"{bytes_ / 1e6:,.0f} MB for {n:,} items" for n, bytes_ in of.items())
        say(f"bytes of a client's sums by the size of the block: {told}")
    if same := found.get("same_bits_as_central"):
        parts = ", ".join(f"{name} {'yes' if of else 'NO'}" for name, of in same.items())
        say(f"the same bits as the central fit: {parts}")
    if found.get("rho") is not None:
        say(f"spent: rho = {found['rho']:.4g} (zCDP of a whole client), the server being trusted")
    say(
        f"NDCG@10 of the federation: {interval(found['ndcg@10'])}; of the central fit on the same "
        f"block: {interval(found['central_ndcg@10'])}"
    )
