"""A run between its compiled epochs: what is made of each one's outcome, and of the last."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import jax
import numpy as np

from micro_rl.algorithms import registry
from micro_rl.algorithms.buffer import rows_of
from micro_rl.algorithms.coefficients import actor_lr, coefficients
from micro_rl.algorithms.export import export
from micro_rl.algorithms.log_epoch import LogProblem
from micro_rl.algorithms.sac import Coefficients
from micro_rl.core.metric_keys import is_raw_reward
from micro_rl.core.types import Keys, Problem
from micro_rl.errors import Diverged, UserError
from micro_rl.policy import Policy
from micro_rl.simulation.env_objects import is_object
from micro_rl.simulation.guarded import SimulatorFault
from micro_rl.storage import pytree_io
from micro_rl.storage.jsonl import Row
from micro_rl.storage.metrics_log import MetricsLog
from micro_rl.training import divergence
from micro_rl.training.early_warnings import EarlyWarnings
from micro_rl.training.evaluator import PolicyEvaluator, final_scores
from micro_rl.training.job import Job, Run
from micro_rl.training.lanes import stack, take_run
from micro_rl.training.learning import learner_for, program_for
from micro_rl.training.saving import Kept, RunSaver

ENDS_RUN = "the same command with --resume ends the run without that evaluation"

UNKNOWN_OBJECT = (
    "the simulator is an object in Python, known by its name alone: whether it is the one of the epochs before cannot "
    "be told"
)


class Epoch(NamedTuple):
    """A finished epoch of one run.

    Attributes:
        means: Of its terms, in core units.
        first_bad: The first update in which a term was not finite, 0 for one that always was.
        seconds: Since the end of the epoch before.
        computing: Seconds of the compiled program alone.
        state: A copy of the state without its buffer, for those who look at agent and model.
        whole: Gives all of the state, which the next epoch uses up, to be saved now.
    """

    means: dict[str, float]
    first_bad: dict[str, int]
    seconds: float
    computing: float
    state: Any
    whole: Callable[[], Any]


class _Pending(NamedTuple):
    """What is still to be done about an epoch, and needs nothing that the next one uses up."""

    row: Row
    policy: Policy
    state: Any
    arrays: dict[str, np.ndarray] | None


class RunTraining:
    """One process's part of a run, up to epoch `last`, without its state.

    What an epoch has made is received before the next one is begun, and evaluated, written and saved while the device
    computes that.
    """

    def __init__(
        self,
        job: Job,
        problem: Problem | LogProblem,
        saver: RunSaver,
        evaluator: PolicyEvaluator,
        log: MetricsLog,
        last: int,
    ):
        """`problem` is the log that it learns from, `log` takes its rows."""
        self.job, self.saver, self.last, self.log = job, saver, last, log
        self.outcome: Run | Diverged | UserError | None = None
        self.fault: SimulatorFault | None = None
        self._settings, self._problem, self._evaluator = job.plan.settings, problem, evaluator
        self._ends = learner_for(job.plan, job.model).ends
        act, scale = rows_of(self._problem.log).action.shape[-1], float(self._problem.scaling.reward_scale)
        self._scale, self._coefficients = scale, coefficients(self._settings, act, scale)
        self._limit = divergence.largest_value(self._problem, self._settings)
        self._pending: _Pending | None = None
        self._warnings = EarlyWarnings.of(job.plan, scale)
        rows = job.folder.metrics()
        self._warnings.resume(rows)
        if rows and is_object(job.plan.task.env):
            job.callback.note(UNKNOWN_OBJECT)

    def coefficients(self, number: int) -> Coefficients:
        """Those of epoch `number`, from 0."""
        return self._coefficients._replace(actor_lr=actor_lr(self._settings, number))

    def receive_epoch(self, epoch: Epoch) -> None:
        """Take what is needed of a finished epoch; its divergence is the run's outcome."""
        number = int(epoch.state.epoch)
        reason = divergence.reason(epoch.means, epoch.state.agent, self._limit)
        if reason is not None:
            self.outcome = self._diverged(reason, number - 1, epoch)
            self.job.fail(self.outcome)
            return
        speed = {
            "time/updates_per_second": self._settings.updates_per_epoch / epoch.computing,
            "time/seconds": epoch.seconds,
        }
        arrays = self.saver.copy_if_due(number, epoch.whole, final=number == self.last)
        self._pending = _Pending(self._row(number, epoch.means) | speed, self._policy(epoch.state), epoch.state, arrays)

    def finish_epoch(self) -> None:
        """Evaluate what was received where that is due, write its row, save where that is due or after the last."""
        if self._pending is None:
            return
        row, policy, state, arrays = self._pending
        self._pending, number = None, int(row["epoch"])
        began = time.perf_counter()
        if number % self._settings.eval_every == 0 or number == self._settings.epochs:
            row |= self._evaluation(state, policy)
        if number == self.last:  # elsewhere the next epoch goes on beside it, whose time this is part of
            row["time/seconds"] += time.perf_counter() - began
        self.saver.after_epoch(row, self.log, arrays, final=number == self.last)
        for text in self._warnings.after(row):
            self.job.callback.note(text)
        self.job.callback.trained(row, policy)

    def _evaluation(self, state: Any, policy: Policy) -> Row:
        """An evaluation's figures; where the simulator fails there are none, nor any later, and `fault` is why."""
        if self.fault is not None:
            return {}
        try:
            return self._evaluator(state, policy, self._problem.scaling, self._ends)
        except SimulatorFault as fault:
            self.fault = fault
            return {}

    def finish_if_over(self, state: Any) -> None:
        """After the last epoch: policy and scores, sealed. A disk that refuses them is the run's outcome."""
        if int(state.epoch) < self.last or self.outcome is not None:
            return
        self.finish_epoch()
        if self.fault is not None:  # all is saved
            self.outcome = UserError(f"{self.fault}; epoch {self.last} is saved, and {ENDS_RUN}")
            return
        try:
            self.outcome = self._finish(state)
        except UserError as error:  # raised when the others are done
            self.outcome = error

    def save_now(self, state: Any) -> Kept:
        """Save what is finished, since the process is asked to stop."""
        self.finish_epoch()
        return self.saver.save_now(state, self.log)

    def _finish(self, state: Any) -> Run:
        folder = self.job.folder
        self.log.write_waiting()
        policy = self._policy(state)
        policy.save(folder.path / "policy.safetensors")
        rows = folder.metrics()
        scores = final_scores(rows, self.job.plan)
        folder.write_scores(scores)
        folder.seal()
        self.job.callback.finished(folder.path)
        return Run(folder.path, policy, scores, rows)

    def _policy(self, state: Any) -> Policy:
        plan, log = self.job.plan, self.job.plan.dataset
        named = {"columns": log.measured_columns, "mapping": log.mapping}
        return export(state.agent.actor, self._problem.scaling, plan.task.env, self._settings.history, **named)

    def _row(self, number: int, means: dict[str, float]) -> Row:
        """An epoch's means; rewards and values in raw units."""
        row: Row = {name: value * (self._scale if is_raw_reward(name) else 1.0) for name, value in means.items()}
        return {"epoch": number, "updates": number * self._settings.updates_per_epoch} | row

    def _diverged(self, reason: str, number: int, epoch: Epoch) -> Diverged:
        """The error of an epoch that blew up, with the state that led to it kept."""
        self.saver.finish()
        size = float(divergence.largest(rows_of(self._problem.log)))
        text = divergence.find_cause(epoch.means, epoch.first_bad, size).diagnosis(
            registry.own_slots(self.job.plan.method_name, self.job.plan.method)
        )
        self.job.callback.note(f"epoch {number + 1}: {reason}; the state that it began with is computed again")
        key = jax.random.fold_in(Keys.of(self._settings.seed).epochs, number)
        before = self._state_before(number)
        return Diverged(
            f"epoch {number + 1}: {reason}; "
            + divergence.keep_epoch(self.job.folder.diverged, before, key, epoch.first_bad, text)
        )

    def _state_before(self, number: int) -> Any:
        """The state after `number` epochs, computed again from the newest checkpoint: the same bits for a run alone."""
        program = program_for([self.job.plan], [self.job.model], self._problem)
        checkpoints, checkpoint = self.job.folder.checkpoints, None
        states = program.fresh()
        with suppress(UserError):
            checkpoint = checkpoints.newest()
        if checkpoint is not None and checkpoint.epoch <= number:
            states = stack([pytree_io.from_arrays(program.blank(), checkpoint.arrays, str(checkpoints.path))])
        for again in range(int(states.epoch[0]), number):
            states, *_ = program.epoch(states, stack([self.coefficients(again)]))()
        return take_run(states, 0)
