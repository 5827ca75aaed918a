"""What the demo prints: one step after the other."""

from penchant.cli.demo import Demo
from penchant.cli.views.benchmark import show_benchmark
from penchant.cli.views.console import say, table
from penchant.cli.views.items import show_items
from penchant.errors import counted

RULES = {
    "repeated_ids": "repeated event_id",
    "repeats": "repeated event",
    "junk_dates": "impossible date",
    "bots": "bot-like users",
    "missing_behavior": "missing behavior",
    "unknown_items": "unknown items",
    "bad_values": "bad value",
    "malformed": "malformed rows",
}
"""The errors that a generated shop has, and the cleaning rule that should find each."""


def show(demo: Demo, verbose: bool) -> None:
    """Print the demo: what was cleaned, who ranks best, what was recovered, one explained list."""
    say("1. Cleaning", "bold")
    for name, (before, after) in demo.report.rows.items():
        say(f"{name}: {counted(before, 'row')} read, {after:,} kept")
    rows = []
    for planted, rule in RULES.items():
        found = demo.report.count(rule)
        actions = {f.action for f in demo.report.findings if f.rule == rule}
        rows.append((rule, ", ".join(sorted(actions)), f"{demo.planted[planted]:,}", f"{found:,}"))
    table(None, ("problem", "rows were", "made", "found"), rows, left=2)
    say("\n2. Who ranks best", "bold")
    show_benchmark(demo.table.to_dict(), verbose)
    say("\n3. The interests that users were given", "bold")
    r = demo.recovery
    say(f"lists show {r.found:.0%} of a user's 1 to 4 interests (by chance: {r.chance:.0%})")
    say(f"{r.inside:.0%} of recommended items lie in one of them (by chance: {r.by_size:.0%})")
    say(f"\n4. One user, {demo.listed.user}", "bold")
    say("given interests: " + ", ".join(f"{name} {weight:.0%}" for name, weight in demo.interests))
    say("last events: " + "; ".join(f"{b} {title}" for _, title, b in demo.history))
    show_items(None, demo.listed.to_dict()["items"])
    say(f"\nDone in {demo.seconds:.0f} s. Data, run and report are in {demo.folder}. Next:")
    say(f"  open {demo.folder / 'report.html'} in a browser: the report on the run, with plots")
    say(f"  penchant recommend {demo.folder / 'run'} --user {demo.listed.user} --explain")
    item = demo.listed.items[0].item
    say(f"  penchant explain {demo.folder / 'run'} --user {demo.listed.user} --item {item}")
    say(f"  penchant similar {demo.folder / 'run'} --item {item}")
    say(f"  penchant serve {demo.folder / 'run'} --open   # over HTTP, with a web console")
