"""Who does a choice's tasks: processes of this machine, or nodes of a cluster that see its folder."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from micro_rl.cluster.again import TRIES, Stopped, why_no_more
from micro_rl.cluster.capacity import capacity_for_work
from micro_rl.cluster.connection import connected
from micro_rl.cluster.head import GLANCE, Head, HeadGone
from micro_rl.cluster.lookout import Lookout
from micro_rl.cluster.nodes import look_at_nodes
from micro_rl.cluster.place import Home, leave_home, make_home, sees
from micro_rl.cluster.versions import differences, versions
from micro_rl.errors import Diverged, Interrupted, UserError
from micro_rl.selection import task as work
from micro_rl.selection import workers
from micro_rl.selection.needs import bytes_of
from micro_rl.selection.task import Task
from micro_rl.selection.workers import Failure
from micro_rl.storage.files import CannotWrite

DONE, FAILED, UNFIT = "done", "failed", "unfit"
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


class Cluster:
    """Nodes of a cluster; each task asks for a core, a card where there are any, and the memory of its estimate."""

    def __init__(self, ray: Any, home: Home, where: str, tell: Callable[[str], None] = lambda line: None):
        has = capacity_for_work(ray, where)
        if look_at_nodes(ray, versions(), home):
            raise UserError(f"choose: {BLIND.format(home.folder)}")
        self._ray, self._home, self._has, self._head = ray, home, has, Head(ray)
        self._lookout = Lookout(ray, has, self._head, tell)
        self._largest, self._asked = 0, dict[str, int]()
        needs = {"num_cpus": 1, "num_gpus": 1 if has.asks_card else 0}
        self._task = ray.remote(**needs, max_retries=TRIES, retry_exceptions=[Stopped])(on_node)

    @property
    def size(self) -> int:
        """Tasks that the nodes which were there at first do at once, by the memory of those that were begun, too."""
        return max(1, self._has.slots(self._largest))

    def carry_out(self, tasks: Sequence[Task], folder: Path, at_once: int, watch: Watch) -> list[Failure]:
        """Do all tasks, the first of them first; how many at once is the cluster's business.

        Raises:
            HeadGone: the cluster's head answers no more; nobody is left to ask the tasks to save.
            UserError: no node has the memory for a task.
        """
        going, failures = dict[Any, Task](), list[Failure]()
        try:
            for task in tasks:
                going[self._begin(task)] = task
            while going:
                watch([*going.values()][: self.size])
                ready, _ = self._ray.wait(list(going), num_returns=len(going), timeout=GLANCE)
                for ref in ready:
                    failures += self._ended(ref, going.pop(ref))
                self._head.answers()
                self._lookout.look({task.name: self._asked[task.name] for task in going.values()})
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
        self._largest, self._asked[task.name] = max(self._largest, needed), needed
        return self._task.options(name=task.name, memory=needed).remote(task, self._home, versions())

    def _ended(self, ref: Any, task: Task) -> list[Failure]:
        """Why a task came to nothing, where it did.

        Raises:
            UserError: its node is gone for good, or cannot do it; or signals stop it again and again.
        """
        try:
            end, line = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            raise UserError(f"choose: {task.name}: {why_no_more(error)}") from None
        if end == UNFIT:  # the node's fault; the task must not count as one that came to nothing
            raise UserError(f"choose: {line}; then go on with --resume")
        return [Failure(task.name, line)] if end == FAILED else []


def on_node(task: Task, home: Home, driver: dict[str, str]) -> tuple[str, str]:
    """Do a task on a node: how it ended, and why it came to nothing, where it did.

    Raises:
        Stopped: by a signal; Ray begins the task again.
    """
    if other := differences(driver):
        return UNFIT, f"a node has other versions: {other}; install the same on all"
    if not sees(home):
        return UNFIT, BLIND.format(home.folder)
    try:
        work.carry_out(task)
    except Interrupted as error:
        raise Stopped(str(error), error.whole) from None
    except CannotWrite as error:
        return UNFIT, str(error)
    except (UserError, Diverged) as error:
        return FAILED, str(error)
    return DONE, ""


@contextmanager
def crew_for(where: str | None, folder: Path, tell: Callable[[str], None]) -> Iterator[Crew]:
    """The crew; of a cluster, as `cluster.connection.check` names it, until the block ends.

    Args:
        where: the cluster; None: this machine's processes.
        folder: the choice's, which all nodes must see.
        tell: takes a line of what becomes of the nodes.

    Raises:
        UserError: there is no such cluster.
    """
    if where is None:
        yield Here()
        return
    with connected(where) as ray:
        home = make_home(folder, secrets.token_hex(8))
        try:
            yield Cluster(ray, home, where, tell)
        finally:
            leave_home(home)
