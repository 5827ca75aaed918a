"""What a language model added to items."""

from typing import Any

from penchant.cli.views.console import say
from penchant.errors import counted


def show_enriched(content: dict[str, Any]) -> None:
    """Print the report of an enrichment."""
    say(
        f"{counted(content['items'], 'item')}: {content['done']:,} described now, "
        f"{content['kept']:,} described before, {content['textless']:,} without text, "
        f"{content['failed']:,} failed, {content['left']:,} left for later"
    )
    spent = content["spent"]
    cost = f", cost {spent['money']:.4f}" if spent["money"] else ""
    say(
        f"{content['model']}: {counted(spent['requests'], 'request')}, {spent['cached']:,} "
        f"answered from the cache, {counted(spent['read'], 'token')} read, {spent['written']:,} "
        f"written, {content['seconds']:.1f} s{cost}"
    )
    if content["dropped"] or content["cut"]:
        say(f"in the replies, tags left out: {content['dropped']:,}, texts cut: {content['cut']:,}")
    for failure in content["examples"]:
        say(f"failed: {failure['item']}: {failure['reason']}")
    if content["failed"] > len(content["examples"]):
        say(f"... and {content['failed'] - len(content['examples']):,} more")
