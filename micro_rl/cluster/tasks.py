"""What runs on a node: a fit, or a chunk of runs; each goes on from what an earlier try has left."""

import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from micro_rl.algorithms import registry
from micro_rl.cluster.again import Stopped
from micro_rl.cluster.packing import Packed, unpacked
from micro_rl.cluster.place import Home, place_in, unpack
from micro_rl.cluster.sender import Sender, deliver
from micro_rl.cluster.versions import differences
from micro_rl.errors import Diverged, Interrupted, UserError
from micro_rl.training.fit_alone import fit_run
from micro_rl.training.grid import Trial
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.runner import execute_all
from micro_rl.training.sweep import SharedFits

DONE, DIVERGED, FAILED, STOPPED = "done", "diverged", "failed", "stopped"
PAUSE = 0.2
"""Seconds between a node's questions for what the driver has of a run."""


class Order(NamedTuple):
    """What all tasks of a sweep know."""

    home: Home
    versions: dict[str, str]
    parcels: Any
    """The actor that takes what nodes without the shared folder send."""
    methods: tuple[str, ...]
    """The user's own, as he named them."""
    until: int | None
    command: str


class Outcome(NamedTuple):
    """What became of a run: how it ended, a line where it did not go well, and what was noted on the way."""

    name: str
    end: str
    line: str = ""
    notes: tuple[str, ...] = ()


def fit(order: Order, own: Packed, name: str) -> list[Outcome]:
    """Fit the model of a run in its folder.

    Args:
        order: the sweep's.
        own: the trials that it needs, which are unpacked once methods of the user's are known.
        name: of the run.
    """

    def work(runs: "Runs") -> dict[str, str]:
        [trial], [callback] = runs.trials, runs.senders
        fit_run(trial.plan, runs.folder / name, callback, runs.interrupts, order.command)
        return {}

    return _carry_out(order, own, [name], [], work)


def train(
    order: Order, own: Packed, names: list[str], owners: list[str | None], *before: list[Outcome]
) -> list[Outcome]:
    """Train runs in one program.

    Args:
        order: the sweep's.
        own: as of `fit`: its runs', and those whose fits it takes over.
        names: of the runs.
        owners: for each the run whose fit it takes over, perhaps itself; None: it needs none.
        before: the fits that this waits for; one that came to nothing is tried again here.
    """
    del before
    needed = list(dict.fromkeys(name for name in owners if name is not None))

    def work(runs: "Runs") -> dict[str, str]:
        fits, paths = SharedFits(), [runs.folder / name for name in names]
        for name in needed:
            fits.remember(runs.known[name].plan, runs.folder / name)
        plans = [trial.plan for trial in runs.trials]
        for plan, path, sender in zip(plans, paths, runs.senders, strict=True):
            fits.begin(plan, path, True, sender)
        more = {"resume": True, "until": order.until, "interrupts": runs.interrupts, "command": order.command}
        results = zip(names, execute_all(plans, paths, runs.senders, **more), strict=True)
        return {name: str(result) for name, result in results if isinstance(result, Diverged)}

    return _carry_out(order, own, names, needed, work)


class Runs(NamedTuple):
    """What a task works with: the trials by name, its runs' own, where it works, who is told, and signals."""

    known: dict[str, Trial]
    trials: list[Trial]
    folder: Path
    senders: list[Sender]
    interrupts: Interrupts


def _carry_out(
    order: Order, own: Packed, names: list[str], needed: Sequence[str], work: Callable[[Runs], dict[str, str]]
) -> list[Outcome]:
    """Do a task's work; what can go wrong is an outcome.

    Raises:
        Stopped: by a signal; Ray begins the task again, and what waits for it goes on waiting.
    """
    if other := differences(order.versions):
        return [Outcome(name, FAILED, f"a node has other versions: {other}") for name in names]
    with place_in(order.home) as (folder, at_home), Interrupts() as interrupts:
        senders = [Sender(order.home, order.parcels, folder, name, at_home) for name in names]
        ends, stopped = dict[str, tuple[str, str]](), None
        try:
            if not at_home:
                _fetch(order, folder, list(dict.fromkeys([*names, *needed])), interrupts)
            ends = _ends(names, lambda: work(_runs(order, own, names, folder, senders, interrupts)))
        except Interrupted as error:
            stopped = Stopped(f"{names[0]}: {error}", error.whole)
        deliver(senders)
    if stopped is not None:
        raise stopped
    return [Outcome(name, *ends[name], tuple(sender.notes)) for name, sender in zip(names, senders, strict=True)]


def _ends(names: list[str], work: Callable[[], dict[str, str]]) -> dict[str, tuple[str, str]]:
    """How each run ended, and the line that says why."""
    try:
        diverged = work()
    except Diverged as error:
        return dict.fromkeys(names, (DIVERGED, str(error)))
    except UserError as error:
        return dict.fromkeys(names, (FAILED, str(error)))
    return {name: (DIVERGED, diverged[name]) if name in diverged else (DONE, "") for name in names}


def _runs(
    order: Order, own: Packed, names: list[str], folder: Path, senders: list[Sender], interrupts: Interrupts
) -> Runs:
    """What the task works with; its senders are told with which epoch their runs end."""
    trials = _trials(order, own)
    for name, sender in zip(names, senders, strict=True):
        epochs = trials[name].plan.settings.epochs
        sender.last = min(order.until or epochs, epochs)
    return Runs(trials, [trials[name] for name in names], folder, senders, interrupts)


def _trials(order: Order, own: Packed) -> dict[str, Trial]:
    """The task's trials by name; methods of the user's are loaded before, as unpacking them needs them."""
    import ray

    for reference in order.methods:
        registry.name_of(reference)
    return unpacked(own, ray)


def _fetch(order: Order, folder: Path, names: Sequence[str], interrupts: Interrupts) -> None:
    """Takes over what the driver has of these runs: from earlier tries, from the fits' nodes, from a sweep before."""
    import ray

    missing, asker = list(names), secrets.token_hex(8)  # what an earlier try asked for may be older than what is home
    while missing:
        came = cast(dict[str, bytes | None], ray.get(order.parcels.ask.remote(asker, missing)))
        for name, piece in came.items():
            if piece is not None:
                unpack(piece, folder / name)
        missing = [name for name in missing if name not in came]
        if interrupts.received:
            interrupts.leave("it had not begun")
        if missing:
            time.sleep(PAUSE)
