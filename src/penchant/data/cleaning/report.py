"""What cleaning found and did, for a person and for a machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from penchant.errors import counted
from penchant.storage.json_records import JsonRecord


@dataclass(frozen=True)
class Finding(JsonRecord):
    """One rule's finding: ``count`` rows of ``table`` were ``action``.

    action is "dropped", "merged" (into an earlier row), "filled", "unset" or "kept".
    """

    rule: str
    action: str
    count: int
    table: str = "events"
    examples: tuple[Mapping[str, Any], ...] = ()
    detail: str = ""

    def __str__(self) -> str:
        text = f"{self.table}: {self.rule}: {counted(self.count, 'row')}"
        return f"{text} {self.action}" + (f" ({self.detail})" if self.detail else "")


@dataclass
class CleaningReport(JsonRecord):
    """What came in, what went out, and why they differ.

    ``rows`` is table -> (rows in, rows out); for each table, rows in = rows out + dropped +
    merged.
    """

    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def rows_in(self) -> int:
        return self.rows["events"][0]

    @property
    def rows_out(self) -> int:
        return self.rows["events"][1]

    def count(self, rule: str) -> int:
        """How many rows a rule found, over all tables."""
        return sum(finding.count for finding in self.findings if finding.rule == rule)

    def lines(self) -> list[str]:
        """The report as plain lines for a person."""
        result = [
            f"{table}: {counted(rows_in, 'row')} in, {counted(rows_out, 'row')} out"
            for table, (rows_in, rows_out) in self.rows.items()
        ]
        for finding in self.findings:
            result.append(str(finding))
            for example in finding.examples:
                cells = ", ".join(f"{k} {v!r}" for k, v in example.items() if v is not None)
                result.append(f"    {cells}")
        return result + [f"note: {note}" for note in self.notes]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON types."""
        rows = {table: {"in": i, "out": o} for table, (i, o) in self.rows.items()}
        return super().to_dict() | {"rows": rows}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The report that gave this JSON."""
        rows = {table: (counts["in"], counts["out"]) for table, counts in content["rows"].items()}
        return replace(super().from_dict({**content, "rows": {}}), rows=rows)
