"""How much of the time a device computes, by the profiler's trace of a moment in the middle of an epoch."""

import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
from jax.profiler import ProfileData, ProfileOptions

MOMENT = 0.2
"""Seconds that are traced at most: an epoch has a million steps, and takes longer to write down than to run."""

Span = tuple[float, float]
"""When a step began and ended, in nanoseconds."""


def busy(begin: Callable[[], object], seconds: float) -> float | None:
    """The share of a moment in which a device computed, as a mean over the devices.

    `begin` makes an epoch that takes so many seconds, or only queues it; the moment is in its middle. None where the
    trace holds no step of any device, which is so where a driver does not let a program look.
    """
    options = ProfileOptions()
    options.python_tracer_level = 0
    options.enable_hlo_proto = False  # of every program of the process, which takes seconds to write down
    epoch = threading.Thread(target=begin)
    epoch.start()
    time.sleep(seconds / 2)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options):
            time.sleep(min(MOMENT, seconds / 4))
        shares = [covered(spans) for path in Path(folder).rglob("*.xplane.pb") for spans in steps(path) if spans]
    epoch.join()
    return sum(shares) / len(shares) if shares else None


def steps(path: Path) -> Iterator[list[Span]]:
    """What each device did: a card by its streams, a processor by the compiled program's own instructions."""
    warnings.filterwarnings("ignore", "builtin type event_stats", DeprecationWarning)  # as an error it ends the process
    planes = list(ProfileData.from_file(str(path)).planes)
    cards = [plane for plane in planes if plane.name.startswith("/device:")]
    for card in cards:
        yield [_span(event) for line in card.lines if line.name.startswith("Stream") for event in line.events]
    if not cards:
        lines = (line for plane in planes if plane.name == "/host:CPU" for line in plane.lines)
        yield [_span(event) for line in lines for event in line.events if _of_a_program(event)]


def covered(spans: Iterable[Span]) -> float:
    """The share of the time from the first beginning to the last end in which at least one step went on."""
    total, reached = 0.0, -float("inf")
    ordered = sorted(spans)
    for begin, end in ordered:
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total / max(reached - ordered[0][0], 1.0)


def _span(event: Any) -> Span:
    return event.start_ns, event.start_ns + event.duration_ns


def _of_a_program(event: Any) -> bool:
    return any(key == "hlo_op" for key, _ in event.stats)
