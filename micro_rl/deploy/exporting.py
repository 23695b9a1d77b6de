"""An export from start to end: its text, its trial against the policy, and only then the file."""

import tempfile
from pathlib import Path
from typing import NamedTuple

from micro_rl.deploy import c_names, onnx_file, python_file
from micro_rl.deploy.c_files import c_text
from micro_rl.deploy.c_tables import Memory, memory
from micro_rl.deploy.equality import Decisions, Difference, compared
from micro_rl.deploy.onnx_file import onnx_model
from micro_rl.deploy.onnx_running import run_onnx, runtime
from micro_rl.deploy.python_file import python_text
from micro_rl.deploy.running import COMPILERS, FLAGS, compiler, run_c, run_python
from micro_rl.deploy.scores import compared_scores
from micro_rl.deploy.source import Source
from micro_rl.deploy.trial import Trial, draw
from micro_rl.storage.files import check_own, make_parent, replace_file, replace_files

MARK = b"Written by micro-rl export"
"""Stands at the head of all that is written, and says that an export may replace it."""
HEAD = 200
"""Bytes of a file in which it stands."""


class Exported(NamedTuple):
    """What was written, and what the trial showed; None where it could not be run."""

    files: tuple[Path, ...]
    difference: Difference | None
    tried: str
    """How it was run; where it was not, what is missing."""
    memory: Memory | None = None


def export_python(source: Source, path: Path) -> Exported:
    """Write the policy as one Python file, after it decided as the policy does in an isolated process.

    Args:
        source: the policy and where it comes from.
        path: of the file, NAME.py with a name that Python can import; its folder is made.

    Raises:
        UserError: another name, or the export differs from the policy; nothing is written then.
        CannotWrite: the disk refuses; what was there before is still there.
    """
    _check_free(path)
    text, policy = python_text(source, python_file.checked_name(path)), source.policy
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "exported.py"
        file.write_text(text, encoding="utf-8")
        trial = draw(policy, guard=source.guard)
        difference = _compared(source, trial, run_python(file, trial), "Python file")
    make_parent(path)
    replace_file(path, text.encode())
    return Exported((path,), difference, "alone (python -I)")


def export_c(source: Source, path: Path) -> Exported:
    """Write the policy as a C file with its header, after it decided as the policy does, where there is a compiler.

    Args:
        source: the policy and where it comes from.
        path: of the file, NAME.c; NAME.h is written beside it. Their folder is made.

    Raises:
        UserError: another name, a number that is none of single precision, or the export does not compile or differs
            from the policy; nothing is written then.
        CannotWrite: the disk refuses; what was there before is still there.
    """
    prefix, policy, header = c_names.checked_name(path), source.policy, path.with_suffix(".h")
    for file in (path, header):
        _check_free(file)
    texts, command, difference = c_text(source, prefix, path.stem), compiler(), None
    contents = {header: texts.header.encode(), path: texts.code.encode()}
    tried = f"none of {', '.join(COMPILERS)} is installed"
    if command is not None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / path.name
            replace_files({file.with_name(each.name): content for each, content in contents.items()})
            trial = draw(policy, single=True, guard=source.guard)
            difference = _compared(source, trial, run_c(file, prefix, source, trial), "C file")
        tried = f"compiled ({command} {' '.join(FLAGS)})"
    make_parent(path)
    replace_files(contents)
    return Exported((path, header), difference, tried, memory(source))


def export_onnx(source: Source, path: Path) -> Exported:
    """Write the policy as an ONNX file, after it decided as the policy does, where onnxruntime is installed.

    Args:
        source: the policy and where it comes from.
        path: of the file, NAME.onnx; its folder is made.

    Raises:
        UserError: another name, a number that is none of single precision, the package onnx is missing, or the export
            differs from the policy; nothing is written then.
        CannotWrite: the disk refuses; what was there before is still there.
    """
    onnx_file.checked_name(path)
    _check_free(path)
    content, policy, difference = onnx_model(source).SerializeToString(deterministic=True), source.policy, None
    version = runtime()
    if version is not None:
        trial = draw(policy, single=True, guard=source.guard)
        difference = _compared(source, trial, run_onnx(content, source, trial), "ONNX file")
    make_parent(path)
    replace_file(path, content)
    return Exported((path,), difference, "onnxruntime is not installed" if version is None else f"by {version}")


def _compared(source: Source, trial: Trial, decisions: Decisions, what: str) -> Difference:
    """Compare the decisions and, where the source has a guard, the scores."""
    difference = compared(source.policy, trial, decisions, what)
    if source.guard is None or decisions.score is None:
        return difference
    return compared_scores(source.guard, trial, decisions.score, difference, what)


def _check_free(path: Path) -> None:
    """Refuse to replace what no export wrote."""
    check_own(path, MARK, HEAD, "no export wrote it; choose another name with --out")
