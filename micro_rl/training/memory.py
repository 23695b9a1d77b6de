"""How much memory a run takes beside others in one program, estimated beforehand, and how much there is.

The compiler's own plan (`memory_analysis`) is that of a compiled program, and for how many runs to compile is what has
to be decided here; compiling one for the asking alone would take longer than many an epoch. So the estimate stays, and
tests hold it against the compiler's plan.
"""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from micro_rl.algorithms.learner import learner_of
from micro_rl.algorithms.rollout import BLOCK
from micro_rl.algorithms.slots import AsPredicted
from micro_rl.core.types import Keys, Problem, Scaling, Transition
from micro_rl.dynamics.fit_epoch import finish_fit, start_fit
from micro_rl.dynamics.support import REFERENCES
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.errors import UserError
from micro_rl.training.host_log import INDICES, SHARE, free_on_device
from micro_rl.training.plan import Plan

BYTES = 4
"""Of a number."""
SMALL = 16 << 20
"""Bytes of what an update works on, at the least: batches, activations and gradients."""
DRAWN_FROM = 3
"""CQL and COMBO draw actions uniformly, from the actor at s, and at s'."""
GROUP = Path("/sys/fs/cgroup")
"""Where a container's limit stands."""


def width_that_fits(plan: Plan, runs: int) -> int:
    """How many of so many runs can be made at once in the memory that is free; at least one."""
    free = free_memory()
    if free is None:
        return runs
    left = int(SHARE * free) - _size(_log(plan))
    return max(1, min(runs, len(jax.devices()) * (left // bytes_of_run(plan))))


def refuse_too_large(plan: Plan) -> None:
    """`UserError` where the model's rollouts alone are more than is free: a processor would wait for it forever."""
    settings, free = plan.settings, free_memory()
    needed = BYTES * plan.method.rows_kept(settings) * _numbers_of_a_row(plan)
    if free is not None and needed > free:
        raise UserError(
            f"rollout_batch_size: {settings.rollout_batch_size} starts x {settings.rollout_length} steps x "
            f"{settings.rollouts_kept} rollouts kept take {needed / 2**30:,.1f} GiB, and {free / 2**30:,.1f} GiB are "
            "free; lower rollout_batch_size, rollout_length or rollouts_kept"
        )


def bytes_of_run(plan: Plan) -> int:
    """What each run more takes: its state, a copy of that where saves are made from one, and what an epoch writes down.

    Not below the compiler's own plan, and at most twice that (`tests/test_memory.py`: the methods with a model, CQL and
    SAC-N).
    """
    fit, rollout, state = parts(plan)
    copies = 2 if _device_is_host() else 1
    return max(SMALL, _activations(plan)) + max(fit, copies * state + rollout)


def parts(plan: Plan) -> tuple[int, int, int]:
    """Bytes of the model's fit, of a rollout beside the state, and of the state; nothing is allocated."""
    log, settings, ensemble, fit, rollout = _log(plan), plan.settings, None, 0, 0
    if plan.method.learns_model or plan.fits_model:
        fitted = jax.eval_shape(partial(start_fit, sizes=settings.fit_sizes()), log, key=jax.random.key(0))
        if plan.method.learns_model:
            ensemble, rollout = jax.eval_shape(finish_fit, fitted), _rollout(plan)
        fit = 2 * _size(fitted) + BYTES * INDICES * settings.ensemble_size * log.reward.shape[0]
    learner = learner_of(plan.method, ensemble, ByRule(never))
    begin = partial(type(learner).start, sizes=settings.sizes(), temperature=settings.temperature, keys=Keys.of(0))
    problem = Problem(log, Scaling(*[_floats(())] * 5))  # a start does not look at the units
    return fit, rollout, _size(jax.eval_shape(begin, learner, problem))


def free_memory() -> int | None:
    """Bytes that are free on the device, or in a host that is the device; None where nobody knows."""
    if not _device_is_host():
        return free_on_device()
    known = [number for number in (_available(), _left_by_limit()) if number is not None]
    return min(known, default=None)


def _activations(plan: Plan) -> int:
    """Of the critics, four times what they put out, on a batch and on the actions drawn for each of its rows."""
    sizes = plan.settings.sizes()
    rows = sizes.batch_size * (1 + DRAWN_FROM * getattr(plan.options, "drawn_actions", 0))
    return 4 * BYTES * sizes.num_critics * rows * sum(sizes.hidden_sizes)


def _rollout(plan: Plan) -> int:
    """A rollout as it is made and again in order, and what the networks work on with a block of its rows."""
    sizes, settings = plan.settings.sizes(), plan.settings
    steps = 2 * sizes.rollout_batch_size * sizes.rollout_length * _numbers_of_a_row(plan)
    layer = max(*sizes.hidden_sizes, *settings.model_hidden_sizes)
    if not isinstance(getattr(plan.method, "transform", None), AsPredicted):  # asks each member about every row
        layer += 2 * settings.ensemble_size * max(settings.model_hidden_sizes)
    if settings.judges_rows:  # the distance of each row to each
        layer += 2 * REFERENCES
    return BYTES * (steps + min(sizes.rollout_batch_size, BLOCK) * layer)


def _numbers_of_a_row(plan: Plan) -> int:
    """Of a transition: two observations, an action, a reward, a discount, and predictions that are stored with it."""
    obs = plan.dataset.observations.shape[1]
    stored = 2 * obs * plan.settings.ensemble_size if getattr(plan.options, "predictions", "anew") == "stored" else 0
    return 2 * obs + plan.dataset.actions.shape[1] + 2 + stored


def _log(plan: Plan) -> Transition:
    """The rows to learn from, which all runs share."""
    rows = int(plan.dataset.learnable(plan.settings.keep_timeouts).sum())
    obs, act = plan.dataset.observations.shape[1], plan.dataset.actions.shape[1]
    return Transition(*map(_floats, ((rows, obs), (rows, act), (rows,), (rows, obs), (rows,))))


def _floats(shape: tuple[int, ...]) -> Any:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def _size(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _device_is_host() -> bool:
    return jax.devices()[0].platform == "cpu"


def _available() -> int | None:
    """What the system says can be had without swapping."""
    with suppress(OSError, StopIteration, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable:")))
    return None


def _left_by_limit() -> int | None:
    """What a container's limit leaves; copies of files, which make way, are not counted as used."""
    with suppress(OSError, ValueError):
        limit, used = (int((GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        lines = (GROUP / "memory.stat").read_text().splitlines()
        cached = sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
        return limit - used + cached
    return None
