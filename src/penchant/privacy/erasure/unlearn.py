"""Users are forgotten: out of a model, and of what else is named; a receipt says what is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from penchant.privacy.erasure import receipts
from penchant.privacy.erasure.refit import alone, refitted
from penchant.recommendation import Model
from penchant.storage.signing_key import Key
from penchant.training.update import OF_FUSION, Receipt
from penchant.training.update import forget as taken_out
from penchant.types import Progress

FLAG = "forgotten"
"""Where a run's info says who is gone: {"count", "deadline", "pending", "strict"}."""


@dataclass(frozen=True)
class Forgotten:
    """A model without some users.

    exact     what now equals a fit on the remaining data
    redone    what was fitted again
    left      what stands as it was until the next fit, due by the ``deadline``
    """

    model: Model
    receipt: Receipt
    redone: tuple[str, ...]
    left: tuple[str, ...]
    deadline: str
    strict: bool

    def told(self) -> dict[str, Any]:
        """What the receipt says of it, as JSON types."""
        return {
            "exact": list(self.receipt.exact),
            "redone": list(self.redone),
            "left": list(self.left),
            "deadline": self.deadline,
            "strict": self.strict,
        }


def forget(
    model: Model,
    users: Sequence[str],
    key: Key,
    *,
    strict: bool = False,
    days: int = receipts.DAYS,
    progress: Progress | None = None,
) -> Forgotten:
    """The model as if some users had never been, with their tombstones.

    Sums, solution and popularity are those of a fit on the remaining events; the weights of a
    fusion and the calibrations are fitted again. With ``strict`` the transition expert serves
    alone, and nothing of a deep expert is left in the model. The model's info says until when
    it is to be fitted anew.

    Whom the model does not know leaves a tombstone all the same. Raises ConfigError for another
    key than that of the model's tombstones.
    """
    stones = model.dataset.tombstones.adding(users, key)
    known = [user for user in users if user in model.dataset.users]
    left, receipt = taken_out(model, known)
    left = replace(left, dataset=replace(left.dataset, tombstones=stones))
    return settled(left, receipt, strict=strict, days=days, progress=progress)


def settled(
    model: Model,
    receipt: Receipt,
    *,
    strict: bool = False,
    days: int = receipts.DAYS,
    progress: Progress | None = None,
) -> Forgotten:
    """The same of a model that users were taken out of already, with the receipt of that."""
    before = model.info.get(FLAG, {})
    if not receipt.users:  # nothing was learned of whom the model did not know
        due = before.get("deadline", receipts.deadline(days))
        return Forgotten(model, receipt, (), (), due, before.get("strict", False))
    strict = strict and bool(model.recommender.experts)
    if strict:
        model = alone(model)
    made, redone = refitted(model, progress)
    standing = [one for one in receipt.left if not strict or one not in OF_FUSION]
    pending = tuple(one for one in standing if one not in redone)
    due = min(receipts.deadline(days), before.get("deadline", "9999"))
    flag = {
        "count": before.get("count", 0) + receipt.users,
        "deadline": due,
        "pending": list(pending),
        "strict": strict or before.get("strict", False),
    }
    made = replace(made, info={**made.info, FLAG: flag})
    return Forgotten(made, receipt, redone, pending, due, flag["strict"])


def flagged(model: Model) -> str | None:
    """A line on who was forgotten since the last fit; None where nobody was."""
    return said(model.info)


def said(info: Mapping[str, Any]) -> str | None:
    """As ``flagged``, from a run's info alone."""
    flag = info.get(FLAG)
    if flag is None:
        return None
    who = "1 user was" if flag["count"] == 1 else f"{flag['count']:,} users were"
    alone_ = "; the transition expert serves alone" if flag["strict"] else ""
    return (
        f"{who} forgotten since the last fit: {', '.join(flag['pending'])} stand as they were "
        f"until the next one, due by {flag['deadline']}{alone_}"
    )
