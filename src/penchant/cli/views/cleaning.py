"""What cleaning kept of each table, and why not the rest."""

from penchant.cli.views.console import say
from penchant.data.cleaning.report import CleaningReport
from penchant.errors import counted

_REMOVED = ("dropped", "merged")


def show_cleaning(report: CleaningReport, verbose: bool) -> None:
    """Print a sentence for each table; with ``verbose`` each finding with examples."""
    for table in report.rows:
        say(_sentence(report, table))
    if verbose:
        for line in report.lines():
            say(line)
        return
    others = [finding for finding in report.findings if finding.action not in _REMOVED]
    if others:
        problems = ", ".join(f"{f.rule} in {counted(f.count, 'row')} ({f.action})" for f in others)
        say(f"also found: {problems}")
    for note in report.notes:
        say(f"note: {note}")
    if report.findings:
        say("--verbose shows examples of each")


def _sentence(report: CleaningReport, table: str) -> str:
    """How many rows of a table were kept, and what became of the rest.

    >>> from penchant.data.cleaning.report import CleaningReport, Finding
    >>> found = [Finding("bots", "dropped", 2), Finding("repeated event", "merged", 1)]
    >>> _sentence(CleaningReport({"events": (10, 7)}, found), "events")
    '7 of 10 rows of events kept; the rest: 2 dropped (bots), 1 merged (repeated event).'
    """
    before, after = report.rows[table]
    if after == before:
        every = "The only row" if before == 1 else f"All {counted(before, 'row')}"
        return f"{every} of {table} kept."
    reasons = ", ".join(
        f"{finding.count:,} {finding.action} ({finding.rule})"
        for finding in report.findings
        if finding.table == table and finding.action in _REMOVED
    )
    kept = f"{after:,} of {counted(before, 'row')} of {table} kept"
    return f"{kept}; the rest: {reasons}." if reasons else f"{kept}."
