"""Trials on several processes: alone in their folder, stopped in every way there is, and going on from there."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.envs.classic_control import PendulumEnv
from gymnasium.wrappers import TimeLimit

from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.robustness.cells import Cell, Group, Protocol, line, nominal
from micro_rl.robustness.parameters import Physics
from micro_rl.robustness.protocols import protocol
from micro_rl.robustness.results import Results
from micro_rl.robustness.running import Job, run
from micro_rl.robustness.signals import Interface
from micro_rl.robustness.subject import Subject
from micro_rl.robustness.trial import Trial
from micro_rl.simulation.env_objects import Env, name_of
from micro_rl.simulation.evaluation import evaluate
from micro_rl.storage.locks import locked

ENV, HORIZON = "Pendulum-v1", 20


def noise(kind: str = "noise") -> Group:
    return line("noise", "size", (0.1, 0.2, 0.3), lambda size: [Interface("observation", kind, size)])


SMALL = Protocol("small", "these tests", (nominal(), noise()))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    random = np.random.default_rng(0)
    layers = [(random.normal(size=shape).astype(np.float32), np.zeros(shape[1])) for shape in ((3, 8), (8, 2))]
    units: dict[str, Any] = {"observation_mean": np.zeros(3), "observation_std": np.ones(3)}
    policy = Policy(layers, **units, action_mid=np.zeros(1), action_half=np.full(1, 2.0))
    policy.save(tmp_path / "policy.safetensors")
    subject = Subject(tmp_path / "policy.safetensors", ENV, (1.0, 1.0, 1.0), horizon=HORIZON, episodes=2, seed=3)
    return Job(subject, Results(tmp_path / "there" / "small"), "none")


def test_the_nominal_cell_is_the_evaluation_to_the_bit(job: Job):
    own = evaluate(Policy.load(job.subject.policy), ENV, episodes=2, seed=3, horizon=HORIZON)
    with Trial(job.subject) as trial:
        trial.run(SMALL.cells[1])
        assert trial.run(SMALL.cells[0]).returns == own.returns.tolist()


def stopped_at_first(stop: Callable[[], None]) -> Callable[[Any], None]:
    """Calls it once, when the first cell is finished."""
    left = [stop]
    return lambda finished: left.pop()() if left else None


def children() -> list[Any]:
    return [child for child in multiprocessing.active_children() if child.is_alive()]


def kill_a_worker() -> None:
    children()[0].kill()


def test_a_dead_worker_is_one_line_and_the_same_command_goes_on(job: Job):
    with pytest.raises(UserError, match=r"a worker process died.*the same command goes on") as raised:
        run([job], SMALL, 1, stopped_at_first(kill_a_worker))
    assert "\n" not in str(raised.value)
    assert 1 <= len(job.results.finished()) < len(SMALL.cells)
    run([job], SMALL, 1)
    whole = job.results.finished()
    again = replace_folder(job, "afresh")
    run([again], SMALL, 1)
    assert again.results.finished() == whole


def replace_folder(job: Job, name: str) -> Job:
    return job._replace(results=Results(job.results.path.with_name(name)))


def test_an_interrupt_ends_the_workers(job: Job):
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([job], SMALL, 2, stopped_at_first(interrupt))
    assert gone(lambda: not children())
    assert len(job.results.finished()) == 1


def gone(check: Callable[[], bool]) -> bool:
    """Within ten seconds."""
    until = time.monotonic() + 10
    while not check() and time.monotonic() < until:
        time.sleep(0.05)
    return check()


KILLED = """
import multiprocessing, sys
from pathlib import Path
from micro_rl.robustness.results import Results
from micro_rl.robustness.running import Job, run
from micro_rl.robustness.subject import Subject
from tests.robust.test_running import SMALL

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    subject = Subject(folder / "policy.safetensors", "Pendulum-v1", (1.0,) * 3, horizon=20, episodes=2, seed=3)

    def tell(finished):
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        sys.stdin.read()

    run([Job(subject, Results(folder / "there" / "small"), "none")], SMALL, 2, tell)
"""


def test_a_killed_trial_leaves_no_workers_and_goes_on(job: Job, tmp_path: Path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    words = [sys.executable, str(script), str(tmp_path)]
    with subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout
        workers = [int(number) for number in killed.stdout.readline().split()]
        killed.send_signal(signal.SIGKILL)
    assert len(workers) == 2
    assert gone(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    with (job.results.path / "cells.jsonl").open("ab") as file:
        file.write(b'{"cell": "noise: si')
    run([job], SMALL, 1)
    assert set(job.results.finished()) == {cell.name for cell in SMALL.cells}


def test_a_world_that_breaks_down_is_counted_and_writes_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """MuJoCo puts an unstable robot back to its start and goes on, so the return is of no episode that there was."""
    monkeypatch.chdir(tmp_path)
    units: dict[str, Any] = {"observation_mean": np.zeros(17), "observation_std": np.ones(17)}
    layers = [(np.ones((17, 12), np.float32), np.ones(12))]
    policy = Policy(layers, **units, action_mid=np.zeros(6), action_half=np.ones(6))
    policy.save(tmp_path / "policy.safetensors")
    subject = Subject(tmp_path / "policy.safetensors", "HalfCheetah-v4", (1.0,) * 17, horizon=30, episodes=2)
    with Trial(subject) as trial:
        assert trial.run(Cell("strong", {}, (Physics("gain", 1e11),))).unstable == 2
        assert trial.run(Cell("nominal")).unstable == 0
    assert not (tmp_path / "MUJOCO_LOG.TXT").exists()


def test_two_at_once_in_one_folder_are_refused(job: Job):
    job.results.path.mkdir(parents=True)
    with (
        locked(job.results.path / "lock", "trial"),
        pytest.raises(UserError, match="another trial is going on there"),
    ):
        run([job], SMALL, 1)
    with pytest.raises(UserError, match=r"their results would share .*name each once"):
        run([job, job], SMALL, 1)


def test_what_cannot_be_tried_leaves_nothing_behind(job: Job):
    with pytest.raises(UserError, match="no MuJoCo model: use a protocol without physics"):
        run([job], protocol("micro", ENV), 1)
    assert not job.results.path.parent.exists()
    with pytest.raises(UserError, match="workers 0: give 1 or more"):
        run([job], SMALL, 0)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize(
    "files",
    [
        {"robust.json": b'{"my own": "notes of another program"}', "lock": b"mine"},
        {"cells.jsonl": b'{"a": 1}\nhalf a line', "summary.json": b"mine"},
        {"lock": b"mine"},
    ],
)
def test_files_of_others_are_refused_and_stay_as_they_are(job: Job, files: dict[str, bytes]):
    job.results.path.mkdir(parents=True)
    for name, content in files.items():
        (job.results.path / name).write_bytes(content)
    with pytest.raises(UserError, match=r"choose another .*--out"), job.results.open(job.subject, SMALL, "none"):
        pass
    assert contents(job.results.path) == files


def test_a_refused_trial_leaves_another_ones_beginning(job: Job):
    """A trial that was killed in its first cell leaves robust.json alone; in the end cells of others are beside it."""
    path, other = job.results.path, replace(job.subject, seed=4)
    with job.results.open(job.subject, SMALL, "none"):
        files = {"robust.json": (path / "robust.json").read_bytes()}
    path.mkdir(parents=True)
    (path / "robust.json").write_bytes(files["robust.json"])
    with pytest.raises(UserError, match="another seed"), job.results.open(other, SMALL, "none"):
        pass
    with pytest.raises(UserError, match="of no use"), job.results.open(job.subject, SMALL, "none"):
        raise UserError("of no use")
    assert contents(path) == files
    (path / "cells.jsonl").write_bytes(b'{"a": 1}\nhalf a line')
    with pytest.raises(UserError, match="line 1: is no finished cell"), job.results.open(job.subject, SMALL, "none"):
        pass
    assert contents(path) == files | {"cells.jsonl": b'{"a": 1}\nhalf a line'}


@pytest.mark.parametrize(
    ("values", "message"), [({"episodes": 0}, "episodes 0"), ({"episodes": 10**6}, "1,000"), ({"seed": -1}, "seed -1")]
)
def test_episodes_and_seeds_that_there_are_not_are_refused(job: Job, values: dict, message: str):
    with pytest.raises(UserError, match=message):
        replace(job.subject, **values)


def test_other_changes_under_the_same_names_do_not_mix(job: Job):
    run([job], SMALL, 1)
    with pytest.raises(UserError, match="holds results with another changes"):
        run([job], replace(SMALL, groups=(nominal(), noise("bias"))), 1)
    about = json.loads((job.results.path / "robust.json").read_text())
    del about["changes"]
    (job.results.path / "robust.json").write_text(json.dumps(about))
    run([job], SMALL, 1)  # a folder of an earlier version


def swinging(gravity: float) -> PendulumEnv:
    return PendulumEnv(g=gravity)


def test_simulators_of_one_name_are_told_apart_by_what_they_answer(job: Job):
    """Both are called `swinging (from Python)`; a folder of an earlier version does not say which one it was."""

    def opened(gravity: float) -> None:
        subject = replace(job.subject, env=name_of(partial(swinging, gravity)))
        with job.results.open(subject, SMALL, "none"):
            (job.results.path / "cells.jsonl").touch()

    about = job.results.path / "robust.json"
    opened(10.0)
    opened(10.0)
    earlier = json.loads(about.read_text())
    assert len(earlier.pop("env_sha256")) == 64
    with pytest.raises(UserError, match="holds results with another env;"):
        opened(9.0)
    about.write_text(json.dumps(earlier))
    with pytest.raises(UserError, match="holds results with another env;"):
        opened(10.0)
    assert "env_sha256" not in job.subject.about()


class Late(PendulumEnv):
    """With a load from step 250 on."""

    def __init__(self, load: float):
        super().__init__()
        self.load, self.count = load, 0

    def step(self, u: Any) -> tuple[Any, ...]:
        self.count += 1
        after, reward, *others = super().step(u)
        return after, float(reward) - self.load * (self.count > 250), *others


def test_simulators_that_differ_late_in_an_episode_are_told_apart(job: Job):
    first, second = (
        replace(job.subject, env=name_of(partial(Late, load)), horizon=400).about()["env_sha256"] for load in (0.0, 1.0)
    )
    assert first and second and first != second


def late(load: float) -> Env:
    return TimeLimit(Late(load), 400)


def test_so_are_those_that_have_their_time_limit_of_their_own(job: Job):
    first, second = (
        replace(job.subject, env=name_of(partial(late, load)), horizon=None).about()["env_sha256"]
        for load in (0.0, 1.0)
    )
    assert first and second and first != second


class Drifting(PendulumEnv):
    """Whose starts hang on no seed."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return super().reset(options=options)


def test_a_simulator_that_does_not_answer_alike_twice_is_told_by_its_name(job: Job):
    assert replace(job.subject, env=name_of(Drifting)).about()["env_sha256"] == ""


@pytest.mark.parametrize(
    "text",
    [
        '{"cell": "nominal"}',
        '{"cell": "nominal", "inert": "", "coordinates": {}, "returns": [1], "lengths": []}',
        '{"cell": "nominal", "inert": "", "coordinates": {}, "returns": ["a"], "lengths": [1]}',
    ],
)
def test_a_line_that_is_no_cell_is_named(job: Job, text: str):
    job.results.path.mkdir(parents=True)
    (job.results.path / "cells.jsonl").write_text(text + "\n")
    with pytest.raises(UserError, match=r"cells.jsonl, line 1: is no finished cell; delete the line"):
        job.results.finished()


def test_a_full_disk_is_said_and_what_was_kept_stays(job: Job, monkeypatch: pytest.MonkeyPatch):
    from micro_rl.robustness import results

    def full(path: Path, content: bytes) -> None:
        with results.saving(path):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(results, "append_file", full)
    with pytest.raises(UserError, match=r"cannot be written .No space left on device."):
        run([job], SMALL, 1)
    assert not job.results.path.exists()
    assert gone(lambda: not children())


def test_critics_of_one_name_are_told_apart(tmp_path: Path):
    for site, content in (("a", b"one"), ("b", b"other")):
        (tmp_path / site / "run").mkdir(parents=True)
        (tmp_path / site / "run" / "policy.safetensors").write_bytes(content)
    policy = tmp_path / "a" / "run" / "policy.safetensors"
    one, other = (Subject(policy, "Pendulum-v1", (1.0,), (tmp_path / site / "run",)).about() for site in "ab")
    assert [key for key in one if one[key] != other[key]] == ["critics_sha256"]
