"""What an export is made of: the policy, where it comes from, and what the file says of itself."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from micro_rl._version import __version__
from micro_rl.control.export_facts import DESCRIPTION, FORMAT, OWN
from micro_rl.control.guard import Guard
from micro_rl.control.origin import OWN_LOG
from micro_rl.core.columns import Column
from micro_rl.errors import UserError
from micro_rl.policy import Policy


class Source(NamedTuple):
    """A policy and what is known of where it comes from, in words by what they are about ("log's SHA-256")."""

    policy: Policy
    known: tuple[tuple[str, str], ...] = ()
    guard: Guard | None = None
    """What scores every step, where the export is to have it."""

    @property
    def before(self) -> int:
        """Steps of the past that a decision needs: the policy for its window, the guard for its score."""
        return max(self.policy.history - 1, 0 if self.guard is None else 1)

    @property
    def of_two_logs(self) -> bool:
        """Whether policy and guard are known to be of two logs; a choice's guard is fitted on a part of its log."""
        own, others = dict(self.known).get(OWN_LOG, ""), "" if self.guard is None else self.guard.log
        return bool(own and others) and own != others

    def guarded(self, guard: Guard) -> "Source":
        """Gives the same with a guard; `UserError` where it is one of other columns."""
        policy, sizes = self.policy, (self.policy.observation_size, self.policy.action_size)
        why = guard.columns.unlike(policy.columns)
        if why or sizes != (guard.observation_size, guard.action_size):
            raise UserError(f"export: the guard's columns are not the policy's ({why}): fit it on the policy's log")
        return self._replace(guard=guard)

    def facts(self) -> dict[str, str]:
        """What the file's head says, a line each; the same for the same policy, whenever it is written."""
        simulator = {"simulator": self.policy.environment} if self.policy.environment else {}
        own = {} if self.guard is None else _of_guard(self.guard)
        head = {"written by": f"micro-rl {__version__}, export format {FORMAT}", OWN: self.policy.sha256}
        return head | dict(self.known) | simulator | own

    def as_dict(self) -> dict[str, Any]:
        """The same, how the log was described (its reward's formula among it) and the columns, in plain values."""
        columns, bounds = self.policy.columns, self.bounds()
        observations = [_described(column) for column in columns.observations]
        actions = [_described(column) | {"bounds": own} for column, own in zip(columns.actions, bounds, strict=True)]
        described = {DESCRIPTION: self.policy.mapping} if self.policy.mapping else {}
        return self.facts() | described | {"observations": observations, "actions": actions}

    def bounds(self) -> list[tuple[float, float]]:
        """The lowest and highest value of each action, raw units."""
        policy = self.policy
        return list(zip(policy.action_low.tolist(), policy.action_high.tolist(), strict=True))


def names(columns: Sequence[Column]) -> list[str]:
    """The columns' names."""
    return [column.name for column in columns]


def _of_guard(guard: Guard) -> dict[str, str]:
    facts = {"guard's threshold": repr(guard.threshold), "guard's rate of false alarms": repr(guard.rate)}
    return facts | ({"guard's log's SHA-256": guard.log} if guard.log else {})


def _described(column: Column) -> dict[str, Any]:
    limits = None if column.low is None else (column.low, column.high)
    return {"name": column.name, "unit": column.unit, "range in the log": limits}
