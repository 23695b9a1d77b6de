"""A card's table: what an update costs for 1 to 32 runs at once, the tests that a card can fail, a run on a real log.

    python -m benchmarks.gpu [--runs 1 2 4 8 16 32] [--budget 540] [--seconds 2] [--trace] [--quick] [--write FILE]

`bash benchmarks/gpu.sh` first installs the wheels that were carried along. The table is that of
`benchmarks.population`: the first method before the tests and the run, the others after them, MICRO with ten draws
again in mixed precision and with one in full float32. The run is `benchmarks.overlap`'s on the embedded log: fit,
training and evaluation, one after the other and side by side. Made for a card and ten minutes; on a machine without a
card the same program measures the processor, which shows that it runs. Nothing is traced unless asked for: with JAX
0.11.2 on an H200, a trace of 32 runs made the next call fail, and with it all that came after.
"""

import os
import shlex
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import jax

from benchmarks import machine
from benchmarks.device_tests import outcome
from benchmarks.overlap import LOG, overlap, planned
from benchmarks.population import every_line, methods, parser
from benchmarks.population_table import LeftOut, Line, failed, markdown
from benchmarks.workload import FULL, QUICK

FOR_TESTS = 0.4
"""The most that the tests may take of the time."""
FOR_A_RUN = 90.0
"""Seconds that must be left for the run on a real log, or it is left out."""
EPISODES = 100
"""Of 200 steps, in an evaluation: seconds of a processor, to have something to hide behind an epoch."""


def devices() -> dict[str, str]:
    """How many there are, and how they multiply float32."""
    chosen = os.environ.get("JAX_DEFAULT_MATMUL_PRECISION") or "the device's own (TF32 where a card has it)"
    return {"device": jax.devices()[0].device_kind, "devices": str(len(jax.devices())), "float32 products": chosen}


class Page:
    """What is known so far, written anew with everything that comes."""

    def __init__(self, updates: int, where: Path | None):
        self._updates, self._where = updates, where
        self._command = shlex.join(["python", "-m", "benchmarks.gpu", *sys.argv[1:]])
        self._told = machine.describe() | devices()
        self._lines: list[Line | LeftOut] = []

    def __str__(self) -> str:
        return markdown(self._lines, self._updates, self._command, self._told)

    def tell(self, name: str, text: str) -> None:
        """One more thing about the device."""
        print(f"{name}: {text}", flush=True)
        self._told[name] = text
        self._write()

    @property
    def failed(self) -> bool:
        """Whether a line did."""
        return failed(self._lines)

    def add(self, lines: Iterable[Line | LeftOut]) -> None:
        """One more line after the other, as they come."""
        for line in lines:
            self._lines.append(line)
            self._write()

    def _write(self) -> None:
        if self._where:
            self._where.write_text(str(self))


def real_run(quick: bool, left: float) -> tuple[bool, str]:
    """Whether the embedded log was learned from without an error, and how long that took; `left` are seconds."""
    if left < FOR_A_RUN and not quick:
        return True, "left out for time"
    plan = planned(LOG, None, episodes=1, updates=20) if quick else planned(LOG, None, episodes=EPISODES)
    try:
        return True, str(overlap(plan))
    except Exception as error:  # whatever it is, the table shall be made
        return False, f"failed: {type(error).__name__}: {error}"


def main() -> int:
    """Measure, test, print, and write the page where asked; 1 where a test, the run or a line failed."""
    began = time.perf_counter()
    asked = parser("python -m benchmarks.gpu", __doc__, [1, 2, 4, 8, 16, 32], list(methods()))
    asked.set_defaults(seconds=2.0, trace=False)
    asked.add_argument("--budget", type=float, default=540.0, help="seconds for all of it; nothing begins too late")
    options = asked.parse_args()
    until, seconds = began + options.budget, 0.2 if options.quick else options.seconds
    scale = QUICK if options.quick else FULL._replace(updates=options.updates)
    page = Page(scale.updates, options.write)
    page.add(every_line(options.methods[:1], options.runs, scale, seconds, options.trace, until))
    left = until - time.perf_counter()
    tests = outcome(options.quick, max(1.0, min(FOR_TESTS * options.budget, left)))
    print(tests.account, flush=True)
    page.tell("tests on it", tests.summary)
    went_well, summary = real_run(options.quick, until - time.perf_counter())
    page.tell(f"a run on {LOG}", summary)
    page.add(every_line(options.methods[1:], options.runs, scale, seconds, options.trace, until))
    print(page)
    return 0 if tests.passed and went_well and not page.failed else 1


if __name__ == "__main__":
    sys.exit(main())
