"""What an online evaluation reports: clicks by variant, their differences, the value of a run."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from penchant.evaluation.metrics import Interval


@dataclass(frozen=True)
class VariantClicks:
    """Clicks of the impressions of a variant; ``rate`` is clicks per impression."""

    variant: str
    artifacts: int
    users: int
    lists: int
    impressions: int
    clicks: int
    rate: Interval

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self) | _flat_interval("rate", self.rate)


@dataclass(frozen=True)
class RateDifference:
    """How far the click rate of a variant is above that of a baseline."""

    variant: str
    baseline: str
    difference: Interval

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self) | _flat_interval("difference", self.difference)


@dataclass(frozen=True)
class RunValue:
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

    def to_dict(self) -> dict[str, Any]:
        """As JSON types; each interval as name, name_low and name_high."""
        content = asdict(self)
        for name in ("logged", "ips", "snips", "gain"):
            content |= _flat_interval(name, getattr(self, name))
        return content


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

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, the names of the value beside the others."""
        return {
            "behaviors": list(self.clicks),
            "variants": [variant.to_dict() for variant in self.variants],
            "differences": [difference.to_dict() for difference in self.differences],
            **self.value.to_dict(),
            "notes": list(self.notes),
        }


def _flat_interval(name: str, interval: Interval) -> dict[str, float | None]:
    """An interval under flat names, None where it is not known."""
    value, low, high = (None if np.isnan(bound) else float(bound) for bound in interval)
    return {name: value, f"{name}_low": low, f"{name}_high": high}
