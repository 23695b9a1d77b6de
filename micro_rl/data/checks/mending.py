"""A mended copy of a log on the disk."""

from pathlib import Path

from micro_rl.data import conversion
from micro_rl.data.checks import repair
from micro_rl.data.checks.inspection import Inspection
from micro_rl.data.checks.repair import Change
from micro_rl.errors import UserError

MENDABLE = frozenset({"not-finite", "overflow", "out-of-bounds"})
"""Errors with a remedy that needs no knowledge of the system."""


def mend(seen: Inspection, out: Path, horizon: int | None, command: str) -> list[Change]:
    """Write what `repair` makes of a log, in the form that the suffix names; nothing where there is nothing to mend.

    Raises `UserError` where there is an error that nothing here can mend, or no row is left.
    """
    form = conversion.form_of(out, None)
    if out.exists():
        raise UserError(f"{out}: is there already; name a new file for the mended copy")
    wrong = [one for one in seen.findings if one.level == "error" and one.kind not in MENDABLE]
    if wrong or seen.dataset is None:
        raise UserError(f"{seen.path}: nothing can be mended before this is: {wrong[0].text}")
    next_recorded = all(one.kind != "no-next-observations" for one in seen.findings)
    dataset, changes = repair.repair(seen.dataset, next_recorded, horizon)
    if not changes:
        return changes
    if not len(dataset):
        raise UserError(f"{seen.path}: no row is left when those that cannot be used are dropped: write the log again")
    out.parent.mkdir(parents=True, exist_ok=True)
    conversion.convert(dataset, out, form, command)
    return changes
