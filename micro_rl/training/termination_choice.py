"""Which rule ends a log's model rows: the one that is given, that the log states, of its name, or one to be learned."""

import dataclasses

from micro_rl.core import tasks
from micro_rl.data import Dataset
from micro_rl.dynamics import termination_rules
from micro_rl.dynamics.termination_rules import LEARNED, RULES, Rule
from micro_rl.errors import UserError


def ended(dataset: Dataset, task: tasks.Task, ends: str | Rule | None) -> tuple[tasks.Task, Rule | None]:
    """The task with the name of its rule, and the rule: the one that is given, else the one that is known."""
    if callable(ends):
        own_name = f"{getattr(ends, '__module__', '')}.{getattr(ends, '__qualname__', repr(ends))}"
        return dataclasses.replace(task, termination=own_name), ends
    known = ends or known_termination(dataset)
    if known == LEARNED:
        _refuse_unless_it_can_be_learned(dataset)
    return dataclasses.replace(task, termination=known), _rule(dataset, known)


def known_termination(dataset: Dataset) -> str | None:
    """The condition that the log states, else the rule of its name, else `LEARNED`; None where no row terminates."""
    if dataset.termination is not None:
        return dataset.termination.text
    return dataset.task.termination or (LEARNED if dataset.terminals.any() else None)


def _refuse_unless_it_can_be_learned(dataset: Dataset) -> None:
    if (dataset.terminals & dataset.usable).any():
        return
    ends, said = int(dataset.terminals.sum()), "no row ends an episode"
    if ends:
        said = f"{ends} rows end an episode, but without their next observations"
    raise UserError(
        f"{dataset.path}: {said}, so it cannot be learned when episodes end; "
        f"name a rule with --termination ({', '.join(RULES)}), write one as a condition on the next observation, or "
        "pass a function from Python"
    )


def _rule(dataset: Dataset, known: str | None) -> Rule | None:
    """None where it is to be learned."""
    if known == LEARNED:
        return None
    columns = [column.name for column in dataset.columns.observations]
    return termination_rules.never if known is None else termination_rules.find(known, columns)
