"""What acts today: in the log's rows as it is, elsewhere as a network that imitates it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int, Key

from micro_rl.core.types import Scaling, Transition
from micro_rl.data import Dataset
from micro_rl.data.further_columns import further_columns
from micro_rl.data.scaling import core_action
from micro_rl.errors import UserError, in_words
from micro_rl.trust.actors import Judged, clones
from micro_rl.trust.judge import Rows


class Current(NamedTuple):
    """A network that does what the current policy does, how far from it, and what that does itself in the rows.

    `error` is a share of the actions' spread, `actions` are core units.
    """

    net: Judged
    error: float
    actions: Float[np.ndarray, "row act"]


def imitate(
    raw: Float[np.ndarray, "row act"], rows: Rows, scaling: Scaling, key: Key[Any, ""], updates: int
) -> Current:
    """Imitate the current policy.

    Args:
        raw: what the current policy does in the rows, raw units.
        rows: those that are learned from.
        scaling: the judge's units.
        key: of the network.
        updates: of it.
    """
    actions = core_action(raw.astype(np.float32), scaling).astype(np.float32)
    log = rows.log._replace(action=jnp.asarray(actions))
    cloned = clones(log, np.arange(len(actions))[None], key, updates)
    left = np.asarray(cloned.noise[0], np.float64)
    spread = np.maximum(actions.std(0), 1e-6)
    net = jax.tree.map(lambda leaf: leaf[0], cloned)._replace(noise=jnp.zeros_like(cloned.noise[0]))
    return Current(net, float(np.sqrt(np.mean((left / spread) ** 2))), actions)


def own_actions_next(
    log: Transition, number: Int[np.ndarray, " row"], actions: Float[np.ndarray, "row act"], imitated: Array
) -> Float[np.ndarray, "row act"]:
    """What the current policy does in the rows' next observations, where the log goes on there; else as imitated.

    Args:
        log: rows in core units, in the log's order.
        number: of each row in the log.
        actions: what it does in the rows.
        imitated: what the network does in the next observations.
    """
    goes_on = (np.diff(number) == 1) & np.all(np.asarray(log.next_observation[:-1] == log.observation[1:]), axis=1)
    following = np.array(imitated)
    following[:-1][goes_on] = actions[1:][goes_on]
    return following


def own_actions_at(
    rows: Int[np.ndarray, " start"],
    number: Int[np.ndarray, " row"],
    actions: Float[np.ndarray, "row act"],
    imitated: Array,
) -> Float[np.ndarray, "start act"]:
    """What the current policy does in rows of the log, as far as they are among those with a number; else as imitated.

    Args:
        rows: of the log.
        number: those whose actions are known, ascending.
        actions: there.
        imitated: what the network does in `rows`.
    """
    place = np.minimum(np.searchsorted(number, rows), len(number) - 1)
    return np.where((number[place] == rows)[:, None], actions[place], np.asarray(imitated))


def with_columns_read(current: Any, dataset: Dataset) -> Any:
    """The current policy, and where it is the name of columns (one for each action, commas between) what they hold.

    Args:
        current: a function, actions [row, act], names, or None.
        dataset: the log, single observations.

    Raises:
        UserError: the log has no such columns, they are too many or too few, or there is no action for each row.
    """
    if current is None or callable(current):
        return current
    if not isinstance(current, str):
        return _as_actions(current, dataset)
    names, actions = [name.strip() for name in current.split(",")], dataset.columns.actions
    if len(names) != len(actions):
        wanted = ", ".join(column.name for column in actions)
        raise UserError(f"current policy: {current!r}: name a column for each action of the log, in order: {wanted}")
    try:
        return further_columns(dataset, names)
    except UserError as error:
        raise UserError(f"current policy: {error}") from None


def actions_of(current: Callable[[Any], Any] | Any, dataset: Dataset, rows: Rows) -> Float[np.ndarray, "row act"]:
    """What the current policy does in the rows that are learned from; see `actions_in`."""
    return actions_in(current, dataset, rows.number)


def actions_in(
    current: Callable[[Any], Any] | Any, dataset: Dataset, rows: Int[np.ndarray, " some"]
) -> Float[np.ndarray, "some act"]:
    """What the current policy does in some rows, raw units.

    Args:
        current: a function of one raw observation [obs] that gives an action [act], or actions of all rows [row, act].
        dataset: the log.
        rows: by their numbers.

    Raises:
        UserError: it fails, or gives something else than finite actions.
    """
    width = dataset.actions.shape[1]
    if callable(current):
        observations = dataset.observations[rows][:, : dataset.observation_size].astype(np.float64)
        raw = np.stack([_asked(current, observation, width) for observation in observations])
    else:
        raw = _as_actions(current, dataset)[rows]
    if not np.isfinite(raw).all():
        raise UserError("current policy: gives actions that are not finite in rows of the log")
    return raw


def _as_actions(current: Any, dataset: Dataset) -> Float[np.ndarray, "row act"]:
    """Actions in all rows of the log, as numbers; those of a single column may be [row]."""
    try:
        actions = np.asarray(current, np.float64)
    except Exception as error:  # whatever a foreign array raises
        raise UserError(f"current policy: is no function and no array of numbers ({in_words(error)})") from None
    wanted = len(dataset), dataset.actions.shape[1]
    actions = actions[:, None] if actions.ndim == 1 else actions
    if actions.shape != wanted:
        raise UserError(f"current policy: actions of shape {actions.shape}, where the log has {list(wanted)}")
    return actions


def _asked(current: Callable[[Any], Any], observation: np.ndarray, width: int) -> np.ndarray:
    try:
        action = np.asarray(current(observation), np.float64).reshape(-1)
    except (Exception, SystemExit) as error:  # another's code, which may leave the process
        raise UserError(f"current policy: {in_words(error)}") from error
    if action.shape != (width,):
        raise UserError(f"current policy: gives an action of {len(action)} numbers where the log has {width}")
    return action
