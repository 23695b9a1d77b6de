"""Any network as C: drawn ones, in one program under the sanitisers, decide and score as policies and guards do."""

import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from micro_rl.control.guard import Guard
from micro_rl.deploy.c_files import c_text
from micro_rl.deploy.equality import Decisions, compared
from micro_rl.deploy.running import compiler
from micro_rl.deploy.scores import compared_scores
from micro_rl.deploy.source import Source
from micro_rl.deploy.template import filled
from micro_rl.deploy.trial import BEGIN, ON, PRIME, Trial, draw
from micro_rl.policy import Policy
from tests.deploy import sanitiser as sanitisers
from tests.deploy.policies import random_guard, random_policy
from tests.deploy.sanitiser import sanitiser

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-O1")


class Shape(NamedTuple):
    """What is drawn of a network."""

    seed: int
    observations: int
    actions: int
    hidden: list[int]
    history: int
    gain: float
    offset: float
    references: int
    """Rows of its guard; 0 where it has none."""


class Network(NamedTuple):
    """A policy of a shape, its guard where it has one, and what it is tried on."""

    shape: Shape
    policy: Policy
    guard: Guard | None
    source: Source
    trial: Trial


SHAPES = st.builds(
    Shape,
    seed=st.integers(0, 2**32 - 1),
    observations=st.integers(1, 6),
    actions=st.integers(1, 4),
    hidden=st.lists(st.integers(1, 23), max_size=3),
    history=st.one_of(st.just(1), st.integers(2, 7)),
    gain=st.sampled_from([0.5, 1.0, 4.0]),
    offset=st.sampled_from([0.0, 1.0, 1e3, 1e6]),
    references=st.one_of(st.just(0), st.integers(1, 11)),
)


def drawn(count: int) -> list[Network]:
    """So many networks; they are drawn first, so that one program is compiled for all."""
    shapes: list[Shape] = []

    @settings(max_examples=count, phases=[Phase.generate])
    @given(SHAPES)
    def collect(shape: Shape) -> None:
        shapes.append(shape)

    collect()
    return [made(shape) for shape in shapes]


def made(shape: Shape) -> Network:
    sizes = (shape.observations, shape.actions, shape.hidden, shape.history, shape.gain, shape.offset)
    policy = random_policy(shape.seed, *sizes)
    guard = random_guard(policy, shape.seed, shape.references) if shape.references else None
    source = Source(policy) if guard is None else Source(policy).guarded(guard)
    return Network(shape, policy, guard, source, draw(policy, 200, shape.seed, single=True, guard=guard))


def written(network: Network, name: str, folder: Path) -> bytes:
    """Write a network's files and a driver, whose `main` has the network's name; the bytes of its steps."""
    text, trial = c_text(network.source, name, name), network.trial
    (folder / f"{name}.h").write_text(text.header)
    (folder / f"{name}.c").write_text(text.code)
    names = {"header": f"{name}.h", "p": name, "guard": name.upper(), "steps": len(trial.kind)}
    kind = "trial-past.c" if network.source.before else "trial.c"
    driver = filled(kind, **names, on=ON, begin=BEGIN, prime=PRIME)
    (folder / f"driver-{name}.c").write_text(f"#define main main_{name}\nint main(void);\n{driver}")
    parts = [trial.kind[:, None], trial.observations, trial.applied] if network.source.before else [trial.observations]
    return np.concatenate(parts, axis=-1).astype(np.float32).tobytes()


def compiled(names: list[str], folder: Path, *flags: str) -> Path:
    """One program of all, which is told which of them to run."""
    heads = "".join(f"int main_{name}(void);\n" for name in names)
    calls = "".join(f'    if (!strcmp(argv[1], "{name}")) return main_{name}();\n' for name in names)
    main = f"int main(int argc, char **argv)\n{{\n    if (argc != 2) return 1;\n{calls}    return 1;\n}}\n"
    (folder / "main.c").write_text(f"#include <string.h>\n{heads}{main}")
    files = ["main.c", *(f"{kind}{name}.c" for name in names for kind in ("", "driver-"))]
    subprocess.run([str(compiler()), *FLAGS, *flags, *files, "-o", "main", "-lm"], cwd=folder, check=True)
    return folder / "main"


@pytest.mark.parametrize("count", [8, pytest.param(80, marks=pytest.mark.slow)])
def test_any_network_and_history_decides_and_scores_as_its_policy(count: int, tmp_path: Path):
    flags = sanitiser()
    networks = {f"n{number}": network for number, network in enumerate(drawn(count))}
    steps = {name: written(network, name, tmp_path) for name, network in networks.items()}
    program = compiled(list(networks), tmp_path, *flags)
    for name, (shape, policy, guard, _, trial) in networks.items():
        done = subprocess.run([program, name], input=steps[name], capture_output=True)
        assert (done.returncode, done.stderr) == (0, b""), shape
        values = np.frombuffer(done.stdout, np.float32).reshape(len(trial.kind), -1)
        *parts, score = np.split(values, policy.action_size * np.arange(1, 4), axis=-1)
        difference = compared(policy, trial, Decisions(*parts), str(shape))
        assert difference.unsettled + difference.overflowing < difference.rows, shape
        if guard is not None:
            assert compared_scores(guard, trial, score[:, 0], difference, str(shape)).scores is not None
    assert {shape.history > 1 for shape, *_ in networks.values()} == {False, True}
    assert {shape.references > 0 for shape, *_ in networks.values()} == {False, True}


def test_without_sanitisers_a_test_is_skipped_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sanitisers, "compiler", lambda: None)
    for name in sanitisers.CI:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no C compiler that has -fsanitize"):
        sanitiser()
    monkeypatch.setenv("MICRO_RL_CI", "1")
    with pytest.raises(pytest.fail.Exception, match="install one"):
        sanitiser()
