"""Imports go down only: the packages of micro_rl, from the top layer to the ground."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "micro_rl"
LAYERS = [
    {"cli"},
    {"api", "opened"},
    {"selection"},
    {"cluster"},
    {"robustness", "training"},
    {"trust"},
    {"simulation"},
    {"reports", "algorithms"},
    {"dynamics", "deploy", "serve"},
    {"control"},
    {"data", "policy"},
    {"storage"},
    {"core"},
    {"errors", "_version"},
]
NEVER = {("training", "reports"), ("simulation", "reports")}
"""Further down, and still none of each other's business."""
WITHOUT_JAX = (
    "policy.py",
    "control",
    "data",
    "deploy",
    "reports",
    "serve",
    *(f"core/{name}.py" for name in ("columns", "constants", "named_values", "settings", "tasks", "windows")),
)
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}


def imported(path: Path) -> set[str]:
    """The dotted names of all modules that a file imports, at its head or in a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            whole = node.module == "micro_rl"
            names |= {f"micro_rl.{alias.name}" for alias in node.names} if whole else {node.module}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def packages_of(path: Path) -> set[str]:
    """The packages of micro_rl that a file imports from."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("micro_rl.")}


def test_every_package_has_a_layer():
    packages = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert packages - {"__init__"} == set(LAYER)


def test_imports_go_down_only():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        package = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if package == "__init__":
            continue
        for other in packages_of(path) - {package}:
            if LAYER.get(other, -1) <= LAYER[package] or (package, other) in NEVER:
                wrong.append(f"{path.relative_to(PACKAGE)} imports {other}")
    assert wrong == []


def test_what_needs_no_jax_imports_none():
    files = [
        file for name in WITHOUT_JAX for file in [PACKAGE / name, *(PACKAGE / name).rglob("*.py")] if file.is_file()
    ]
    wrong = [
        file for file in files if any(name.split(".")[0] == "jax" for name in imported(file) if file.suffix == ".py")
    ]
    assert wrong == []
