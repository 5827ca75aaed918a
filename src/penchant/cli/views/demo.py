"""How the demo is told."""

from penchant.cli.demo import Demo
from penchant.cli.views.benchmark import show_benchmark
from penchant.cli.views.console import say, table
from penchant.cli.views.items import show_items

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
"""The dirt that a world plants, and the cleaning rule that should find it."""


def show(demo: Demo) -> None:
    """Print the demo: what was cleaned, who ranks best, what was recovered, one explained list."""
    say("1. Cleaning", "bold")
    for name, (came, left) in demo.report.rows.items():
        say(f"{name}: {came:,} rows in, {left:,} rows out")
    rows = []
    for planted, rule in RULES.items():
        found = demo.report.count(rule)
        actions = {f.action for f in demo.report.findings if f.rule == rule}
        rows.append((rule, ", ".join(sorted(actions)), f"{demo.planted[planted]:,}", f"{found:,}"))
    table(None, ("rule", "rows were", "planted", "found"), rows, left=2)
    say("\n2. Who ranks best", "bold")
    show_benchmark(demo.table.to_dict())
    say("\n3. The planted interests", "bold")
    r = demo.recovery
    say(f"of a user's 1 to 4 interests, their lists show {r.found:.0%} (chance: {r.chance:.0%})")
    say(f"{r.inside:.0%} of recommended items lie in one of them (random lists: {r.by_size:.0%})")
    say(f"\n4. One user, {demo.listed.user}", "bold")
    say("planted: " + ", ".join(f"{name} {weight:.0%}" for name, weight in demo.interests))
    say("last events: " + "; ".join(f"{b} {title}" for _, title, b in demo.history))
    show_items(None, demo.listed.to_dict()["items"])
    say(f"\n{demo.seconds:.0f} s. The data and the run are in {demo.folder}; try:")
    say(f"  a browser, on {demo.folder / 'report.html'}: the report on the run, with plots")
    say(f"  penchant recommend {demo.folder / 'run'} --user {demo.listed.user} --explain")
    item = demo.listed.items[0].item
    say(f"  penchant explain {demo.folder / 'run'} --user {demo.listed.user} --item {item}")
    say(f"  penchant similar {demo.folder / 'run'} --item {item}")
    say(f"  penchant serve {demo.folder / 'run'} --open: the same over HTTP, with a console")
