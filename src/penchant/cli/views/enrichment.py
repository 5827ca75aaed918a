"""What a language model added to items."""

from typing import Any

from penchant.cli.views.console import say


def show_enriched(content: dict[str, Any]) -> None:
    """Print the report of an enriching."""
    say(
        f"{content['items']:,} items: {content['done']:,} described now, {content['kept']:,} kept "
        f"from before, {content['textless']:,} without text, {content['failed']:,} failed, "
        f"{content['left']:,} not asked"
    )
    spent = content["spent"]
    money = f", {spent['money']:.4f} of money" if spent["money"] else ""
    say(
        f"{content['model']}: {spent['requests']:,} requests, {spent['cached']:,} replies from the "
        f"cache, {spent['read']:,} tokens read, {spent['written']:,} written, "
        f"{content['seconds']:.1f} s{money}"
    )
    if content["dropped"] or content["cut"]:
        say(
            f"of the replies, words left out: {content['dropped']:,}, texts cut: {content['cut']:,}"
        )
    for one in content["examples"]:
        say(f"failed: {one['item']}: {one['reason']}")
    if content["failed"] > len(content["examples"]):
        say(f"... and {content['failed'] - len(content['examples']):,} more")
