"""Policies through a protocol's cells, on all cores: finished cells are kept at once, and a stopped trial goes on."""

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from micro_rl.core.one_thread import ONE_THREAD
from micro_rl.errors import UserError
from micro_rl.robustness.cells import Cell, Protocol
from micro_rl.robustness.results import Results
from micro_rl.robustness.subject import Subject
from micro_rl.robustness.summary import summarise
from micro_rl.robustness.trial import Outcome, Trial
from micro_rl.simulation import env_objects
from micro_rl.simulation.envs import Env


class Job(NamedTuple):
    """A policy, where its results go, and what they name as the attacking critic."""

    subject: Subject
    results: Results
    critic: str


class Finished(NamedTuple):
    """A finished cell: its number among them all, how many there are, and seconds left."""

    job: Job
    cell: Cell
    outcome: Outcome
    number: int
    cells: int
    left: float


def run(
    jobs: Sequence[Job],
    protocol: Protocol,
    workers: int | None = None,
    watch: Callable[[Finished], None] = lambda _: None,
) -> None:
    """Evaluate every cell of every job that is not kept yet.

    Args:
        jobs: Policies, and where their results go.
        protocol: The cells.
        workers: How many are evaluated at once, by default one a core.
        watch: Called after every cell.

    Raises:
        UserError: Before anything is evaluated where a cell changes nothing, where a policy, its simulator or its
            critics do not suit, and where two jobs would write into one folder; later where a worker dies.
    """
    if workers is not None and workers < 1:
        raise UserError(f"workers {workers}: give 1 or more")
    _refuse_shared_folders(jobs)
    with ExitStack() as opened:
        for job in jobs:
            opened.enter_context(job.results.open(job.subject, protocol, job.critic))
        waiting = [(number, cell) for number, job in enumerate(jobs) for cell in _missing(job, protocol)]
        if waiting:
            count = workers or len(os.sched_getaffinity(0))
            with _pool([job.subject for job in jobs], count) as pool:
                unfelt = _checked(pool, waiting)
                _evaluate(pool, 2 * count, jobs, waiting, unfelt, watch)
        for job in jobs:
            job.results.finish(protocol, summarise(protocol, job.results.finished(), job.subject.task))


def _refuse_shared_folders(jobs: Sequence[Job]) -> None:
    folders: dict[Path, Path] = {}
    for job in jobs:
        folder, policy = job.results.path.resolve(), job.subject.policy
        if folder in folders:
            raise UserError(
                f"{policy} and {folders[folder]}: their results would share {job.results.path}; "
                "name each once, or try them one after the other with an --out each"
            )
        folders[folder] = policy


def _missing(job: Job, protocol: Protocol) -> list[Cell]:
    rows = job.results.finished()
    return [cell for cell in protocol.cells if cell.name not in rows]


def _checked(pool: ProcessPoolExecutor, waiting: Sequence[tuple[int, Cell]]) -> dict[str, str]:
    """What each waiting cell leaves unfelt; of worlds one job speaks for all, since their simulator is the same."""
    checks = {(number if cell.attack else None, cell.name): (number, cell) for number, cell in waiting}
    # Not by `map`, which cancels what is left once a worker has died, just when Python 3.11's pool sets its exception.
    remarks = [(cell.name, pool.submit(_check, number, cell)) for number, cell in checks.values()]
    return {name: remark.result() for name, remark in remarks}


def _evaluate(
    pool: ProcessPoolExecutor,
    at_once: int,
    jobs: Sequence[Job],
    waiting: Sequence[tuple[int, Cell]],
    unfelt: dict[str, str],
    watch: Callable[[Finished], None],
) -> None:
    began = time.monotonic()
    for count, (number, cell, outcome) in enumerate(_outcomes(pool, at_once, waiting), start=1):
        jobs[number].results.keep(cell, unfelt[cell.name], outcome)
        left = (time.monotonic() - began) / count * (len(waiting) - count)
        watch(Finished(jobs[number], cell, outcome, count, len(waiting), left))


def _outcomes(
    pool: ProcessPoolExecutor, at_once: int, waiting: Sequence[tuple[int, Cell]]
) -> Iterator[tuple[int, Cell, Outcome]]:
    """As they end, those that end together as they began; at most `at_once` are given to the workers."""
    coming = iter(waiting)
    running: dict[Future[Outcome], tuple[int, Cell]] = {}
    while True:
        for number, cell in islice(coming, at_once - len(running)):
            running[pool.submit(_outcome, number, cell)] = number, cell
        if not running:
            return
        ended, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in [future for future in running if future in ended]:
            yield (*running.pop(future), future.result())


@contextmanager
def _pool(subjects: Sequence[Subject], workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that start afresh, since a fork of one that runs JAX's threads could hang; on an error they are ended.

    Raises `UserError` where one of them dies.
    """
    begin = list(subjects), _passed_on([subject.env for subject in subjects])
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, begin)
    try:
        _start(pool)
        yield pool
    except BaseException as error:
        _end(pool)
        if isinstance(error, BrokenProcessPool):
            raise UserError(
                "a worker process died, perhaps for want of memory; finished cells are kept: the same command goes "
                "on, and with fewer --workers it needs less"
            ) from error
        raise
    pool.shutdown()


def _passed_on(envs: Sequence[str]) -> dict[str, Callable[[], Env]]:
    """The makers of simulators that were given as objects, which the workers must be able to import."""
    makers = env_objects.factories(envs)
    for name, maker in makers.items():
        try:
            pickle.dumps(maker)
        except Exception as error:  # whatever its parts raise
            raise UserError(
                f"simulator '{name}' cannot be passed on to other processes ({error}): give a function at the top of a "
                "module"
            ) from error
    return makers


def _start(pool: ProcessPoolExecutor) -> None:
    """The first task starts them all; they inherit that Ctrl-C is blocked, for it is their parent's business."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        pool.submit(os.getpid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(pool: ProcessPoolExecutor) -> None:
    """At once: a cell can take minutes, and an unfinished one is worth nothing."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


_TRIALS: dict[int, Trial] = {}
_SUBJECTS: list[Subject] = []


def _begin(subjects: list[Subject], makers: dict[str, Callable[[], Env]]) -> None:
    """In a worker: one core is its share, and it does not outlive its parent."""
    threading.Thread(target=_leave_with_parent, name="parent", daemon=True).start()
    os.environ |= ONE_THREAD
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    _SUBJECTS[:] = subjects
    env_objects.remember(makers)


def _leave_with_parent() -> None:
    """A parent that was killed can end nobody, and a worker would wait for its next cell for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _trial(number: int) -> Trial:
    """This worker's trial of that subject; it keeps one open at a time."""
    if number not in _TRIALS:
        while _TRIALS:
            _TRIALS.popitem()[1].close()
        _TRIALS[number] = Trial(_SUBJECTS[number])
    return _TRIALS[number]


def _check(number: int, cell: Cell) -> str:
    return _trial(number).check(cell)


def _outcome(number: int, cell: Cell) -> Outcome:
    return _trial(number).run(cell)
