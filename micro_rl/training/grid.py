"""Sweeps: every combination of seeds and values, in as few compiled programs as there are shapes."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from micro_rl.algorithms import registry
from micro_rl.core.settings import FREE, OF_A_FIT
from micro_rl.errors import UserError
from micro_rl.training.plan import Plan

WHOLE = {
    "seed": "give --seeds",
    "log_on": "it says where the log is kept, for all of them",
}
"""What no grid can hold, and why."""
NAMED = 3
"""So many logs stand in the name of a folder that was not given one."""


class Trial(NamedTuple):
    """One run of a sweep; its folder's name says what it has of its own."""

    name: str
    plan: Plan


def trials(plan: Plan, seeds: int, grid: Mapping[str, Any]) -> list[Trial]:
    """Every combination of the grid's values with so many seeds from the plan's own on.

    Args:
        plan: What all have in common.
        seeds: Runs of every combination.
        grid: Values by the name of a setting, an option, or `method`. A combination lacks what its method does not
            have, and those that are the same without it are one.

    Raises:
        UserError: A name that none of the methods has, or values that cannot be.
    """
    if seeds < 1:
        raise UserError(f"seeds: {seeds} is too small; it must be at least 1")
    grid = {name: values.tolist() if hasattr(values, "tolist") else values for name, values in grid.items()}
    for name, values in grid.items():
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise UserError(f"grid: {name}: {values!r} is no list of values; put it into one")
    if "method" in grid:
        grid = {**grid, "method": method_names(grid["method"])}
    for name, values in grid.items():
        _check_axis(plan, name, values, methods_of(plan, grid))
    _refuse_idle_choices(plan, methods_of(plan, grid))
    first = plan.settings.seed
    return [
        Trial(_name(cell, seed), plan.varied({**cell, "seed": seed}))
        for cell in _cells(plan, grid)
        for seed in range(first, first + seeds)
    ]


def trials_of_logs(plans: Sequence[Plan], seeds: int, grid: Mapping[str, Any]) -> list[Trial]:
    """Every combination on each of several logs; with more than one, a folder for each log holds its runs.

    Args:
        plans: What the runs of each log have in common.
        seeds: As of `trials`.
        grid: As of `trials`.

    Raises:
        UserError: As of `trials`, or two logs of one name.
    """
    if len(plans) == 1:
        return trials(plans[0], seeds, grid)
    names = [plan.dataset.name for plan in plans]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"two of the logs are called {twice[0]}, and would share a folder; rename one of them")
    return [Trial(f"{plan.dataset.name}/{name}", own) for plan in plans for name, own in trials(plan, seeds, grid)]


def method_names(references: Sequence[str]) -> list[str]:
    """The names of the grid's methods, as they are in the table.

    Args:
        references: Names, files, or `module:definition`.

    Raises:
        UserError: One that is no method, or two files of one name.
    """
    names: dict[str, str] = {}
    for reference in references:
        name = registry.name_of(reference)
        if name in names and names[name] != reference:
            raise UserError(f"grid: {names[name]} and {reference} would both be called {name!r}; rename one of them")
        names[name] = reference
    return [registry.name_of(reference) for reference in references]


def methods_of(plan: Plan, grid: Mapping[str, Sequence[Any]]) -> list[str]:
    """The methods of a sweep: the grid's, else the plan's own."""
    return list(grid.get("method", [plan.method_name]))


def _check_axis(plan: Plan, name: str, values: Any, methods: Sequence[str]) -> None:
    """Refuse what cannot be varied; a name that none of the methods has is left to the plan, which knows the words."""
    if name in WHOLE:
        raise UserError(f"grid: {name} cannot be in it: {WHOLE[name]}")
    if plan.model is not None and name in OF_A_FIT:
        raise UserError(f"grid: {name} decides how a model is fitted, and the model is given; leave out one of them")
    if len(set(map(str, values))) < max(len(values), 1):
        raise UserError(f"grid: {name} needs one value or more, each once")
    if name != "method" and not any(_takes(method, name) for method in methods):
        plan.varied({"method": methods[0], name: values[0]})


def _refuse_idle_choices(plan: Plan, methods: Sequence[str]) -> None:
    """Refuse what was chosen beside the grid and would do nothing, for none of its methods has it."""
    settings, options = registry.resolve(plan.method_name, plan.preset, {})
    usual, chosen = vars(settings) | vars(options), vars(plan.settings) | vars(plan.options)
    for name, value in chosen.items():
        if value != usual[name] and not any(_takes(method, name) for method in methods):
            raise UserError(f"{name}: does nothing, for none of the grid's methods has it; leave it out")


def _takes(method: str, name: str) -> bool:
    general, own = registry.accepted(method)
    return name in general | own


def groups(runs: Sequence[Trial]) -> list[list[Trial]]:
    """Trials that one compiled program can make side by side; those of one seed, which share a fit, are neighbours.

    Logs are told apart as objects: one file may be read in several ways.
    """
    together: dict[Any, list[Trial]] = {}
    for trial in sorted(runs, key=lambda trial: trial.plan.settings.seed):
        together.setdefault((trial.plan.log, _shape(trial.plan)), []).append(trial)
    return list(together.values())


def twins(runs: Sequence[Trial]) -> list[str]:
    """A line for each set of combinations that come to the same runs, such as `support auto` and what it chose."""
    alike: dict[Any, list[str]] = {}
    for name, plan in runs:
        alike.setdefault((plan.log, plan.method_name, str(plan.options), plan.settings), []).append(
            name.rpartition("-seed")[0]
        )
    sets = dict.fromkeys(" and ".join(names) for names in alike.values() if len(names) > 1)
    return [f"{names} come to the same run on this log, and each is made; leave one out" for names in sets]


def chunks(group: Sequence[Trial], width: int, devices: int = 1) -> list[list[Trial]]:
    """At most `width` at once, as even as can be; where several devices share them, multiples of their number first."""
    shared = min(width, len(group)) // devices * devices
    if devices > 1 and shared:
        return [list(group[start : start + shared]) for start in range(0, len(group), shared)]
    count = -(-len(group) // width)
    bounds = [len(group) * number // count for number in range(count + 1)]
    return [list(group[start:stop]) for start, stop in itertools.pairwise(bounds)]


def sweep_folder(plans: Sequence[Plan], grid: Mapping[str, Sequence[Any]]) -> Path:
    """Where a sweep goes that was given no folder."""
    logs = [plan.dataset.name for plan in plans[:NAMED]] + [f"{len(plans) - NAMED}-more"] * (len(plans) > NAMED)
    return Path("trained") / "-".join([*logs, *methods_of(plans[0], grid), "sweep"])


def _cells(plan: Plan, grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """The combinations in their order, each with what its method has, each once."""
    cells = []
    for values in itertools.product(*grid.values()):
        cell = {name: _hashable(value) for name, value in zip(grid, values, strict=True)}
        method = cell.get("method", plan.method_name)
        own = {name: value for name, value in cell.items() if name == "method" or _takes(method, name)}
        if own not in cells:
            cells.append(own)
    return cells


def _hashable(value: Any) -> Any:
    """Widths may come as a list from Python."""
    return tuple(value) if isinstance(value, list) else value


def _name(cell: Mapping[str, Any], seed: int) -> str:
    """Such as beta=0.25-seed3."""
    return "-".join([*(f"{name}={_word(value)}" for name, value in cell.items()), f"seed{seed}"])


def _word(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "x".join(map(_word, value))
    short = f"{value:g}" if isinstance(value, float) else ""
    text = short if short and float(short) == value else str(value)
    return "".join(letter if letter.isalnum() or letter in ".-+_" else "_" for letter in text)


def _shape(plan: Plan) -> Any:
    """What must be the same for plans to share a program: all but the values of leaves."""
    leaves, structure = jax.tree.flatten(plan.method)
    widths = tuple((jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)
    fixed = tuple((name, value) for name, value in dataclasses.asdict(plan.settings).items() if name not in FREE)
    return structure, widths, fixed
