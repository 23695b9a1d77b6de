"""Exported files run in processes of their own: Python alone with NumPy, C by the system's compiler."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from micro_rl.deploy.equality import Decisions
from micro_rl.deploy.source import Source
from micro_rl.deploy.template import filled
from micro_rl.deploy.trial import BEGIN, ON, PRIME, Trial
from micro_rl.errors import UserError

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-O2")
BY_DEFAULT = (*FLAGS[1:], "-fsyntax-only")
"""Checks a file in the compiler's own language, where the C library declares more names than C99 has."""
LONGEST = 300
"""Seconds; a process takes one or two."""


def run_python(file: Path, trial: Trial) -> Decisions:
    """Run an exported Python file over a trial, in an isolated process (`python -I`); its self-check comes first.

    Raises:
        UserError: it fails.
    """
    steps, decisions = file.with_name("steps.npz"), file.with_name("decisions.npy")
    np.savez(steps, kind=trial.kind, observations=trial.observations, applied=trial.applied)
    driver = filled("trial.py", begin=BEGIN, prime=PRIME)
    _finished([sys.executable, "-I", "-c", driver, str(file), str(steps), str(decisions)], "the exported Python file")
    return _parted(np.load(decisions), trial)


def compiler() -> str | None:
    """The system's C compiler, the first of `cc`, `gcc` and `clang`; None where there is none."""
    return next((name for name in COMPILERS if shutil.which(name)), None)


def run_c(file: Path, prefix: str, source: Source, trial: Trial, flags: Sequence[str] = ()) -> Decisions:
    """Compile an exported C file, every warning an error, and run it over a trial.

    It must also be C in the language that the compiler takes by default.

    Args:
        file: the .c file; the header is beside it, and so is what is made here.
        prefix: what its names begin with.
        source: what the file is of; its past says how a step is asked for.
        trial: the steps; values must be ones of single precision.
        flags: more of them for the compiler.

    Raises:
        UserError: it is not compiled, or fails.
    """
    command, program, driver = compiler(), file.with_name("trial"), file.with_name("trial-of-it.c")
    if command is None:
        raise UserError(f"export: none of {', '.join(COMPILERS)} is installed")
    longest = int(np.diff(np.append(np.flatnonzero(trial.kind == BEGIN), len(trial.kind))).max())
    names = {"header": f"{file.stem}.h", "p": prefix, "guard": prefix.upper(), "steps": longest}
    kind = "trial-past.c" if source.before else "trial.c"
    driver.write_text(filled(kind, **names, on=ON, begin=BEGIN, prime=PRIME))
    sources, what = [str(driver), str(file)], f"{command} on the exported C file"
    _finished([command, *BY_DEFAULT, str(file)], what)
    _finished([command, *FLAGS, *flags, *sources, "-o", str(program), "-lm"], what)
    steps = trial.observations
    if source.before:
        steps = np.concatenate([trial.kind[:, None], steps, trial.applied], axis=-1)
    output = _finished([str(program)], "the exported C file", np.ascontiguousarray(steps, np.float32).tobytes())
    return _parted(np.frombuffer(output, np.float32).reshape(len(trial.kind), -1), trial)


def _parted(values: np.ndarray, trial: Trial) -> Decisions:
    """Action, mean, log standard deviation and, where there is one, the score."""
    width = trial.applied.shape[-1]
    *parts, score = np.split(values, [width, 2 * width, 3 * width], axis=-1)
    return Decisions(*parts, score=score[:, 0] if score.size else None)


def _finished(command: Sequence[str], what: str, given: bytes = b"") -> bytes:
    """What a process wrote; `UserError` with the line of its complaint that says most where it failed."""
    try:
        process = subprocess.run(command, input=given, capture_output=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        raise UserError(f"export: {what} took more than {LONGEST} seconds; nothing was written") from None
    except OSError as error:
        raise UserError(f"export: {what} cannot be run ({error.strerror}); nothing was written") from error
    if process.returncode:
        lines = process.stderr.decode(errors="replace").strip().splitlines()
        line = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no message")
        raise UserError(f"export: {what} ended with {process.returncode} ({line.strip():.300}); nothing was written")
    return process.stdout
