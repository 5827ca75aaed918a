"""What an online evaluation reports: clicks by variant, their differences, the value of a run."""

from dataclasses import dataclass, fields, is_dataclass

from penchant.evaluation.metrics import Interval
from penchant.storage.json_records import to_json


class _FlatRecord:
    """Base of a dataclass whose intervals have flat names in JSON."""

    def to_dict(self) -> dict[str, object]:
        """As JSON types; each interval as name, name_low and name_high, null if not known."""
        assert is_dataclass(self)
        content: dict[str, object] = {}
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if isinstance(value, Interval):
                for suffix, bound in zip(("", "_low", "_high"), value, strict=True):
                    content[name + suffix] = to_json(float(bound))
            else:
                content[name] = value
        return content


@dataclass(frozen=True)
class VariantClicks(_FlatRecord):
    """Clicks of the impressions of a variant; ``rate`` is clicks per impression."""

    variant: str
    artifacts: int
    users: int
    lists: int
    impressions: int
    clicks: int
    rate: Interval


@dataclass(frozen=True)
class RateDifference(_FlatRecord):
    """How far the click rate of a variant is above that of a baseline."""

    variant: str
    baseline: str
    difference: Interval


@dataclass(frozen=True)
class RunValue(_FlatRecord):
    """The estimated value of a run on explored positions, in clicks per position.

    slots, slots_left_out  explored positions that were used, and that were not
    slot_users             users of the used ones
    slots_clicked          used ones that were clicked
    slots_agreeing         used ones where the item shown is the choice of the run
    agreeing_clicked       those of them that were clicked
    ess                    effective sample size
    logged                 value of the lists that were shown
    ips, snips             value of the run, by (self-normalized) inverse propensity scoring
    gain                   ips less logged
    run_events_after_first_slot  events of the run that are later than the first used position
    """

    slots: int
    slots_left_out: int
    slot_users: int
    slots_clicked: int
    slots_agreeing: int
    agreeing_clicked: int
    ess: float
    logged: Interval
    ips: Interval
    snips: Interval
    gain: Interval
    run_events_after_first_slot: int


@dataclass(frozen=True)
class OnlineReport:
    """Clicks by variant, and the value of a run on explored positions.

    clicks       the behaviors that count as a click
    variants     clicks of each variant
    differences  of the click rates: each other variant less the first
    value        of the run on explored positions
    notes        what to know before these are relied on
    """

    clicks: tuple[str, ...]
    variants: tuple[VariantClicks, ...]
    differences: tuple[RateDifference, ...]
    value: RunValue
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """As JSON types, the names of the value beside the others."""
        return {
            "behaviors": list(self.clicks),
            "variants": [variant.to_dict() for variant in self.variants],
            "differences": [difference.to_dict() for difference in self.differences],
            **self.value.to_dict(),
            "notes": list(self.notes),
        }
