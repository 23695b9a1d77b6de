"""The package's structure in figures: `python -m benchmarks.structure [COMMIT ...]`, now and at earlier commits.

Modules and packages at the root of `micro_rl/`, lines, imports between packages, those that go up by the layers of
`tests/test_layers.py` as it is now, circles between packages, the longest file, and lines that stand in two places:
windows of six lines that are the same but for spaces.
"""

import argparse
import ast
import io
import subprocess
import tarfile
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
WINDOW = 6
ROWS = (
    "files at the root",
    "packages at the root",
    "Python files",
    "lines",
    "arrows between parts of the root",
    "circles between them",
    "longest file",
    "lines that stand twice",
)


def imported_parts(path: Path, package: Path) -> set[str]:
    """The parts of the root (a module or a package) that a file imports from, at its head or in a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module == package.name
            names |= {f"{package.name}.{alias.name}" for alias in node.names} if whole else {node.module}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    parts = {name.split(".")[1] for name in names if name.startswith(f"{package.name}.")}
    return {part for part in parts if (package / part).is_dir() or (package / f"{part}.py").exists()}


def arrows(package: Path) -> set[tuple[str, str]]:
    """Who imports whom, among the parts of the root; `__init__` counts as nobody."""
    pairs = set()
    for path in package.rglob("*.py"):
        part = path.relative_to(package).parts[0].removesuffix(".py")
        if part != "__init__":
            pairs |= {(part, other) for other in imported_parts(path, package) - {part}}
    return pairs


def in_circles(pairs: set[tuple[str, str]]) -> int:
    """How many parts can be reached from themselves."""
    onward = defaultdict(set)
    for part, other in pairs:
        onward[part].add(other)

    def reachable(start: str) -> set[str]:
        parts: set[str] = set()
        ahead = list(onward[start])
        while ahead:
            part = ahead.pop()
            if part not in parts:
                parts.add(part)
                ahead += onward[part]
        return parts

    return sum(part in reachable(part) for part in list(onward))


def doubled_lines(files: list[Path]) -> int:
    """Lines in windows that stand elsewhere too; imports and blank lines do not count."""
    places = defaultdict(list)
    for path in files:
        numbered = [(number, " ".join(line.split())) for number, line in enumerate(path.read_text().splitlines())]
        lines = [(number, line) for number, line in numbered if line and not line.startswith(("from ", "import "))]
        for start in range(len(lines) - WINDOW + 1):
            window = lines[start : start + WINDOW]
            places[tuple(line for _, line in window)].append([(path, number) for number, _ in window])
    return len({line for windows in places.values() if len(windows) > 1 for window in windows for line in window})


def measure(tree: Path) -> dict[str, str]:
    """The figures of a checkout, by row."""
    package = tree / "micro_rl"
    files = sorted(package.rglob("*.py"))
    sizes = {path: len(path.read_text().splitlines()) for path in files}
    longest, pairs = max(sizes, key=lambda path: sizes[path]), arrows(package)
    values = (
        len(list(package.glob("*.py"))),
        sum((path / "__init__.py").exists() for path in package.iterdir() if path.is_dir()),
        len(files),
        f"{sum(sizes.values()):,}",
        len(pairs),
        in_circles(pairs),
        f"{sizes[longest]} ({longest.relative_to(package)})",
        doubled_lines(files),
    )
    return dict(zip(ROWS, map(str, values), strict=True))


def measure_commit(commit: str) -> dict[str, str]:
    """The figures of an earlier commit of this repository."""
    archive = subprocess.run(["git", "archive", commit, "micro_rl"], cwd=ROOT, capture_output=True)
    if archive.returncode:
        raise SystemExit(f"{commit}: {archive.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as packed:
            packed.extractall(folder, filter="data")
        return measure(Path(folder))


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structure", description=__doc__)
    parser.add_argument("commits", metavar="COMMIT", nargs="*", help="earlier commits, measured beside what is here")
    commits: list[str] = parser.parse_args(arguments).commits
    columns = {commit: measure_commit(commit) for commit in commits} | {"now": measure(ROOT)}
    print("| | " + " | ".join(columns) + " |\n|---" * 1 + "|---" * len(columns) + "|")
    for row in ROWS:
        print(f"| {row} | " + " | ".join(values[row] for values in columns.values()) + " |")


if __name__ == "__main__":
    main()
