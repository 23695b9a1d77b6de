"""A card's table: the tests that a card can fail, then what an update costs for 1 to 32 runs in one program.

    python -m benchmarks.gpu [--runs 1 2 4 8 16 32] [--seconds 4] [--quick] [--write FILE]

`bash benchmarks/gpu.sh` first installs the wheels that were carried along. What runs is that of
`benchmarks.population`. Made for a card and ten minutes, and not yet run on one; on a machine without a card the same
program measures the processor, which shows that it runs.
"""

import shlex
import sys

import jax

from benchmarks import machine
from benchmarks.device_tests import outcome
from benchmarks.population import arguments, every_line, markdown
from benchmarks.workload import FULL, QUICK

TEST_SECONDS = 300


def main() -> int:
    """Test, measure, print, and write the page where asked; 1 where a test failed, whatever was measured."""
    options = arguments("python -m benchmarks.gpu", __doc__, [1, 2, 4, 8, 16, 32])
    scale = QUICK if options.quick else FULL._replace(updates=options.updates)
    tests = outcome(options.quick, TEST_SECONDS)
    told = machine.describe() | {"device": jax.devices()[0].device_kind, "tests on it": tests.summary}
    print(f"{tests.account}\ntests: {tests.summary}".strip(), flush=True)
    command, lines = shlex.join(["python", "-m", "benchmarks.gpu", *sys.argv[1:]]), []
    for line in every_line(options.methods, options.runs, scale, 0.2 if options.quick else options.seconds):
        lines.append(line)
        if options.write:
            options.write.write_text(markdown(lines, scale.updates, command, told))
    print(markdown(lines, scale.updates, command, told))
    return 0 if tests.passed else 1


if __name__ == "__main__":
    sys.exit(main())
