"""Users out of a model; a receipt says what equals a new fit and what stands until the next one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from penchant.errors import counted
from penchant.evaluation.fit_report import FitReport, ForgottenReport
from penchant.privacy.erasure import receipts
from penchant.privacy.erasure.refit import refit_calibration, transition_alone
from penchant.recommendation import Model
from penchant.storage.signing_key import SigningKey, load_key
from penchant.training.update import OF_FUSION, Receipt, without_users
from penchant.types import Progress


@dataclass(frozen=True)
class Erasure:
    """What became of a model whose users were erased.

    Attributes
    ----------
    users, events
        How many were erased.
    solved, columns
        Columns of the target's B that were solved again, of how many.
    exact
        What now equals a fit on the remaining data.
    refitted
        What was fitted again without the users.
    left
        What stands as it was until the next fit, which is due by the ``deadline``.
    strict
        Whether the transition expert recommends alone until then.
    receipt
        The signed receipt, as JSON types; empty before it is signed.
    """

    users: int
    events: int
    solved: int
    columns: int
    exact: tuple[str, ...]
    refitted: tuple[str, ...]
    left: tuple[str, ...]
    deadline: str
    strict: bool
    receipt: Mapping[str, object]

    def statement(self) -> dict[str, object]:
        """What a receipt says of the model, in the words of its format."""
        return {
            "exact": list(self.exact),
            "redone": list(self.refitted),
            "left": list(self.left),
            "deadline": self.deadline,
            "strict": self.strict,
        }

    def counts(self, model: Model, users: Sequence[str]) -> dict[str, int]:
        """Rows erased from the run; texts of interests only where it held some."""
        profiles = sum(user in model.profiles for user in users)
        erased = {"users": self.users, "events": self.events}
        return erased | ({"profiles": profiles} if profiles else {})

    def to_dict(self) -> dict[str, object]:
        """As JSON types."""
        return asdict(self)


def forget(
    model: Model,
    users: Sequence[str],
    key: SigningKey | None = None,
    *,
    strict: bool = False,
    days: int = receipts.DAYS,
    progress: Progress | None = None,
) -> tuple[Model, Erasure]:
    """Erase users from a model, as if it had been fitted without them.

    Statistics, solution and popularity are those of a fit on the remaining events, bit for bit;
    the weights of a fusion and the calibrations are fitted again. Tombstones keep the users out:
    ``penchant.update`` leaves their events out from then on. The command ``penchant forget`` does
    the same to a saved run, and to DATA and a store.

    Parameters
    ----------
    model
        It stays as it is; a new one comes back.
    users
        Identifiers. Whom the model does not know leaves a tombstone all the same.
    key
        Signs the receipt and makes the tombstones; by default that of PENCHANT_KEY_FILE or of the
        user's settings, made where there is none.
    strict
        Take a fusion's deep expert out, which was trained on the users, until the next fit.
    days
        From today, until which the next fit is due.
    progress
        Takes a line on each step.

    Returns
    -------
    Model
        The model without the users.
    Erasure
        What equals a new fit, what stands until the next one, and the signed receipt.

    Raises
    ------
    ConfigError
        For another key than that of the model's tombstones, and for a private run, whose release
        cannot be taken back.

    Examples
    --------
    >>> import penchant
    >>> model = penchant.fit(penchant.from_columns(user=["ann", "bo", "bo"], item=[*"xxy"]))
    >>> model, erasure = penchant.forget(model, ["ann"], SigningKey(bytes(32)))
    >>> erasure.users, erasure.events, model.dataset.users.ids
    (1, 1, ('bo',))
    """
    key = key or load_key()
    tombstones = model.dataset.tombstones.with_users(users, key)
    known = [user for user in users if user in model.dataset.users]
    remaining, update = without_users(model, known)
    remaining = replace(remaining, dataset=replace(remaining.dataset, tombstones=tombstones))
    result, erasure = complete(remaining, update, strict=strict, days=days, progress=progress)
    erased = {"model": erasure.counts(model, users)}
    receipt = receipts.receipt(users, key, erased, [], [], erasure.statement())
    return result, replace(erasure, receipt=receipt)


def complete(
    model: Model,
    update: Receipt,
    *,
    strict: bool = False,
    days: int = receipts.DAYS,
    progress: Progress | None = None,
) -> tuple[Model, Erasure]:
    """Fit again what ``without_users`` left; the model, and what became of it without a receipt."""
    before = model.report.forgotten
    deadline = receipts.deadline(days) if before is None else before.deadline
    erasure = Erasure(
        users=update.users,
        events=update.events,
        solved=update.solved,
        columns=update.columns,
        exact=update.exact,
        refitted=(),
        left=(),
        deadline=deadline,
        strict=before is not None and before.strict,
        receipt={},
    )
    if not update.users:  # nothing was learned of whom the model did not know
        return model, erasure
    strict = strict and bool(model.recommender.experts)
    if strict:
        model = transition_alone(model)
    model, refitted = refit_calibration(model, progress)
    standing = [part for part in update.left if not strict or part not in OF_FUSION]
    erasure = replace(
        erasure,
        refitted=refitted,
        left=tuple(part for part in standing if part not in refitted),
        deadline=min(receipts.deadline(days), deadline),
        strict=strict or erasure.strict,
    )
    count = update.users + (0 if before is None else before.count)
    forgotten = ForgottenReport(count, erasure.deadline, erasure.left, erasure.strict)
    return replace(model, report=replace(model.report, forgotten=forgotten)), erasure


def notice(report: FitReport) -> str | None:
    """A line on the users erased since the last fit; None where there were none."""
    gone = report.forgotten
    if gone is None:
        return None
    was = "was" if gone.count == 1 else "were"
    alone = "; the transition expert recommends alone" if gone.strict else ""
    return (
        f"{counted(gone.count, 'user')} {was} erased since the last fit; not yet fitted "
        f"without them: {', '.join(gone.pending)}; the next fit is due by {gone.deadline}{alone}"
    )
