"""The cluster that does the work: one on this machine, the one that runs here already, or one behind an address."""

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from micro_rl.cluster.address import CLIENT, found, refuse_dead
from micro_rl.cluster.again import NO_MEMORY
from micro_rl.errors import UserError, require_extra

LOCAL, RUNNING = "ray", "auto"
SETTINGS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # which cards a task may see is left as it is
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to anyone
    "RAY_worker_niceness": "0",  # of a cluster begun here: as a sweep without one; Ray's own is 15
    "RAY_task_oom_retries": str(NO_MEMORY),  # Ray's own is without end, and without a word
}
"""Of Ray, by variables that whoever sets them outranks; the last is the driver's, or by ray:// the head's."""

CLIENT_TRIES = 3
NOT_BEGUN = (
    "no cluster could be begun on this machine ({reason}); if it is busy or short of memory, try again, or begin one "
    "with ray start --head and say --on auto"
)
NOT_REACHED = (
    "no cluster was reached ({reason}); begin one with ray start --head; where it wants a token, set "
    "RAY_AUTH_MODE=token here, too"
)
STILLBORN = "Starting Ray client server failed"


def check(where: str) -> None:
    """Refuse what names no cluster, an address at which nothing listens, and a machine without Ray.

    Raises:
        UserError: in one line.
    """
    if where not in (LOCAL, RUNNING) and not where.startswith(CLIENT):
        raise UserError(f"on: {where!r} is no cluster; say {LOCAL}, {RUNNING} or {CLIENT}HOST:PORT")
    require_extra("ray", "cluster", "work on a cluster")
    if where.startswith(CLIENT):
        refuse_dead(where, where)
    elif where == RUNNING and (address := found()):
        refuse_dead(f"{where}: {'RAY_ADDRESS ' if os.environ.get('RAY_ADDRESS') else ''}{address}", address)


@contextmanager
def connected(where: str) -> Iterator[Any]:
    """Ray, connected; what was begun here ends with the block.

    Args:
        where: as of `check`.

    Raises:
        UserError: nobody answers there, or not in our versions; or nobody answers any more.
    """
    for name, value in SETTINGS.items():  # before any part of Ray is read
        os.environ.setdefault(name, value)
    check(where)
    import ray

    _silence()
    own: dict[str, Any] = {"address": "local", "include_dashboard": False} if where == LOCAL else {"address": where}
    try:
        with warnings.catch_warnings(), _signals_kept():
            warnings.simplefilter("ignore", RuntimeWarning)  # JAX's, of forks; Ray's children begin other programs
            _init(ray, own)
    except Exception as error:  # Ray's list is long, and gRPC's errors come through it
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        words = NOT_BEGUN if where == LOCAL else NOT_REACHED
        raise UserError(f"on: {where}: {words.format(reason=reason)}") from None
    try:
        yield ray
    except Exception as error:
        if not _is_loss(error):
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"on: {where}: the cluster is gone ({reason}); what was saved is there: begin a cluster, and go on with "
            "--resume"
        ) from None
    finally:
        ray.shutdown()


def _init(ray: Any, own: dict[str, Any]) -> None:
    """Connect; again where the server that Ray begins for its client died at once.

    On a busy machine it does now and then: it is a fork of a program with threads. It has done nothing by then.
    """
    for left in reversed(range(CLIENT_TRIES)):
        try:
            ray.init(**own, log_to_driver=False, logging_level=logging.ERROR, namespace="micro-rl")
            return
        except Exception as error:
            if left == 0 or STILLBORN not in str(error):
                raise


def head_of(ray: Any) -> str | None:
    """HOST:PORT of the head as this process reaches it; None by ray://, and where Ray does not say."""
    try:
        behind = import_module("ray.util.client").ray.is_connected()
        return None if behind else ray.get_runtime_context().gcs_address
    except (ImportError, AttributeError):
        return None


def _is_loss(error: Exception) -> bool:
    """Whether an error is Ray's, or its client's, of a cluster that answers no more; a closed pipe is the reader's."""
    if isinstance(error, ConnectionError):
        return not isinstance(error, BrokenPipeError)
    return type(error).__module__.partition(".")[0] in ("ray", "grpc")


def _silence() -> None:
    """Keep what a node that died had said last, a page of it, from the screen: that it died is told by the driver."""
    with suppress(ImportError, AttributeError):  # a part of Ray that is its own business, and may go
        worker: Any = import_module("ray._private.worker")
        if hasattr(worker, "print_worker_logs"):
            worker.print_worker_logs = lambda *arguments: None


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray begins with a handler of SIGTERM that ends the process; the one that saves the runs takes its place again."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                if callable(handler):  # where nobody handles it, Ray's own takes its nodes down with the process
                    signal.signal(number, handler)
