"""Who does a choice's tasks: processes of this machine, or nodes of a cluster that see its folder."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from micro_rl.cluster.again import LOST, TRIES, why_no_more
from micro_rl.cluster.connection import capacity, connected
from micro_rl.cluster.forecast import slots
from micro_rl.cluster.head import GLANCE, Head, HeadGone
from micro_rl.cluster.nodes import look_at_nodes
from micro_rl.cluster.place import Home, leave_home, make_home, sees
from micro_rl.cluster.versions import differences, versions
from micro_rl.errors import Diverged, Interrupted, UserError
from micro_rl.selection import task as work
from micro_rl.selection import workers
from micro_rl.selection.needs import bytes_of
from micro_rl.selection.task import Task
from micro_rl.selection.workers import Failure

DONE, FAILED, STOPPED, UNFIT = "done", "failed", "stopped", "unfit"
"""How a task ends on a node; `UNFIT`: the node cannot do it, another could."""
Watch = Callable[[Sequence[Task]], None]
BLIND = "a node does not see {}: choose needs a folder that all nodes share, under the same path; name it with --out"


class Crew(Protocol):
    """Does tasks; `size` says how many at once."""

    @property
    def size(self) -> int:
        """Tasks at once, at most."""
        ...

    def carry_out(self, tasks: Sequence[Task], folder: Path, at_once: int, watch: Watch) -> list[Failure]:
        """Do all tasks, as `workers.carry_out` does."""
        ...


class Here:
    """Processes of this machine."""

    @property
    def size(self) -> int:
        """Its cores."""
        return workers.cores()

    def carry_out(self, tasks: Sequence[Task], folder: Path, at_once: int, watch: Watch) -> list[Failure]:
        """Do all tasks, as many at once."""
        return workers.carry_out(tasks, folder, at_once, watch)


class _Work(NamedTuple):
    """A task at work, and how often it was begun again."""

    task: Task
    tries: int = 0


class Cluster:
    """Nodes of a cluster; each task asks for a core, a card where there are any, and the memory of its estimate."""

    def __init__(self, ray: Any, home: Home):
        has = capacity(ray)
        if look_at_nodes(ray, versions(), home):
            raise UserError(f"choose: {BLIND.format(home.folder)}")
        self._ray, self._home, self._has, self._head = ray, home, has, Head(ray)
        self._largest = 0
        self._task = ray.remote(num_cpus=1, num_gpus=1 if has.cards else 0, max_retries=LOST)(on_node)

    @property
    def size(self) -> int:
        """Tasks that the nodes which were there at first do at once, by the memory of those that were begun, too."""
        return max(1, slots(self._has, self._largest))

    def carry_out(self, tasks: Sequence[Task], folder: Path, at_once: int, watch: Watch) -> list[Failure]:
        """Do all tasks, the first of them first; how many at once is the cluster's business.

        Raises:
            HeadGone: the cluster's head answers no more; nobody is left to ask the tasks to save.
            UserError: no node has the memory for a task.
        """
        going, failures = dict[Any, _Work](), list[Failure]()
        try:
            for task in tasks:
                going[self._begin(task)] = _Work(task)
            while going:
                watch([own.task for own in going.values()][: self.size])
                ready, _ = self._ray.wait(list(going), num_returns=len(going), timeout=GLANCE)
                for ref in ready:
                    failures += self._ended(ref, going)
                self._head.answers()
        except HeadGone:
            raise
        except BaseException:
            for ref in going:
                self._ray.cancel(ref)
            self._head.wait_for_saves(self._ray, list(going))
            raise
        return failures

    def _begin(self, task: Task) -> Any:
        """`UserError` where no node has the memory."""
        try:
            needed = bytes_of(task, self._has.memory)
        except UserError as error:
            raise UserError(f"choose: {error}; then go on with --resume") from None
        self._largest = max(self._largest, needed)
        return self._task.options(name=task.name, memory=needed).remote(task, self._home, versions())

    def _ended(self, ref: Any, going: dict[Any, _Work]) -> list[Failure]:
        """Why a task came to nothing, where it did; one that a signal stopped on its node begins again.

        Raises:
            UserError: its node is gone for good, or cannot do it; or signals stop it again and again.
        """
        task, tries = going.pop(ref)
        try:
            end, line = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            raise UserError(f"choose: {task.name}: {why_no_more(error)}") from None
        if end == UNFIT:  # the node's fault; the task must not count as one that came to nothing
            raise UserError(f"choose: {line}; then go on with --resume")
        if end == STOPPED and tries == TRIES:
            raise UserError(
                f"choose: {task.name} was stopped on its node and begun again {TRIES} times; --resume goes on"
            )
        if end == STOPPED:
            going[self._begin(task)] = _Work(task, tries + 1)
        return [Failure(task.name, line)] if end == FAILED else []


def on_node(task: Task, home: Home, driver: dict[str, str]) -> tuple[str, str]:
    """Do a task on a node: how it ended, and why it came to nothing, where it did."""
    if other := differences(driver):
        return UNFIT, f"a node has other versions: {other}; install the same on all"
    if not sees(home):
        return UNFIT, BLIND.format(home.folder)
    try:
        work.carry_out(task)
    except Interrupted:
        return STOPPED, ""
    except (UserError, Diverged) as error:
        return FAILED, str(error)
    return DONE, ""


@contextmanager
def crew_for(where: str | None, folder: Path) -> Iterator[Crew]:
    """The crew; of a cluster, as `cluster.connection.check` names it, until the block ends.

    Args:
        where: the cluster; None: this machine's processes.
        folder: the choice's, which all nodes must see.

    Raises:
        UserError: there is no such cluster.
    """
    if where is None:
        yield Here()
        return
    with connected(where) as ray:
        home = make_home(folder, secrets.token_hex(8))
        try:
            yield Cluster(ray, home)
        finally:
            leave_home(home)
