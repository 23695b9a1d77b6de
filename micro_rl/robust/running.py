"""Policies through a protocol's cells, on all cores: finished cells are kept at once, and a stopped trial goes on."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import NamedTuple

from micro_rl.robust.cells import Cell, Protocol
from micro_rl.robust.results import Results
from micro_rl.robust.subject import Subject
from micro_rl.robust.summary import summarise
from micro_rl.robust.trial import Outcome, Trial


class Job(NamedTuple):
    """A policy, where its results go, and what they name as the attacking critic."""

    subject: Subject
    results: Results
    critic: str


class Finished(NamedTuple):
    """A cell that is done: how many are, of how many, and seconds left."""

    job: Job
    cell: Cell
    outcome: Outcome
    done: int
    cells: int
    left: float


def run(
    jobs: Sequence[Job],
    protocol: Protocol,
    workers: int | None = None,
    watch: Callable[[Finished], None] = lambda _: None,
) -> None:
    """Every cell of every job that is not kept yet, `workers` at once, by default one a core.

    Raises `UserError` before anything is evaluated where a cell changes nothing, and where a policy, its simulator or
    its critics do not suit.
    """
    for job in jobs:
        job.results.begin(job.subject, protocol, job.critic)
    waiting = [(number, cell) for number, job in enumerate(jobs) for cell in _missing(job, protocol)]
    if waiting:
        with _pool([job.subject for job in jobs], workers or len(os.sched_getaffinity(0))) as pool:
            unfelt = _checked(pool, waiting)
            _evaluate(pool, jobs, waiting, unfelt, watch)
    for job in jobs:
        done = job.results.done()
        job.results.finish(protocol, summarise(protocol, done, job.subject.task))


def _missing(job: Job, protocol: Protocol) -> list[Cell]:
    done = job.results.done()
    return [cell for cell in protocol.cells if cell.name not in done]


def _checked(pool: ProcessPoolExecutor, waiting: Sequence[tuple[int, Cell]]) -> dict[str, str]:
    """What each waiting cell leaves unfelt; of worlds one job speaks for all, since their simulator is the same."""
    asked = {(number if cell.attack else None, cell.name): (number, cell) for number, cell in waiting}
    numbers, cells = zip(*asked.values(), strict=True)
    found = pool.map(_check, numbers, cells, chunksize=4)
    return {cell.name: told for cell, told in zip(cells, found, strict=True)}


def _evaluate(
    pool: ProcessPoolExecutor,
    jobs: Sequence[Job],
    waiting: Sequence[tuple[int, Cell]],
    unfelt: dict[str, str],
    watch: Callable[[Finished], None],
) -> None:
    began, done = time.monotonic(), 0
    futures = {pool.submit(_outcome, number, cell): (number, cell) for number, cell in waiting}
    try:
        for future in _as_finished(list(futures)):
            number, cell = futures[future]
            outcome = future.result()
            jobs[number].results.keep(cell, unfelt[cell.name], outcome)
            done += 1
            left = (time.monotonic() - began) / done * (len(waiting) - done)
            watch(Finished(jobs[number], cell, outcome, done, len(waiting), left))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _as_finished(futures: Sequence[Future[Outcome]]) -> Iterator[Future[Outcome]]:
    """In the order in which they end; those that end together in the order in which they began."""
    left = set(futures)
    while left:
        ended, left = wait(left, return_when=FIRST_COMPLETED)
        yield from sorted(ended, key=futures.index)


def _pool(subjects: Sequence[Subject], workers: int) -> ProcessPoolExecutor:
    """Processes that start afresh: a fork of one that runs JAX's threads could hang."""
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (list(subjects),))


_TRIALS: dict[int, Trial] = {}
_SUBJECTS: list[Subject] = []


def _begin(subjects: list[Subject]) -> None:
    """In a worker: one core is its share, and Ctrl-C is its parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    _SUBJECTS[:] = subjects


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
