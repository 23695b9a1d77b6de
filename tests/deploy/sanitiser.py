"""The compiler's sanitisers, for tests of exported C: their flags, or a skip, which CI does not allow."""

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from micro_rl.deploy.running import compiler

FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
CI = ("CI", "MICRO_RL_CI")
"""One of these is set where tests must not be left out; `.ci/run` sets the latter."""


def sanitiser() -> tuple[str, ...]:
    """The flags; skips the test where this machine's compiler has no sanitisers, and fails it in CI."""
    if works(compiler()):
        return FLAGS
    missing = f"no C compiler that has {FLAGS[0]}"
    if any(map(os.environ.get, CI)):
        pytest.fail(f"{missing}: install one, with its sanitisers' libraries")
    pytest.skip(missing)


@cache
def works(command: str | None) -> bool:
    """Whether a compiler makes a program with them that runs."""
    if command is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        code, program = Path(folder) / "empty.c", Path(folder) / "empty"
        code.write_text("int main(void) { return 0; }\n")
        made = subprocess.run([command, *FLAGS, str(code), "-o", str(program)], capture_output=True).returncode == 0
        return made and subprocess.run([program], capture_output=True).returncode == 0
