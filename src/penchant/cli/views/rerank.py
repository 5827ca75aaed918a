"""Lists that a language model re-ranked, and how good they are."""

from typing import TYPE_CHECKING, Any

from penchant.cli.views.console import interval, number, say, signed, table
from penchant.errors import counted

if TYPE_CHECKING:
    from penchant.evaluation.fit_report import RerankReport


def show_rerank(outcome: "RerankReport") -> None:
    """Print what ``evaluate_reorder`` measured."""
    below = outcome.settings["below"]
    who = f"{counted(outcome.cases, 'user')} with fewer than {counted(below, 'event')}"
    if outcome.shortened:
        latest = counted(below - 1, "event")
        who = f"{counted(outcome.cases, 'user')}, cut to their latest {latest}"
    rows = [
        (name, interval(outcome.without[name]), interval(outcome.reranked[name]), signed(less))
        for name, less in outcome.less.items()
    ]
    title = f"{outcome.model} on {who} ({outcome.protocol}); mean and 95 % interval"
    table(title, ("metric", "without", "with", "difference, paired"), rows)
    cost = outcome.cost
    own = ", ".join(f"{name} {value}" for name, value in outcome.settings.items())
    say(f"settings: {own}")
    say(
        f"{counted(int(cost['requests']), 'request')}, {cost['cached']:,} from the cache; tokens: "
        f"{cost['read']:,} read, {cost['written']:,} written; {cost['seconds']:.1f} s of waiting; "
        f"cost {number(cost['money'])}"
    )
    say(
        f"replies that failed: {outcome.failed:,}; numbers dropped: {outcome.invented:,} invented, "
        f"{outcome.repeated:,} repeated; items left out: {outcome.left_out:,}"
    )
    if outcome.wins:
        say("it helps, as the interval lies above 0: lists of such users are re-ranked")
    elif outcome.low > 0:
        say("too few users to be sure that it helps: lists stay as they are")
    else:
        say("it does not help, as the interval does not lie above 0: lists stay as they are")


def show_reordered(reordering: dict[str, Any]) -> None:
    """Print whether a language model re-ranked a list, or why not."""
    if reordering["used"]:
        say("note: the list is re-ranked by a language model; scores are the recommender's")
    for note in reordering["notes"]:
        say(f"note: {note}")
