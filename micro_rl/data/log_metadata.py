"""What a log says of itself beside its rows, under the same names in every format: HDF5 attributes, JSON or TOML.

`env`, `horizon`, `termination` (a rule's name), `score_min`, `score_max`: see `micro_rl.core.tasks.Task`. `action_low`,
`action_high`: the bounds of the actions. `observation_names`, `observation_units`, `action_names`, `action_units`: one
text a column. `exogenous`: the names of observations that no action moves. `termination_expression`: a condition over
the next observation's columns that ends an episode. `step_seconds`: the usual time from row to row. `group`: the array
of the same file that tells who controlled.

A file's word is enough to look a simulator up, never to import a module.
"""

from collections.abc import Container, Mapping
from dataclasses import asdict, fields, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from micro_rl.core import expression
from micro_rl.core.columns import UNNAMED, Column, Columns, no_column
from micro_rl.core.expression import Expression
from micro_rl.core.tasks import SAFETY_HALFCHEETAH, Task
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.dataset import Dataset
from micro_rl.data.raw_log import RawLog
from micro_rl.errors import UserError

OF_TASK = tuple(field.name for field in fields(Task))
OF_COLUMNS = ("observation_names", "observation_units", "action_names", "action_units")
ENDS = "termination_expression"
BOUNDS = ("action_low", "action_high")
EXOGENOUS = "exogenous"
STEP = "step_seconds"
GROUP = "group"
NAMES = (*OF_TASK, *OF_COLUMNS, ENDS, *BOUNDS, EXOGENOUS, STEP, GROUP)
"""All of them."""

ABOUT = "micro_rl"
"""Under this key formats that have no attributes keep all this, as JSON."""
LONGEST = 2000
"""Characters of a text."""

_KINDS: Mapping[str, tuple[type, str]] = {
    "env": (str, "a simulator's id"),
    "horizon": (Integral, "a whole number of steps"),
    "termination": (str, "a rule's name"),
    "score_min": (Real, "a number"),
    "score_max": (Real, "a number"),
    ENDS: (str, "a formula"),
    STEP: (Real, "a number"),
}


def of(dataset: Dataset) -> dict[str, Any]:
    """Lists what a log knows of itself, as plain values by the names in `NAMES`: what a writer is to record."""
    known = {name: value for name, value in asdict(dataset.task).items() if value is not None}
    known |= {"action_low": dataset.action_low.tolist(), "action_high": dataset.action_high.tolist()}
    if dataset.columns != UNNAMED.filled(dataset.observations.shape[1], dataset.actions.shape[1]):
        for kind, columns in zip(("observation", "action"), dataset.columns, strict=True):
            known |= {f"{kind}_names": [c.name for c in columns], f"{kind}_units": [c.unit for c in columns]}
    if dataset.exogenous:
        known[EXOGENOUS] = [dataset.columns.observations[place].name for place in dataset.exogenous]
    known |= {} if dataset.step_seconds is None else {STEP: dataset.step_seconds}
    return known if dataset.termination is None else known | {ENDS: dataset.termination.text}


def apply(path: Path, raw: RawLog, attributes: Mapping[str, Any]) -> RawLog:
    """Puts what a file says of itself to its log.

    Args:
        path: the file.
        raw: its rows.
        attributes: values by the names in `NAMES`, from NumPy or plain; other names are passed over.

    Returns:
        The log with bounds, columns, termination, task and the length of a step.

    Raises:
        UserError: a value cannot be meant so.
    """
    widths = [raw.arrays[part].shape[1] for part in ("observations", "actions")]
    named = columns(path, attributes, *widths)
    low, high = (_bound(path, name, attributes, widths[1]) for name in BOUNDS)
    ends = _ends(path, attributes, named)
    raw = raw._replace(
        action_low=low,
        action_high=high,
        columns=raw.columns if named == UNNAMED else named,
        termination=ends,
        task=task(path, attributes),
        step_seconds=_step_seconds(path, attributes),
    )
    return raw._replace(exogenous=_exogenous(path, attributes, named.filled(*widths)))


def task(path: Path, attributes: Mapping[str, Any]) -> Task:
    """Reads the task, as far as it is recorded; `UserError` for a value of the wrong kind."""
    values = {name: _plain(path, name, attributes[name]) for name in OF_TASK if name in attributes}
    if ("score_min" in values) != ("score_max" in values):
        raise UserError(f"{path}: one of score_min and score_max alone: record both or neither")
    if values.get("horizon", 1) < 1:
        raise UserError(f"{path}: horizon is {values['horizon']}: record 1 or more steps")
    return Task(**values)


def group(attributes: Any, present: Container[str]) -> str | None:
    """Reads which array tells who controlled, where there is one of that name among those present."""
    name = attributes.get(GROUP) if isinstance(attributes, Mapping) else None
    return name if isinstance(name, str) and name in present else None


def _step_seconds(path: Path, attributes: Mapping[str, Any]) -> float | None:
    """Reads the usual time from row to row."""
    if STEP not in attributes:
        return None
    seconds = _plain(path, STEP, attributes[STEP])
    if not 0 < seconds < np.inf:
        raise UserError(f"{path}: {STEP} is {seconds:g}: record more than 0 seconds")
    return seconds


def columns(path: Path, attributes: Mapping[str, Any], observations: int, actions: int) -> Columns:
    """Reads the columns' names and units; `UserError` where there are not as many as columns."""
    return Columns(
        _columns(path, attributes, "observation", observations), _columns(path, attributes, "action", actions)
    )


def _ends(path: Path, attributes: Mapping[str, Any], named: Columns) -> Expression | None:
    """Reads the condition that ends an episode; `UserError` where it cannot be read."""
    if ENDS not in attributes:
        return None
    names = [column.name for column in named.observations]
    return expression.parse(_plain(path, ENDS, attributes[ENDS]), names, f"{path}: {ENDS}")


def _exogenous(path: Path, attributes: Mapping[str, Any], named: Columns) -> tuple[int, ...]:
    """Places of the observations that no action moves."""
    if EXOGENOUS not in attributes:
        return ()
    names = [column.name for column in named.observations]
    wanted = _texts(path, EXOGENOUS, attributes, None)
    if unknown := [name for name in wanted if name not in names]:
        raise UserError(f"{path}: {EXOGENOUS}: {no_column(unknown[0], names)}")
    return tuple(sorted({names.index(name) for name in wanted}))


def trusted(task: Task) -> tuple[Task, list[Finding]]:
    """Takes a simulator that cannot be had on a file's word alone out of a task, with a warning that says why."""
    env = task.env
    if env is None or env == SAFETY_HALFCHEETAH or env in gymnasium.registry:
        return task, []
    why = "is not known here" if ":" not in env else "would import a module, which no file may ask for"
    text = f"the file names the simulator {env!r}, which {why}: name one with --env"
    return replace(task, env=None), [findings.warning("simulator", text)]


def _bound(path: Path, name: str, attributes: Mapping[str, Any], width: int) -> np.ndarray | None:
    """One number, or one per action."""
    if name not in attributes:
        return None
    numbers = np.asarray(attributes[name])
    if numbers.dtype.kind not in "fiu" or numbers.shape not in ((), (1,), (width,)):
        raise UserError(f"{path}: attribute {name} must be one number or {width}, one per action: correct or delete it")
    return numbers


def _columns(path: Path, attributes: Mapping[str, Any], kind: str, width: int) -> tuple[Column, ...]:
    if f"{kind}_names" not in attributes:
        return ()
    names = _texts(path, f"{kind}_names", attributes, width)
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise UserError(f"{path}: {kind}_names: several columns are called {twice!r:.60}: give each a name of its own")
    units = _texts(path, f"{kind}_units", attributes, width) if f"{kind}_units" in attributes else [""] * width
    return tuple(Column(name, unit) for name, unit in zip(names, units, strict=True))


def _texts(path: Path, name: str, attributes: Mapping[str, Any], width: int | None) -> list[str]:
    """So many texts, or as many as there are."""
    texts = list(attributes[name]) if not isinstance(attributes[name], str | bytes) else []
    texts = [text.decode(errors="replace") if isinstance(text, bytes) else text for text in texts]
    right = len(texts) == width or (width is None and texts)
    if not right or not all(isinstance(text, str) and len(text) <= LONGEST for text in texts):
        raise UserError(f"{path}: {name} must be {width or 'some'} texts, one a column: correct or delete it")
    return texts


def _plain(path: Path, name: str, value: Any) -> Any:
    """A value of its kind, from NumPy's types too."""
    value = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
    value = value.decode(errors="replace") if isinstance(value, bytes) else value
    kind, wanted = _KINDS[name]
    if not isinstance(value, kind) or isinstance(value, bool) or (isinstance(value, str) and len(value) > LONGEST):
        raise UserError(f"{path}: {name} must be {wanted}: correct or delete it")
    return float(value) if kind is Real else int(value) if kind is Integral else value
