"""Whole runs on the tiny log: killed and resumed, stopped and resumed, with a column of a million."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.core.metric_keys import FIT_METRICS, METRICS
from micro_rl.data import load
from micro_rl.errors import Diverged, Interrupted, UserError
from micro_rl.policy import Policy
from micro_rl.storage import provenance, run_folder
from micro_rl.storage.locks import locked
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training import run_begin
from micro_rl.training.callbacks import Callback
from micro_rl.training.evaluator import PolicyEvaluator
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.job import Run
from micro_rl.training.plan import Plan
from micro_rl.training.plan_record import plan_to_config
from micro_rl.training.runner import execute
from tests.probes import tiny_plan

ROOT = Path(__file__).parent.parent
EPOCHS = 30
# The killed run reads programs that this process has compiled, and writes none.
READS = (
    {
        "JAX_COMPILATION_CACHE_DIR": os.environ["MICRO_RL_TEST_PROGRAMS"],
        "JAX_ENABLE_COMPILATION_CACHE": "true",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1e9",
    }
    if "MICRO_RL_TEST_PROGRAMS" in os.environ
    else {}
)
# A killed run does the same as this process does, and says so line by line.
CHILD = """
import sys
from pathlib import Path
from micro_rl.training.runner import execute
from micro_rl.training.callbacks import Callback
from tests.test_run import long_plan

class Talks(Callback):
    def fitted(self, row):
        print("fitted", flush=True)

    def trained(self, row, policy):
        print("trained", flush=True)

execute(long_plan(), Path(sys.argv[1]), callback=Talks())
"""


def long_plan(**overrides: Any) -> Plan:
    """Enough epochs to be killed in; two between checkpoints."""
    return tiny_plan(epochs=EPOCHS, checkpoint_every=2, eval_every=10, **overrides)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that nothing disturbed."""
    return execute(long_plan(), tmp_path_factory.mktemp("runs") / "whole")


def timeless(rows: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if not key.startswith("time/")} for row in rows]


def assert_same_outcome(run: Run, other: Run) -> None:
    for name in ("policy.safetensors", "model/ensemble.safetensors"):
        assert (run.path / name).read_bytes() == (other.path / name).read_bytes(), name
    assert timeless(run.metrics) == timeless(other.metrics)
    assert run.scores == other.scores
    last = [RunFolder.open(folder.path).checkpoints.newest() for folder in (run, other)]
    assert last[0] is not None
    assert last[1] is not None
    assert last[0].epoch == last[1].epoch == EPOCHS
    for name, array in last[0].arrays.items():
        np.testing.assert_array_equal(array, last[1].arrays[name], err_msg=name)


def killed(path: Path, word: str, lines: int, pause: float) -> None:
    """Start the run in another process and kill it `pause` seconds after it has said `word` so often."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | READS
    ) as child:
        assert child.stdout is not None
        while lines:
            line = child.stdout.readline()
            assert line, "it ended before it could be killed"
            lines -= line.strip() == word
        time.sleep(pause)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL


def random_moment(seed: int) -> tuple[str, int, float]:
    """Within the fit in one case of four, else after some epoch; the pause falls anywhere in the next one."""
    rng = np.random.default_rng(seed)
    pause = float(rng.uniform(0, 0.05))
    if rng.random() < 0.25:
        return "fitted", int(rng.integers(1, 4)), pause
    return "trained", int(rng.integers(1, EPOCHS // 2)), pause  # a fast machine needs little for the rest


@pytest.mark.parametrize(
    "moment",
    [
        ("trained", 7, 0.01),
        *(pytest.param(random_moment(seed), marks=pytest.mark.slow) for seed in range(8)),
    ],
)
def test_killed_and_resumed_ends_with_the_same_bits(finished: Run, tmp_path: Path, moment: tuple[str, int, float]):
    killed(tmp_path / "run", *moment)
    assert not (tmp_path / "run" / "policy.safetensors").exists()
    assert_same_outcome(execute(long_plan(), tmp_path / "run", resume=True), finished)


class Stops(Callback):
    """Sends this process a signal after an epoch, and waits until it is noticed."""

    def __init__(self, epoch: int, number: signal.Signals, interrupts: Interrupts):
        self.epoch, self.number, self.interrupts = epoch, number, interrupts

    def trained(self, row, policy) -> None:
        if row["epoch"] == self.epoch:
            os.kill(os.getpid(), self.number)
            while not self.interrupts.received:
                time.sleep(0.001)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_epoch_and_the_run_goes_on_to_the_same_bits(
    finished: Run, tmp_path: Path, number: signal.Signals, code: int
):
    message = f"stopped by {number.name}; epoch 8 is saved"  # the one that was computed meanwhile
    with pytest.raises(Interrupted, match=message) as stopped, Interrupts() as interrupts:
        execute(long_plan(), tmp_path / "run", callback=Stops(7, number, interrupts), interrupts=interrupts)
    assert stopped.value.exit_code == code
    assert 8 in RunFolder.open(tmp_path / "run").checkpoints.epochs()
    assert_same_outcome(execute(long_plan(), tmp_path / "run", resume=True), finished)


def test_what_a_process_is_stands_in_the_folder_and_another_machine_is_told_apart(finished: Run, tmp_path: Path):
    shutil.copytree(finished.path, tmp_path / "run")
    path = tmp_path / "run" / "processes.jsonl"
    first = json.loads(path.read_text().splitlines()[0])
    assert first["fingerprint"] == provenance.fingerprint() and first["after_epoch"] == 0
    path.write_text(json.dumps(first | {"fingerprint": first["fingerprint"] | {"jaxlib": "0.1", "cores": "64"}}) + "\n")
    notes: list[str] = []

    class Listens(Callback):
        def note(self, text: str) -> None:
            notes.append(text)

    execute(long_plan(), tmp_path / "run", resume=True, callback=Listens())
    assert any(
        note.startswith("bits may differ") and "jaxlib 0.1, now" in note and "cores 64" in note for note in notes
    )
    assert len(RunFolder.open(tmp_path / "run").processes()) == 2


def test_stopped_and_resumed_ends_with_the_same_bits(finished: Run, tmp_path: Path):
    stopped = execute(long_plan(), tmp_path / "run", until=11)
    assert [row["epoch"] for row in stopped.metrics] == list(range(1, 12))
    assert stopped.scores["epochs"] == 11
    assert_same_outcome(execute(long_plan(), tmp_path / "run", resume=True), finished)


def test_a_finished_run_resumed_changes_nothing(finished: Run, tmp_path: Path):
    before = (finished.path / "policy.safetensors").read_bytes()
    again = execute(long_plan(), finished.path, resume=True)
    assert (finished.path / "policy.safetensors").read_bytes() == before
    assert timeless(again.metrics) == timeless(finished.metrics)


def test_a_run_leaves_what_it_promised(finished: Run):
    names = {path.name for path in finished.path.iterdir()}
    assert {"config.json", "metrics.jsonl", "metrics.csv", "scores.json", "policy.safetensors"} <= names
    assert [row["epoch"] for row in finished.metrics] == list(range(1, EPOCHS + 1))
    assert all(np.isfinite(value) for row in finished.metrics for value in row.values())
    assert {key for row in finished.metrics for key in row} <= set(METRICS)
    fit_keys = {re.sub(r"member\d+", "memberI", key) for row in RunFolder.open(finished.path).fit() for key in row}
    assert fit_keys == set(FIT_METRICS)
    reread = Policy.load(finished.path / "policy.safetensors")
    observation = long_plan().dataset.observations[0]
    np.testing.assert_array_equal(reread(observation), finished.policy(observation))
    assert np.abs(finished.policy(observation)).max() <= 1


def test_a_log_without_a_simulator_gets_an_estimate_that_says_so(finished: Run):
    estimates = [row["window_estimate/difference"] for row in finished.metrics if "window_estimate/difference" in row]
    assert len(estimates) == EPOCHS / 10
    score = finished.scores["window_estimate/difference"]
    assert score["mean_of_last"] == pytest.approx(np.mean(estimates))
    assert score["best"] == max(estimates)
    assert not any(key.startswith("eval/") for row in finished.metrics for key in row)


def test_an_evaluation_beside_the_next_epoch_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(PolicyEvaluator, "__call__", lambda *_: time.sleep(1) or {})
    rows = execute(tiny_plan(epochs=3, eval_every=1, max_fit_epochs=1), tmp_path / "run").metrics
    assert [row["time/seconds"] >= seconds for row, seconds in zip(rows[1:], (1, 2), strict=True)] == [True, True]
    assert rows[1]["time/seconds"] < 2


def test_resuming_with_another_setting_is_refused(finished: Run):
    with pytest.raises(UserError, match=r"was begun with other settings \(discount: 0.99, now 0.5\)"):
        execute(long_plan(discount=0.5), finished.path, resume=True)
    with pytest.raises(UserError, match=r"was begun with other options \(beta: 0.5, now 0.1\)"):
        execute(long_plan(beta=0.1), finished.path, resume=True)


def test_a_run_is_never_overwritten(finished: Run):
    with pytest.raises(UserError, match=str(finished.path)):
        execute(long_plan(), finished.path)


def test_a_finished_run_without_its_checkpoints_is_not_begun_anew(tmp_path: Path):
    class Listens(Callback):
        def note(self, text: str) -> None:
            notes.append(text)

    notes, plan = [], tiny_plan(method="bc")
    run = execute(plan, tmp_path / "run")
    shutil.rmtree(run.path / "checkpoints")
    with pytest.raises(UserError, match="run: is finished and has no checkpoint to go on from; choose another folder"):
        execute(plan, run.path, resume=True)
    RunFolder.open(run.path).verify()
    (run.path / "manifest.json").unlink()
    execute(plan, run.path, resume=True, callback=Listens())
    assert "begins anew: no checkpoint is there" in notes


def test_of_two_runs_that_begin_together_one_is_refused_and_the_folder_is_the_others(tmp_path: Path, monkeypatch):
    """Both stand before the writing of config.json, unless one of them is kept from it."""
    both, write = threading.Barrier(2), run_folder.write_json

    def slow_write(path: Path, content: Any) -> None:
        with suppress(threading.BrokenBarrierError):
            both.wait(0.2)
        write(path, content)

    def begin(discount: float) -> str:
        try:
            run_begin.run_folder(tiny_plan(method="td3_bc", discount=discount), tmp_path / "run", resume=False)
        except UserError as error:
            return str(error)
        return f"begun with {discount}"

    monkeypatch.setattr(run_folder, "write_json", slow_write)
    with ThreadPoolExecutor() as pool:
        refusal, begun = sorted(pool.map(begin, (0.5, 0.9)))
    assert refusal.endswith("run: is not empty; continue the run there with --resume or choose another folder")
    assert begun == f"begun with {RunFolder.open(tmp_path / 'run').config()['settings']['discount']}"


def test_a_run_that_cannot_begin_leaves_no_lock_in_a_folder_of_others_and_one_that_was_stopped_can(tmp_path: Path):
    plan, others = tiny_plan(method="bc"), tmp_path / "others"
    others.mkdir()
    (others / "letter").write_text("dear")
    with pytest.raises(UserError, match="others: is not empty"):
        execute(plan, others)
    assert [path.name for path in others.iterdir()] == ["letter"]
    (tmp_path / "run").mkdir()
    for name in ("lock", "lock.pid", ".config.json.tmp"):
        (tmp_path / "run" / name).touch()
    assert run_begin.run_folder(plan, tmp_path / "run", resume=False).config()["method"] == "bc"


def test_a_second_training_in_one_folder_is_refused(tmp_path: Path):
    plan = long_plan()
    folder = RunFolder.create(tmp_path / "run", plan_to_config(plan))
    with locked(folder.lock), pytest.raises(UserError, match="another training is going on there"):
        execute(plan, folder.path, resume=True)
    assert not folder.model.exists()


def test_a_shared_model_is_taken_as_it_is(finished: Run, tmp_path: Path):
    plan = replace(tiny_plan(seed=5), model=finished.path / "model")
    other = execute(plan, tmp_path / "run")
    original, used = ((run.path / "model" / "ensemble.safetensors").read_bytes() for run in (finished, other))
    assert original == used
    assert (other.path / "policy.safetensors").read_bytes() != (finished.path / "policy.safetensors").read_bytes()


def test_a_column_of_a_million_trains_like_any_other(tmp_path: Path):
    class Collects(Callback):
        rows: list[dict] = []  # noqa: RUF012

        def fitted(self, row) -> None:
            self.rows.append(row)

    callback = Collects()
    run = execute(tiny_plan(1e6), tmp_path / "run", callback=callback)
    assert all(np.isfinite(value) for row in [*run.metrics, *callback.rows] for value in row.values())
    log = tiny_plan(1e6).dataset
    actions = np.asarray([run.policy(row) for row in log.observations[:50]])
    assert np.abs(actions).max() <= 1
    assert np.unique(actions).size > 25
    # Core units leave no trace of the size.
    plain = execute(tiny_plan(1.0), tmp_path / "plain")
    for name in ("q/real", "loss/critic", "conservative_term"):
        assert run.metrics[0][name] == pytest.approx(plain.metrics[0][name], rel=0.05), name


def test_a_training_that_diverges_stops_and_keeps_the_agent(tmp_path: Path):
    with pytest.raises(
        Diverged, match=r"epoch 1: .*; loss/actor was the first to blow up, in update 1 .* kept in .*diverged"
    ):
        execute(tiny_plan(critic_lr=1e30), tmp_path / "run")
    assert (tmp_path / "run" / "diverged" / "state" / "state.safetensors").exists()
    assert not (tmp_path / "run" / "policy.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("condition", "steps"), [("level > 5000", 1), ("level < 5000", 3), ("level > 10000", None)])
def test_the_condition_of_a_tables_toml_ends_the_models_episodes(tmp_path: Path, condition: str, steps: int | None):
    path = write_pump(tmp_path / "pump.csv", f'termination = "{condition}"\n')
    plan = tiny_plan(log=load(path))
    run = execute(plan, tmp_path / "run")
    lengths = [row["rollout/length"] for row in run.metrics]
    if steps is None:  # some of the log's own levels lie there
        assert all(1 < length < 3 for length in lengths)
    else:
        assert lengths == [steps] * len(lengths)
    assert json.loads((run.path / "config.json").read_text())["task"]["termination"] == condition


def write_pump(path: Path, more: str) -> Path:
    """A table whose level stands about 10,000, a thousand to each side: in core units it would be about 0."""
    random = np.random.default_rng(0)
    lines = ["run,level,flow,valve,cost"]
    for row in range(200):
        level, flow, valve = 1e4 + 1e3 * random.normal(), random.normal(), random.uniform(-1, 1)
        lines.append(f"{row // 20},{level:.6g},{flow:.6g},{valve:.6g},{-abs(flow):.6g}")
    path.write_text("\n".join(lines) + "\n")
    description = 'episode = "run"\nobservations = ["level", "flow"]\nactions = ["valve"]\nreward = "cost"\n'
    path.with_suffix(".toml").write_text(description + more)
    return path
