"""What an installation takes: megabytes and packages by what was asked for, and the time of its imports.

    python -m benchmarks.installed [--times 20]

Sizes are those of this environment's files, package by package, in millions of bytes, with the bytecode that pip lists;
all that is needed in turn counts. Of an extra of `micro-rl` it is what it adds, of one of `micro-rl-runtime`, which is
installed alone, all of it. Imports are each a process of its own, in turn; the
first round is to warm up. Printed are the milliseconds of processor time of the import, without Python's start.
"""

import argparse
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
from packaging.requirements import Requirement

from benchmarks.machine import describe

ROOT = Path(__file__).parent.parent
EXTRAS = ("tables", "minari", "wandb", "onnx", "serve", "cluster")
IMPORTS = {
    "numpy": "import numpy",
    "micro_rl.Policy": "import micro_rl; micro_rl.Policy",
    "micro_rl.Policy and jaxtyping": "import micro_rl, jaxtyping; micro_rl.Policy",
}
TIMED = "import time; began = time.process_time(); {}; print(time.process_time() - began)"


def needed(requirements: Iterable[str], extras: Sequence[str] = ("",)) -> set[tuple[str, str]]:
    """Every package that these requirements ask for, each with the extra by which, if by one."""
    found: set[tuple[str, str]] = set()
    waiting = [(Requirement(words), extra) for words in requirements for extra in extras]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        for own in ("", *requirement.extras):
            package = (requirement.name.lower().replace("_", "-"), own)
            if package not in found:
                found.add(package)
                asked = () if requirement.name == "micro-rl" and not own else distribution(package[0]).requires or ()
                waiting += [(Requirement(words), own) for words in asked]
    return found


def packages(requirements: Iterable[str], extras: Sequence[str] = ("",)) -> set[str]:
    """Their names, without that of this package."""
    return {name for name, _ in needed(requirements, extras)} - {"micro-rl"}


def megabytes(names: Iterable[str]) -> float:
    """Of all files of packages, in millions of bytes."""
    files = [distribution(name).files or () for name in names]
    paths = {Path(str(path.locate())) for each in files for path in each}
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def own_megabytes() -> float:
    """Of this package's own files, with the compiled ones."""
    sources = [path for path in (ROOT / "micro_rl").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return sum(path.stat().st_size * (2 if path.suffix == ".py" else 1) for path in sources) / 1e6


def runtimes() -> dict[str, list[str]]:
    """What the runtime asks for, alone and with each of its extras."""
    project = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text())["project"]
    acts, name = project["dependencies"], project["name"]
    extras = {extra: words for extra, words in project["optional-dependencies"].items() if extra != "all"}
    extras["all"] = [word for words in extras.values() for word in words]
    return {name: acts} | {f"{name}[{extra}]": [*acts, *words] for extra, words in extras.items()}


def sizes() -> None:
    """Print a row for the whole, for what acts alone, with each of its extras, and for each extra of the whole."""
    own = own_megabytes()
    asked = distribution("micro-rl").requires or ()
    print("| | packages, itself among them | MB |\n|---|---|---|")
    for name, requirements in {"micro-rl": asked, **runtimes()}.items():
        names = packages(requirements)
        print(f"| {name} | {len(names) + 1} | {megabytes(names) + own:.0f} |")
    print(f"| NumPy alone | 1 | {megabytes(['numpy']):.0f} |")
    whole = packages(asked)
    for extra in EXTRAS:
        try:
            more = packages(asked, ("", extra)) - whole
            print(f"| micro-rl[{extra}] adds | {len(more)} | {megabytes(more):.0f} |")
        except PackageNotFoundError as missing:
            print(f"| micro-rl[{extra}] adds | not measured: {missing.name} is not installed | |")


def milliseconds(words: str) -> float:
    """Of processor time that an import takes in a process of its own."""
    output = subprocess.run([sys.executable, "-c", TIMED.format(words)], capture_output=True, text=True, check=True)
    return 1000 * float(output.stdout)


def imports(times: int) -> None:
    """Print a row for each import."""
    rounds = [{name: milliseconds(words) for name, words in IMPORTS.items()} for _ in range(times + 1)][1:]
    print(f"\n| import | ms of processor time, median of {times} | range |\n|---|---|---|")
    for name in IMPORTS:
        own = [each[name] for each in rounds]
        print(f"| {name} | {np.median(own):.0f} | {min(own):.0f} to {max(own):.0f} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.installed", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    for name, words in describe().items():
        print(f"{name}: {words}")
    sizes()
    imports(options.times)


if __name__ == "__main__":
    main()
