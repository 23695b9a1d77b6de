"""A card's table: the tests that a card can fail, then what an update costs for 1 to 32 runs in one program.

    python -m benchmarks.gpu [--runs 1 2 4 8 16 32] [--seconds 4] [--quick] [--write FILE]

`bash benchmarks/gpu.sh` first installs the wheels that were carried along. What runs is that of
`benchmarks.population`. Made for a card and ten minutes, and not yet run on one; on a machine without a card the same
program measures the processor, which shows that it runs.
"""

import os
import subprocess
import sys
from pathlib import Path

import jax

from benchmarks import machine
from benchmarks.population import arguments, every_line, markdown
from benchmarks.workload import FULL, QUICK

TESTS = ("test_golden.py", "test_sac.py", "test_nets.py", "test_buffer.py", "test_rollout.py", "test_methods_micro.py")
"""What computes on the device and has known answers."""


def tested(quick: bool) -> str:
    """The last line of the tests on this device, run in a process of their own that leaves memory to this one."""
    root = Path(__file__).parent.parent
    places = [str(root / "tests" / name) for name in (TESTS[:1] if quick else TESTS)]
    environment = os.environ | {
        "MICRO_RL_TEST_PLATFORM": jax.default_backend(),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *places],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
    )
    return (done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["no output"])[-1]


def main() -> None:
    """Test, measure, print, and write the page where asked; each population is printed as it is done."""
    options = arguments("python -m benchmarks.gpu", __doc__, [1, 2, 4, 8, 16, 32])
    scale = QUICK if options.quick else FULL._replace(updates=options.updates)
    told = machine.describe() | {"device": jax.devices()[0].device_kind, "tests on it": tested(options.quick)}
    print(f"tests: {told['tests on it']}", flush=True)
    command, lines = " ".join(["python -m benchmarks.gpu", *sys.argv[1:]]), []
    for line in every_line(options.methods, options.runs, scale, 0.2 if options.quick else options.seconds):
        lines.append(line)
        if options.write:
            options.write.write_text(markdown(lines, scale.updates, command, told))
    print(markdown(lines, scale.updates, command, told))


if __name__ == "__main__":
    main()
