"""A look at the nodes before anything begins: whether they can do the work, and whether they see the folder."""

from importlib import import_module
from typing import Any

from micro_rl.cluster.again import last_line
from micro_rl.cluster.place import Home, sees
from micro_rl.cluster.versions import differences
from micro_rl.errors import UserError

LOOKING = 300.0
"""Seconds that the nodes are given to begin a worker each, and to answer."""


def look(driver: dict[str, str], home: Home) -> tuple[str, bool]:
    """What this node has in other versions than the driver, and whether it sees the work's folder."""
    return differences(driver), sees(home)


def look_at_nodes(ray: Any, driver: dict[str, str], home: Home) -> int:
    """Ask every node that has cores.

    Args:
        ray: connected.
        driver: its versions.
        home: the work's folder.

    Returns:
        How many nodes do not see the folder.

    Raises:
        UserError: a node has other versions, or cannot run micro-rl at all.
    """
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    task = ray.remote(num_cpus=0, max_retries=3, enable_task_events=False)(look)  # the dashboard: runs alone
    on = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    looks = [task.options(scheduling_strategy=on(node["NodeID"], soft=True)).remote(driver, home) for node in nodes]
    try:
        answers = ray.get(looks, timeout=LOOKING)
    except ray.exceptions.GetTimeoutError:
        raise UserError(
            f"cluster: a node has not begun a worker in {LOOKING:.0f} seconds; look at its log, or take it away"
        ) from None
    except ray.exceptions.RayError as error:
        raise UserError(
            f"cluster: a node cannot run micro-rl ({last_line(error)}); install the same on all nodes"
        ) from None
    for node, (other, _) in zip(nodes, answers, strict=True):
        if other:
            where = node["NodeManagerAddress"]
            raise UserError(f"cluster: the node at {where} has other versions: {other}; install the same on all")
    return sum(not at_home for _, at_home in answers)
