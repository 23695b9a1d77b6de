"""A card's table: the tests that a card can fail, a run on a real log, what an update costs for 1 to 32 runs at once.

    python -m benchmarks.gpu [--runs 1 2 4 8 16 32] [--budget 540] [--seconds 2] [--quick] [--write FILE]

`bash benchmarks/gpu.sh` first installs the wheels that were carried along. The run is `benchmarks.overlap`'s on the
embedded log: fit, training and evaluation, one after the other and side by side. The table is that of
`benchmarks.population`, the most important lines first, and MICRO with one draw again in full float32. Made for a card
and ten minutes, and not yet run on one; on a machine without a card the same program measures the processor, which
shows that it runs.
"""

import os
import shlex
import sys
import time

import jax

from benchmarks import machine
from benchmarks.device_tests import outcome
from benchmarks.overlap import LOG, overlap, planned
from benchmarks.population import every_line, markdown, methods, parser
from benchmarks.workload import FULL, QUICK

FOR_TESTS = 0.5
"""The most that the tests may take of the time."""
EPISODES = 100
"""Of 200 steps, in an evaluation: seconds of a processor, to have something to hide behind an epoch."""


def devices() -> dict[str, str]:
    """How many there are, and how they multiply float32."""
    chosen = os.environ.get("JAX_DEFAULT_MATMUL_PRECISION") or "the device's own (TF32 where a card has it)"
    return {"device": jax.devices()[0].device_kind, "devices": str(len(jax.devices())), "float32 products": chosen}


def main() -> int:
    """Test, measure, print, and write the page where asked; 1 where a test failed, whatever was measured."""
    began = time.perf_counter()
    asked = parser("python -m benchmarks.gpu", __doc__, [1, 2, 4, 8, 16, 32], list(methods()))
    asked.set_defaults(seconds=2.0)
    asked.add_argument("--budget", type=float, default=540.0, help="seconds for all of it; no line begins too late")
    options = asked.parse_args()
    scale = QUICK if options.quick else FULL._replace(updates=options.updates)
    tests = outcome(options.quick, FOR_TESTS * options.budget)
    print(f"{tests.account}\ntests: {tests.summary}".strip(), flush=True)
    beside = str(overlap(planned(LOG, None, episodes=EPISODES)))
    print(f"evaluating beside the next epoch: {beside}", flush=True)
    told = machine.describe() | devices() | {"tests on it": tests.summary, f"a run on {LOG}": beside}
    command, lines = shlex.join(["python", "-m", "benchmarks.gpu", *sys.argv[1:]]), []
    seconds = 0.2 if options.quick else options.seconds
    for line in every_line(options.methods, options.runs, scale, seconds, began + options.budget):
        lines.append(line)
        if options.write:
            options.write.write_text(markdown(lines, scale.updates, command, told))
    print(markdown(lines, scale.updates, command, told))
    return 0 if tests.passed else 1


if __name__ == "__main__":
    sys.exit(main())
