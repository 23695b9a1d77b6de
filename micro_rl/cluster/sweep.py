"""A sweep on a cluster: fits and chunks as tasks, results in the same run folders."""

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from micro_rl.algorithms import registry
from micro_rl.cluster import tasks
from micro_rl.cluster.again import TRIES, Stopped, stopped_in, why_no_more
from micro_rl.cluster.capacity import Capacity, capacity_for_work
from micro_rl.cluster.connection import connected
from micro_rl.cluster.graph import Chunk, Graph, graph
from micro_rl.cluster.head import GLANCE, Head, HeadGone
from micro_rl.cluster.leaving import unsaved
from micro_rl.cluster.lookout import Lookout
from micro_rl.cluster.nodes import look_at_nodes
from micro_rl.cluster.packing import Packer, refuse_registered
from micro_rl.cluster.parcels import Parcels, exchange
from micro_rl.cluster.place import Home, sweep_home
from micro_rl.cluster.sender import BETWEEN
from micro_rl.cluster.tasks import Order, Outcome
from micro_rl.cluster.versions import versions
from micro_rl.cluster.watching import Watcher
from micro_rl.core.wording import first_few, plural, with_verb
from micro_rl.training.grid import Trial, twins
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.sweep import refuse

SLOW = 30.0
"""Seconds after which a line tells of a folder that is still on its way home."""


class _Work(NamedTuple):
    """A task at work: its name, its chunk, None for a fit, its runs, and the memory that it asks for."""

    name: str
    chunk: Chunk | None
    trials: tuple[Trial, ...]
    bytes: int


def carry_out(
    trials: Sequence[Trial],
    folder: Path,
    where: str,
    *,
    resume: bool = False,
    until: int | None = None,
    exact: bool = False,
    width: int | None = None,
    watcher: Watcher,
    interrupts: Interrupts,
    command: str = "",
) -> dict[str, Outcome]:
    """Carry a sweep out on a cluster.

    Args:
        trials: its runs.
        folder: of all runs' folders, on the driver.
        where: the cluster, as of `connection.check`.
        resume: go on in folders that are there.
        until: stop after this epoch.
        exact: every run alone, to the bits of a single one on such a machine.
        width: at most so many runs in one program.
        watcher: is told how it goes.
        interrupts: the signals that stop it; every task saves its runs.
        command: what was typed, for the record.

    Returns:
        What became of every run, by name.

    Raises:
        UserError: before anything is begun, in one line.
        Interrupted: a signal came, and what was reached is saved.
    """
    refuse(trials, folder, resume, exact, width)
    refuse_registered(trials)
    with connected(where) as ray:
        has = capacity_for_work(ray, where)
        ahead = graph(trials, exact, width, has.cores, has.memory)
        watcher.begins()
        for note in twins(trials):
            watcher.note(note)
        watcher.note(
            f"cluster {plural(has.nodes, 'node')}, {plural(has.cores, 'core')}, {plural(has.cards, 'card')}: "
            f"{plural(len(ahead.fits), 'fit')}, then {plural(len(ahead.chunks), 'task')} of runs"
        )
        with sweep_home(folder) as home:
            return _Driver(ray, has, ahead, home, until, command, watcher, interrupts).carry_out()


class _Driver:
    """Submits tasks, waits for them, fetches what nodes without the shared folder send."""

    def __init__(
        self,
        ray: Any,
        has: Capacity,
        ahead: Graph,
        home: Home,
        until: int | None,
        command: str,
        watcher: Watcher,
        interrupts: Interrupts,
    ):
        self._ray, self._ahead, self._home = ray, ahead, home
        self._watcher, self._interrupts = watcher, interrupts
        needs = {"num_cpus": 1, "num_gpus": 1 if has.asks_card else 0}
        needs |= {"max_retries": TRIES, "retry_exceptions": [Stopped]}
        self._fit, self._train = ray.remote(**needs)(tasks.fit), ray.remote(**needs)(tasks.train)
        self._parcels = self._begin_parcels()
        methods = {registry.source_of(trial.plan.method_name).get("reference") for trial in ahead.trials}
        own = tuple(sorted(method for method in methods if method))
        self._order = ray.put(Order(home, versions(), self._parcels, own, until, command))
        self._owners = {trial.name: trial for trial in ahead.fits}
        self._trials = {trial.name: trial for trial in ahead.trials}
        self._bytes = {own.name: chunk.bytes // len(chunk.trials) for chunk in ahead.chunks for own in chunk.trials}
        self._packer = Packer(ray)
        self._outcomes: dict[str, Outcome] = {}
        self._said = set[str]()
        self._head = Head(ray)
        self._lookout = Lookout(ray, has, self._head, watcher.note)

    def carry_out(self) -> dict[str, Outcome]:
        """All tasks, to their ends."""
        self._look_at_nodes()
        going = self._submit_all()
        while going:
            ready, _ = self._ray.wait(list(going), num_returns=len(going), timeout=GLANCE)
            for ref in ready:
                self._finish(ref, going.pop(ref))
            self._bring_home()
            self._lookout.look({work.name: work.bytes for work in going.values()})
            self._watcher.look(Path(self._home.folder), self._outcomes)
            if self._interrupts.received:
                self._leave(going)
        return self._outcomes

    def _begin_parcels(self) -> Any:
        """The actor on the driver's own node, which is there as long as the driver; a node may be dead unnoticed."""
        on = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        here = on(self._ray.get_runtime_context().get_node_id(), soft=True)
        actor = self._ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Parcels)
        return actor.options(scheduling_strategy=here, enable_task_events=False).remote()  # the dashboard: runs alone

    def _look_at_nodes(self) -> None:
        """Refuse nodes with other versions, and tell of those that do not see the folder."""
        blind = look_at_nodes(self._ray, versions(), self._home)
        if blind:
            self._watcher.note(
                f"{with_verb(blind, 'node', 'does', 'do')} not see {self._home.folder}: runs are sent home every "
                f"{BETWEEN:.0f} seconds and when they end"
            )

    def _submit_all(self) -> dict[Any, _Work]:
        """Every fit and every chunk; a chunk waits for the fits that it takes over."""
        fits = {name: self._submit_fit(name) for name in self._shared_fits()}
        going = {
            ref: _Work(f"fit of {name}", None, (self._owners[name],), self._bytes[name]) for name, ref in fits.items()
        }
        for chunk in self._ahead.chunks:
            before = [fits[name] for name in dict.fromkeys(chunk.fits) if name in fits]
            going[self._submit(chunk, before)] = _Work(chunk.name, chunk, chunk.trials, chunk.bytes)
        return going

    def _shared_fits(self) -> list[str]:
        """Runs whose fits more than one chunk takes; a chunk that needs a fit alone makes it itself."""
        users = Counter(name for chunk in self._ahead.chunks for name in dict.fromkeys(chunk.fits))
        return [name for name in self._owners if users[name] > 1]

    def _submit_fit(self, name: str) -> Any:
        task = self._fit.options(memory=self._bytes[name], name=f"fit of {name}")
        return task.remote(self._order, self._packer.packed([self._trials[name]]), name)

    def _submit(self, chunk: Chunk, before: Sequence[Any]) -> Any:
        names = [trial.name for trial in chunk.trials]
        task = self._train.options(memory=chunk.bytes, name=chunk.name)
        needed = dict.fromkeys([*names, *(name for name in chunk.fits if name is not None)])
        packed = self._packer.packed([self._trials[name] for name in needed])
        return task.remote(self._order, packed, names, list(chunk.fits), *before)

    def _finish(self, ref: Any, work: _Work) -> None:
        """Take a task's outcome."""
        outcomes = self._result(ref, work)
        for outcome in outcomes:
            for note in outcome.notes:
                self._tell_once(note, f"{outcome.name}: {note}")
        if work.chunk is not None:
            for outcome in outcomes:
                self._outcomes[outcome.name] = outcome
                self._watcher.ended(outcome)

    def _result(self, ref: Any, work: _Work) -> list[Outcome]:
        try:
            return self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            end = tasks.STOPPED if stopped_in(error) else tasks.FAILED
            return [Outcome(trial.name, end, why_no_more(error)) for trial in work.trials]

    def _tell_once(self, what: str, line: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._watcher.note(line)

    def _bring_home(self) -> None:
        try:
            exchange(self._ray, self._parcels, Path(self._home.folder), self._slow)
        except self._ray.exceptions.RayError as error:
            raise HeadGone(type(error).__name__) from None

    def _slow(self, name: str, seconds: float) -> None:
        """A folder takes long between driver and nodes: the head is looked at, and in the end a line tells of it."""
        self._head.answers()
        if seconds >= SLOW:
            self._tell_once(f"slow {name}", f"{name}: its folder has been on its way for {SLOW:.0f} seconds")

    def _leave(self, going: dict[Any, _Work]) -> None:
        """Ask every task to save, wait for it, and leave."""
        for ref in going:
            self._ray.cancel(ref)
        left = self._head.wait_for_saves(self._ray, list(going), self._bring_home)
        self._bring_home()
        lost = unsaved(self._ray, {work.name: ref for ref, work in going.items()}, left)
        go_on = "the same command with --resume goes on"
        if not lost:
            self._interrupts.leave(f"what every node had reached is saved; {go_on}")
        count = f"{len(lost)} of {plural(len(going), 'task')} did not save what was reached"
        self._interrupts.leave(f"{count}: {first_few(lost)}; {go_on}, there from the checkpoints before", False)
