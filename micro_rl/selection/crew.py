"""Who does a choice's tasks: processes of this machine, or nodes of a cluster that see its folder."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from micro_rl.cluster.connection import capacity, connected
from micro_rl.cluster.place import Home, leave_home, make_home, sees
from micro_rl.cluster.versions import differences, versions
from micro_rl.errors import Diverged, Interrupted, UserError
from micro_rl.selection import task as work
from micro_rl.selection import workers
from micro_rl.selection.task import Task
from micro_rl.selection.workers import Failure

Watch = Callable[[Sequence[Task]], None]
LEAVING = 120.0
"""Seconds that tasks are given to save when the choice is stopped."""


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
    """Nodes of a cluster, one core or card for each task."""

    def __init__(self, ray: Any, home: Home):
        has = capacity(ray)
        self._ray, self._home, self._size = ray, home, has.cards or has.cores
        self._task = ray.remote(num_cpus=1, num_gpus=1 if has.cards else 0, max_retries=-1)(on_node)

    @property
    def size(self) -> int:
        """Tasks that the nodes which were there at first do at once."""
        return max(1, self._size)

    def carry_out(self, tasks: Sequence[Task], folder: Path, at_once: int, watch: Watch) -> list[Failure]:
        """Do all tasks, the first of them first; how many at once is the cluster's business."""
        going = {self._begin(task): task for task in tasks}
        failures = list[Failure]()
        try:
            while going:
                watch([*going.values()][: self.size])
                ready, _ = self._ray.wait(list(going), num_returns=len(going), timeout=1.0)
                for ref in ready:
                    failures += self._ended(ref, going)
        except BaseException:
            for ref in going:
                self._ray.cancel(ref)
            self._ray.wait(list(going), num_returns=len(going), timeout=LEAVING)
            raise
        return failures

    def _begin(self, task: Task) -> Any:
        return self._task.options(name=task.name).remote(task, self._home, versions())

    def _ended(self, ref: Any, going: dict[Any, Task]) -> list[Failure]:
        """Why a task came to nothing, where it did; one that a signal stopped on its node begins again."""
        task = going.pop(ref)
        try:
            again, line = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(error).strip().splitlines()[-1:])[:300] or type(error).__name__
            raise UserError(f"choose: {task.name} ended on its node ({reason}); go on with --resume") from None
        if again:
            going[self._begin(task)] = task
            return []
        return [Failure(task.name, line)] if line else []


def on_node(task: Task, home: Home, driver: dict[str, str]) -> tuple[bool, str]:
    """Do a task on a node: whether it has to begin again, and why it came to nothing."""
    if other := differences(driver):
        return False, f"a node has other versions than the driver: {other}"
    if not sees(home):
        return False, f"a node does not see {home.folder}: choose needs a folder that all nodes share"
    try:
        work.carry_out(task)
    except Interrupted:
        return True, ""
    except (UserError, Diverged) as error:
        return False, str(error)
    return False, ""


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
