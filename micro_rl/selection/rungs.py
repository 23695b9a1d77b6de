"""The rungs: train who is left, score what they have become, keep the better half."""

from collections.abc import Sequence
from pathlib import Path

from micro_rl.core.wording import with_verb
from micro_rl.selection import schedule
from micro_rl.selection.clock import Clock
from micro_rl.selection.field import Field
from micro_rl.selection.plan_file import Planned
from micro_rl.selection.portfolio import COMMON
from micro_rl.selection.scoring import Scored, score
from micro_rl.selection.task import Task
from micro_rl.selection.watching import Watcher
from micro_rl.trust.yardstick import Yardstick


class Rungs:
    """Candidates in training and what the judge has said of them so far.

    Attributes:
        field: the candidates.
        yardstick: the judge.
        scored: every policy of every rung, in the order in which they were scored.
        failures: why candidates came to nothing, by name.
        going: who took part in the last rung and came to something.
    """

    def __init__(
        self, field: Field, yardstick: Yardstick, planned: Planned, tasks: Path, watcher: Watcher, clock: Clock
    ):
        self.field, self.yardstick = field, yardstick
        self.scored: list[Scored] = []
        self.failures = dict(planned.failures)
        self._planned, self._tasks, self._watcher, self._clock = planned, tasks, watcher, clock
        self.going, self._trained, self._behind = list(planned.costs), list[str](), 0

    def carry_out(self, planned: Planned) -> None:
        """Train and score, rung by rung, those of a plan that are not behind it."""
        self._planned = planned
        for until, places in list(zip(*planned.schedule, strict=True))[self._behind :]:
            if self._behind:
                self.going = self._in_front(self.going, places)
            if not self.going:
                break
            self._rung(until)

    @property
    def rising(self) -> list[str]:
        """Those of the last rung that it brought above all before; none that it could not train further."""
        return [name for name in self._trained if schedule.risen([own.standing for own in self.after(name)])]

    def would_rise(self, candidate: str) -> bool:
        """Whether more time would have taken a candidate further: its last rung lifted it, and it could go on."""
        after, until = self.after(candidate), self._planned.schedule.until
        most = schedule.MOST_UPDATES // COMMON["updates_per_epoch"]
        if len(after) < 2 or after[-1].epoch >= most:
            return False
        failed = any(self.field.failure(candidate, epochs[candidate]) for epochs in until if candidate in epochs)
        return not failed and schedule.risen([own.standing for own in after])

    def _rung(self, until: dict[str, int]) -> None:
        self._trained = [name for name in self.going if not any(own.epoch == until[name] for own in self._of(name))]
        self._train({name: until[name] for name in self.going}, self._behind)
        going = [name for name in self.going if self.field.failure(name, until[name]) is None]
        for name in going:
            if name in self._trained:
                self._score(name, until[name])
        self.going = [name for name in going if self._of(name)]
        self._trained = [name for name in self._trained if name in self.going]
        ranked = sorted((self.best(name) for name in self.going), key=lambda own: -own.standing)
        self._behind += 1
        self._clock.mark()
        self._watcher.ranked(self._behind, len(self._planned.schedule.places), ranked)

    def best(self, candidate: str) -> Scored:
        """The policy of a candidate that stands highest, of all its rungs and seeds."""
        return max(self._of(candidate), key=lambda own: own.standing)

    def after(self, candidate: str) -> list[Scored]:
        """The best of a candidate's seeds after each of its rungs."""
        epochs = sorted({own.epoch for own in self.scored if own.candidate == candidate})
        return [
            max(
                (own for own in self.scored if (own.candidate, own.epoch) == (candidate, epoch)),
                key=lambda own: own.standing,
            )
            for epoch in epochs
        ]

    def _of(self, candidate: str) -> list[Scored]:
        return [own for own in self.scored if own.candidate == candidate]

    @property
    def candidates(self) -> list[str]:
        """Those of which there is a policy, in the order of the portfolio."""
        return list(dict.fromkeys(own.candidate for own in self.scored))

    def _score(self, candidate: str, epoch: int) -> None:
        policies = self.field.collect(candidate, epoch)
        if 0 < len(policies) < len(self.field.seeds):
            lost = len(self.field.seeds) - len(policies)
            self.failures[candidate] = f"{with_verb(lost, 'seed', 'has', 'have')} diverged before epoch {epoch}"
            self._watcher.note(f"{candidate}: {self.failures[candidate]}")
        for name, policy in policies.items():
            self.scored.append(score(self.yardstick, policy, name, candidate, epoch))

    def _in_front(self, going: Sequence[str], count: int) -> list[str]:
        """Those that still rise first: what others came to is kept, and more time lifts a riser more likely."""
        best = {name: self.best(name).standing for name in going}
        rising = {name for name in going if schedule.risen([own.standing for own in self.after(name)])}
        return schedule.survivors(best, count, rising)

    def _train(self, until: dict[str, int], rung: int) -> None:
        tasks = self.field.training(until)
        costs, processes = self._planned.costs, self._planned.workers
        before = {name: self.field.epochs(name) for name in until}
        work = {name: (until[name] - before[name]) * costs[name] for name in until}
        tasks.sort(key=lambda task: -work[task.name])

        def watch(running: Sequence[Task]) -> None:
            done = sum((self.field.epochs(name) - before[name]) * costs[name] for name in until)
            total = max(sum(work.values()), 1e-9)
            left = (total - done) / processes + self._planned.schedule.seconds(costs, processes, rung + 1)
            shown = ", ".join(f"{task.name} {self.field.epochs(task.name)} of {task.until}" for task in running)
            self._watcher.at_work(f"rung {rung + 1}: epoch of {shown}", left)
            self._clock.mark()

        for failure in self.field.crew.carry_out(tasks, self._tasks, self._planned.workers, watch):
            self.field.fail(failure.name, until[failure.name], failure.reason)
        for name in until:
            if (reason := self.field.failure(name, until[name])) is not None:
                self.failures[name] = reason
                self._watcher.note(f"{name}: {reason}")
