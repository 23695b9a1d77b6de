"""`Controller`: a policy in a loop, with its guard, its limits, and what it does in trouble."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.control.decision import Decision
from micro_rl.control.fallback import Fallbacks, Function, other_policy
from micro_rl.control.guard import Guard
from micro_rl.control.limits import Limits
from micro_rl.control.past import asked
from micro_rl.control.record import Record
from micro_rl.control.recorder import Recorder
from micro_rl.control.settings import ControlSettings
from micro_rl.control.system import Sight, System, ranges
from micro_rl.control.values import flag
from micro_rl.core.columns import Columns
from micro_rl.errors import UserError, in_words
from micro_rl.policy import Policy

DEFAULTS = ControlSettings()


class Controller:
    """A policy that acts in a loop, guards itself, falls back and comes back.

    Call `step` once a step, and tell it which action was really applied where that was another one. After it was made
    it raises nothing, whatever is passed in: it says in `Decision.reason` what was wrong. One controller is one system
    and one thread; `fresh` makes another for the next system, with the same policy and guard.
    """

    def __init__(
        self,
        policy: Policy,
        guard: Guard | None = None,
        settings: ControlSettings = DEFAULTS,
        *,
        fallback: Function | None = None,
        record: str | Path | None = None,
        folder: str | Path = ".",
    ):
        """Make a controller of its parts; `from_run`, `from_export` and `load` make them too.

        Args:
            policy: what acts.
            guard: tells steps that are unlike the log; without one only missing values and ranges are trouble.
            settings: limits, rates, hysteresis, fallback, shadow.
            fallback: for the setting `fallback = "function"`: from the observation by the columns' names to an action.
                Where it has a method `begin`, it is told the last action when it takes over.
            record: a CSV (or .parquet) for every decision, begun or gone on with; None keeps none.
            folder: where a relative path of the settings' fallback policy begins.

        Raises:
            UserError: something that is named in the settings is not there, or guard and policy are of other columns.
        """
        self.policy, self.guard, self.settings = policy, guard, settings
        self._known: tuple[tuple[str, str], ...] = ()  # of where the policy comes from: `micro_rl.control.origin`
        if guard is not None and (why := guard.columns.unlike(policy.columns)):
            raise UserError(f"guard: its columns are not the policy's ({why}): fit it on the policy's log")
        other = other_policy(policy, Path(folder) / settings.fallback_policy) if settings.fallback == "policy" else None
        self._limits = Limits(policy.columns.actions, (policy.action_low, policy.action_high), settings)
        self._begin(fallback, other, record)

    def _begin(self, function: Function | None, other: Policy | None, record: str | Path | None) -> None:
        """Make what belongs to one system alone."""
        policy, guard, settings = self.policy, self.guard, self.settings
        self._fallbacks = Fallbacks(policy, settings, function, other)
        self._system = System(policy, ranges(policy, guard, self._limits), guard, settings, self._fallbacks)
        self._of_past: tuple[str, ...] = ()
        limit = None if guard is None else guard.threshold
        self._recorder = Recorder(policy, None if record is None else Record(record, policy, guard), limit)

    @classmethod
    def from_run(
        cls,
        path: str | Path,
        *,
        rate: float = 0.01,
        log: Any = None,
        records: Sequence[Any] = (),
        references: int = 256,
        **others: Any,
    ) -> Controller:
        """Make a controller of a run's policy, and a guard that is fitted on its log.

        Args:
            path: a run's folder, a choice's folder, a policy's file or an exported one (.py, .onnx).
            rate: share of healthy steps that may lie above the guard's limit.
            log: a `Dataset`, or the path of one; by default the run's own, or the part that a choice's
                candidates learned from. A policy's file needs it.
            records: what controllers of the same columns have recorded, as `log`: the guard learns from them too.
            references: rows of the log that the guard's distances are measured to.
            others: settings, fallback, record, folder, as of `Controller`.

        Raises:
            UserError: there is no policy, or its log is gone or has too little for the rate.
        """
        from micro_rl.control import making, origin

        policy, guard = making.of_run(Path(path), rate, log, references, records)
        controller = cls(policy, guard, **others)
        controller._known = origin.of_path(Path(path), policy)
        return controller

    @classmethod
    def from_export(cls, path: str | Path, **others: Any) -> Controller:
        """Make a controller of what `micro-rl export` wrote as Python or ONNX, with the guard that is in the file.

        Columns, units, ranges, bounds and history are the file's. Python is read as data, and nothing in it is run; of
        ONNX onnxruntime decides, so it and the package onnx must be installed.

        Args:
            path: the file, .py or .onnx.
            others: settings, fallback, record, folder, as of `Controller`.

        Raises:
            UserError: the file is missing, altered or no export, or what reads it is not installed.
        """
        from micro_rl.control.making import of_export

        policy, guard = of_export(Path(path))
        return cls(policy, guard, **others)

    @classmethod
    def load(cls, folder: str | Path, **others: Any) -> Controller:
        """Make a controller of a folder that `save` wrote: policy, guard, settings.

        Args:
            folder: the controller's.
            others: settings in the place of the folder's, fallback, record.

        Raises:
            UserError: a file is missing, damaged or does not fit the others.
        """
        from micro_rl.control import making, origin

        policy, guard, settings = making.in_folder(Path(folder))
        controller = cls(policy, guard, **{"settings": settings, "folder": folder, **others})
        controller._known = origin.of_controller(Path(folder), policy)
        return controller

    def save(self, folder: str | Path) -> None:
        """Write policy, guard, settings and fallback policy into a folder, which needs no training to be used.

        Raises:
            UserError: the disk refuses.
        """
        from micro_rl.control.making import write

        write(Path(folder), self.policy, self.guard, self.settings, self._fallbacks.policy, self._known)

    def fresh(self, record: str | Path | None = None) -> Controller:
        """Make a controller for another system, of the same parts, with a past and a record of its own.

        A fallback that is an object, or a method of one, is copied (`copy.deepcopy`), so that each has its own state.

        Raises:
            UserError: the fallback cannot be copied, or the record cannot be begun.
        """
        try:
            function = copy.deepcopy(self._fallbacks.function)
        except Exception as error:  # of a stranger's object
            raise UserError(
                f"fallback: cannot be copied for another system ({in_words(error)[:80]}): "
                "make a Controller with a function of its own there"
            ) from error
        controller = copy.copy(self)
        controller._begin(function, self._fallbacks.policy, record)
        return controller

    @property
    def columns(self) -> Columns:
        """Names and units of what it takes and gives."""
        return self.policy.columns

    def step(self, observation: Any, applied_action: Any = None, reward: Any = None) -> Decision:
        """Decide what to do now.

        Args:
            observation: by the columns' names, or an array in their order, raw units.
            applied_action: what was applied since the last step, by name or in order; None where it was that step's
                `Decision.action`. In the shadow None means that nobody knows.
            reward: a number, what the last step brought, where the plant tells; for the record alone.

        Returns:
            The action, and why.
        """
        with np.errstate(all="ignore"):
            try:
                known, wrong = self._system.since(applied_action)
                self._system.complaints = (*self._of_past, *wrong, *self._recorder.applied(known, reward))
                self._of_past = ()
                sight = self._system.see(observation)
                decision = self._decision(sight)
            except Exception as error:  # the loop must go on, whatever this is
                sight, decision = Sight.nothing(self.policy), self._last_resort(error)
            self._system.decided = decision.action
            reasons = self._recorder.decided(sight, decision)
        return (decision if reasons is None else decision._replace(reason=f"{decision.reason}; {reasons}")).copied()

    def prime(self, observations: Any, actions: Any) -> tuple[str, ...]:
        """Take over from the real past: an episode that others began.

        Args:
            observations: the last ones, oldest first, each as of `step`.
            actions: what was applied at each of them, as many.

        Returns:
            What was wrong with them, in words; nothing where all was well. The next step's reason tells it too. Where
            they cannot be read at all, or are not as many, the next step is an episode's first.
        """
        self.reset()
        with np.errstate(all="ignore"):
            try:
                wrong = self._system.prime(list(observations), list(actions))
            except Exception as error:
                self._system.begin()
                why = str(error) if isinstance(error, UserError) else in_words(error)
                self._of_past = (f"the past cannot be read ({why[:80]})",)
                return self._of_past
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        self._of_past = (f"the past: {wrong[0]}{more}",) if wrong else ()
        return tuple(wrong)

    def reset(self, terminated: Any = False, reward: Any = None, applied_action: Any = None) -> None:
        """Begin an episode; what cannot be read of the last one is told in the next step's reason.

        Args:
            terminated: whether the last episode ended by the task's own rule; False for what is neither true nor false.
            reward: a number, what the last step brought, where the plant tells; for the record alone.
            applied_action: what was applied since the last step, as of `step`; for the record alone.
        """
        ended = flag(terminated)
        with np.errstate(all="ignore"):
            known, wrong = self._system.since(applied_action)
        wrong = (*wrong, *self._recorder.ended(known, bool(ended), reward))
        self._system.begin()
        self._of_past = ("terminated: neither true nor false", *wrong) if ended is None else wrong

    def close(self, applied_action: Any = None) -> str | None:
        """End the record, whose last action may be told as to `step`; what was wrong with that, in words, or None."""
        with np.errstate(all="ignore"):
            known, wrong = self._system.since(applied_action)
        wrong = () if applied_action is None else wrong
        return "; ".join(filter(None, (*wrong, self._recorder.close(known)))) or None

    def __enter__(self) -> Controller:
        """Itself, for a `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the record, and warns of what was wrong with that."""
        if wrong := self.close():
            warnings.warn(wrong, stacklevel=2)

    def _decision(self, sight: Sight) -> Decision:
        """The action of this step, from policy or fallback, within its limits."""
        system, reasons = self._system, list(sight.wrong)
        advised = wanted = None if sight.window is None else self._asked(sight.window, reasons)
        alarm, source = sight.alarm, "policy"
        if wanted is None and sight.window is not None:
            alarm = system.distrust()
        if alarm or wanted is None:
            resort = self._fallbacks(sight.trusted, system.standing)
            wanted, source = resort.action, resort.source
            reasons += resort.reasons
        action = self._limits(wanted, system.standing, reasons)
        if self.settings.shadow:
            reasons.append(f"shadow: {source} would act")
            advised, source = action, "shadow"
            action = action if system.last is None else system.last
        reason = "; ".join(reasons) or "healthy"
        return Decision(action, source, reason, sight.score, alarm, advised)

    def _asked(self, window: np.ndarray, reasons: list[str]) -> np.ndarray | None:
        """What the policy asks for, within its clamp [act]; None, and why, where it fails or asks for no number."""
        try:
            action = asked(self.policy, window)
        except Exception as error:  # those of what runs an exported file, too
            reasons.append(f"the policy failed ({in_words(error)[:80]})")
            return None
        if not np.isfinite(action).all():
            reasons.append("the policy gave no finite action")
            return None
        return self._limits.clamped(action, reasons)

    def _last_resort(self, error: Exception) -> Decision:
        """Hold the last action within its limits, where the controller itself fails."""
        self._system.fail()
        standing = self.policy.action_mid if self._system.standing is None else self._system.standing
        action = np.minimum(np.maximum(standing, self._limits.low), self._limits.high)
        return Decision(action, "fallback: hold", f"the controller failed ({in_words(error)[:80]})", None, True, None)
