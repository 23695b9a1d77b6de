"""A run between its compiled epochs: what is made of each one's outcome, and of the last."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.algorithms import buffer as buffers
from micro_rl.algorithms.buffer import rows_of
from micro_rl.algorithms.epoch import TrainState, actor_rate, coefficients
from micro_rl.algorithms.export import export
from micro_rl.algorithms.log_epoch import LogState
from micro_rl.algorithms.sac import Coefficients
from micro_rl.core.metric_keys import is_raw_reward
from micro_rl.errors import Diverged, UserError
from micro_rl.policy import Policy
from micro_rl.storage import pytree_io
from micro_rl.storage.jsonl import Row
from micro_rl.storage.metrics_log import MetricsLog
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training import divergence
from micro_rl.training.callbacks import Watcher
from micro_rl.training.evaluator import Judge, final_scores
from micro_rl.training.plan import Plan
from micro_rl.training.program import Program
from micro_rl.training.saving import KeptRun


@dataclass(frozen=True)
class Run:
    """A finished run: where it lies, what it learned and what it scored."""

    path: Path
    policy: Policy
    scores: dict[str, Any]
    metrics: list[Row]


class Epoch(NamedTuple):
    """A finished epoch: its means, how long it took, and the state after it, which the next one is going to use up.

    `seconds` are those since the end of the one before, `computing` those of the compiled program alone. `seen` is a
    copy for those who look at agent and model; `whole` makes all of it, buffer and all, to be saved.
    """

    logged: dict[str, float]
    seconds: float
    computing: float
    seen: TrainState | LogState
    whole: Callable[[], TrainState | LogState]


def seen(state: TrainState | LogState) -> TrainState | LogState:
    """A copy of all but the buffer, which is most of a state."""
    light = state._replace(buffer=buffers.empty(0, 0, 0, 0)) if isinstance(state, TrainState) else state
    return jax.tree.map(jnp.copy, light)


class _Owed(NamedTuple):
    """What is still to be done about an epoch, and needs nothing that the next one uses up."""

    row: Row
    policy: Policy
    seen: TrainState | LogState
    taken: dict[str, np.ndarray] | None


class Training:
    """One process's part of a run, up to epoch `last`, without its state: what happens between epochs.

    What an epoch has made is taken (`begin`) before the next one is begun, and evaluated, written and saved
    (`conclude`) while the device computes that.
    """

    def __init__(
        self, plan: Plan, folder: RunFolder, kept: KeptRun, program: Program, judge: Judge, watcher: Watcher, last: int
    ):
        self.plan, self.kept, self.program, self.settings, self.last = plan, kept, program, plan.settings, last
        self._folder, self._judge, self._watcher = folder, judge, watcher
        self._problem = problem = program.problem
        act, scale = rows_of(problem.log).action.shape[-1], float(problem.scaling.reward_scale)
        self._coefficients = coefficients(self.settings, act, scale)
        self._limit = divergence.largest_value(problem, self.settings.discount)
        self._owed: _Owed | None = None

    def coefficients(self, number: int) -> Coefficients:
        """Those of epoch `number`, from 0."""
        return self._coefficients._replace(actor_rate=actor_rate(self.settings, number))

    def begin(self, epoch: Epoch) -> None:
        """Take what is needed of a finished epoch; raises `Diverged`."""
        number = int(epoch.seen.epoch)
        reason = divergence.reason(epoch.logged, epoch.seen.agent, self._limit)
        if reason is not None:
            self._stop(reason, number - 1)
        speed = {"time/updates_per_second": self.settings.updates / epoch.computing, "time/seconds": epoch.seconds}
        taken = self.kept.take(number, epoch.whole, final=number == self.last)
        self._owed = _Owed(self._row(number, epoch.logged) | speed, self._policy(epoch.seen), epoch.seen, taken)

    def conclude(self, log: MetricsLog) -> None:
        """Evaluate what was begun where that is due, write its row, save where that is due or after the last epoch."""
        if self._owed is None:
            return
        row, policy, seen, taken = self._owed
        self._owed, number = None, int(row["epoch"])
        began = time.perf_counter()
        if number % self.settings.evaluate_every == 0 or number == self.settings.epochs:
            row |= self._judge(seen, policy, self._problem.scaling, self.program.ends)
        if number == self.last:  # elsewhere the next epoch goes on beside it, whose time this is part of
            row["time/seconds"] += time.perf_counter() - began
        self.kept.epoch(row, log, taken, final=number == self.last)
        self._watcher.trained(row, policy)

    def finish(self, state: TrainState | LogState, log: MetricsLog) -> Run:
        """Policy and scores, sealed."""
        log.write_waiting()
        policy = self._policy(state)
        policy.save(self._folder.path / "policy.safetensors")
        rows = self._folder.metrics()
        result = final_scores(rows, self.plan)
        self._folder.write_scores(result)
        self._folder.seal()
        self._watcher.finished()
        return Run(self._folder.path, policy, result, rows)

    def _policy(self, state: TrainState | LogState) -> Policy:
        return export(state.agent.actor, self._problem.scaling, self.plan.task.env, self.settings.history)

    def _row(self, number: int, logged: dict[str, float]) -> Row:
        """An epoch's means; rewards and values in raw units."""
        scale = float(self._problem.scaling.reward_scale)
        row: Row = {name: value * (scale if is_raw_reward(name) else 1.0) for name, value in logged.items()}
        return {"epoch": number, "updates": number * self.settings.updates} | row

    def _stop(self, reason: str, number: int) -> None:
        """Go back to the state that led to this, find what blew up first, keep it, and raise `Diverged`."""
        self.kept.finish()
        self._watcher.note(f"epoch {number + 1}: {reason}; the epoch is gone through again to find the cause")
        before, c = self._state_before(number), self.coefficients(number)
        found = divergence.first_to_blow_up(self.program.steps(before, c), self._limit)
        key = jax.random.fold_in(self.program.keys.epochs, number)
        told = divergence.keep(self._folder.diverged, before, key, found, reason)
        raise Diverged(f"epoch {number + 1}: {reason}; {told}")

    def _state_before(self, number: int) -> Any:
        """The state after `number` epochs, computed again from the newest checkpoint: the same bits for a run alone."""
        state, kept = self.program.fresh(), None
        with suppress(UserError):
            kept = self._folder.checkpoints.newest()
        if kept is not None and kept.epoch <= number:
            state = pytree_io.from_arrays(state, kept.arrays, str(self._folder.checkpoints.path))
        for again in range(int(state.epoch), number):
            state, _ = self.program.epoch(state, self.coefficients(again))()
        return state
