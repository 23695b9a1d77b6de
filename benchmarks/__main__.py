"""The speed table of this machine: `python -m benchmarks [--quick] [--write FILE]`, or `make bench`.

A whole run stands beside the last one of such a machine in `benchmarks/history.jsonl`, and is added there.
"""

import argparse
import shlex
import sys
from pathlib import Path

from rich.console import Console

from benchmarks import answers, cold, history, machine, table
from benchmarks.measure import interleaved
from benchmarks.workload import FULL, QUICK, Scale, every_case, hopper

KEPT = hopper().rollouts_kept


def measure(scale: Scale, console: Console) -> list[table.Row]:
    """Cold processes first, while this one holds little memory; then everything else in turn."""

    def process(rollouts: int) -> cold.Cold:
        console.print(f"a fresh process: compile everything, fill a buffer of {rollouts} rollouts")
        return cold.measure(rollouts, scale.rollout_batch_size, scale.log_rows)

    short, long = [process(KEPT)], process(2 * KEPT)
    short.append(process(KEPT))
    cases = [make() for make in every_case(scale).values()]
    rate, timings = interleaved(cases, scale, console.print)
    return table.warm_rows(rate, cases, timings, scale, hopper().ensemble_size) + table.cold_rows(short, long)


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little work: shows that all of it runs, not how fast")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table there")
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("--quick measures nothing worth keeping: leave out one of --quick and --write")
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    console, facts = Console(), machine.describe()
    for name, text in facts.items():
        console.print(f"{name}: {text}")
    rows = measure(QUICK if options.quick else FULL, console)
    page = table.markdown(rows, facts, command, answered=answers.of_speed(rows))
    if console.is_terminal:
        console.print(table.on_screen(rows))
    else:
        print(page)
    if options.write:
        options.write.parent.mkdir(parents=True, exist_ok=True)
        options.write.write_text(page)
    if not options.quick:
        print(history.against_last(rows, facts, history.PLACE))
        history.add(rows, facts, history.PLACE)


if __name__ == "__main__":
    main()
