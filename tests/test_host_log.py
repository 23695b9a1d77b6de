"""A log on the host trains to the same bits as on the device, rows drawn and rows fed being the same."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.buffer import draw_log, rows_of
from micro_rl.algorithms.epoch import keys_of_update, rollout_and_update_keys
from micro_rl.api import fit
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.types import Keys
from micro_rl.errors import UserError
from micro_rl.training import host_log
from micro_rl.training.callbacks import Callback
from micro_rl.training.fit_program import run_fit_epoch, start_fits
from micro_rl.training.fitting import problem_of
from micro_rl.training.host_log import gather_epoch_rows, on_host, sample, stays_on_host
from micro_rl.training.runner import execute
from tests.probes import TINY, tiny_dataset, tiny_plan

PLAN = tiny_plan(rollout_every=5)
ON_DEVICE = problem_of(PLAN.dataset, PLAN.settings)
ON_HOST = problem_of(PLAN.dataset, replace(PLAN.settings, log_on="host"))
SMALL_MODEL = {
    name: TINY[name]
    for name in ("ensemble_size", "model_hidden_sizes", "weight_decay", "model_batch_size", "max_fit_epochs")
}
SIZES, KEY = PLAN.settings.sizes(), Keys.of(0).epochs


def test_the_setting_says_where_the_log_is():
    assert on_host(rows_of(ON_HOST.log))
    assert not on_host(rows_of(ON_DEVICE.log))
    assert not stays_on_host(PLAN.settings, PLAN.dataset)  # the device is this machine: the log is there


@pytest.mark.parametrize(("free", "stays"), [(10**9, False), (10**4, True)])
def test_by_default_thefree_on_device_decides(free: int, stays: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host_log, "free_on_device", lambda: free)
    assert stays_on_host(PLAN.settings, PLAN.dataset) is stays


def test_what_is_needed_counts_every_number_of_the_rows():
    rows = rows_of(ON_HOST.log)
    own = sum(np.asarray(column).nbytes for column in rows)
    row_numbers = 4 * PLAN.settings.ensemble_size * len(rows.reward)
    assert host_log._needed(PLAN.settings, PLAN.dataset) == host_log.COPIES * own + host_log.INDICES * row_numbers


@pytest.mark.parametrize("number", [0, 3])
def test_every_draw_of_an_epoch_finds_its_row(number: int):
    gathered = gather_epoch_rows(ON_HOST, KEY, number, SIZES)
    turns = jax.random.split(jax.random.fold_in(KEY, number), SIZES.updates_per_epoch // SIZES.rollout_every)
    for turn in turns:
        (start_key, _), updates = rollout_and_update_keys(turn, SIZES)
        draws = [(start_key, SIZES.rollout_batch_size)] + [(keys_of_update(key)[0], SIZES.real_rows) for key in updates]
        for key, size in draws:
            rows, expected = draw_log(gathered, key, size), draw_log(ON_DEVICE.log, key, size)
            jax.tree.map(np.testing.assert_array_equal, rows, expected)


def test_a_log_on_the_device_is_left_alone():
    assert sample(ON_DEVICE) is ON_DEVICE
    assert rows_of(sample(ON_HOST).log).reward.shape == (2,)


@pytest.mark.parametrize(("runs", "block"), [(1, 40_000), (1, 1 << 28), (2, 1 << 28)])
def test_a_fit_in_blocks_is_the_fit(runs: int, block: int):
    sizes, (keys, *epochs) = PLAN.settings.fit_sizes(), jax.random.split(jax.random.key(1), (3, runs))
    states = [start_fits(rows_of(problem.log), sizes, keys) for problem in (ON_DEVICE, ON_HOST)]
    same = np.testing.assert_array_equal if runs == 1 else partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5)
    for epoch_keys in epochs:
        results = [
            run_fit_epoch(state, rows_of(problem.log), sizes, epoch_keys, block)
            for state, problem in zip(states, (ON_DEVICE, ON_HOST), strict=True)
        ]
        jax.tree.map(same, *results)
        states = [state for state, *_ in results]
    assert jnp.asarray(states[0].epoch).tolist() == [2] * runs


@pytest.mark.slow
def test_a_whole_run_gives_the_same_bits(tmp_path: Path):
    runs = [
        execute(tiny_plan(rollout_every=5, log_on=where), tmp_path / where, resume=False)
        for where in ("device", "host")
    ]
    for name in ("policy.safetensors", "model/ensemble.safetensors"):
        assert (runs[0].path / name).read_bytes() == (runs[1].path / name).read_bytes(), name
    untimed = [
        [{key: value for key, value in row.items() if not key.startswith("time/")} for row in run.metrics]
        for run in runs
    ]
    assert untimed[0] == untimed[1]


class Listens(Callback):
    """Keeps the notes."""

    def __init__(self):
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def small_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that has not the memory for the tiny log."""
    monkeypatch.setattr(host_log, "free_on_device", lambda: 10**4)


@pytest.mark.usefixtures("small_device")
@pytest.mark.slow
def test_a_log_that_is_kept_on_the_host_unasked_is_told_of(tmp_path: Path):
    unasked, asked = Listens(), Listens()
    run = execute(tiny_plan(epochs=1), tmp_path / "auto", callback=unasked)
    assert [note for note in unasked.notes if "the log stays on the host, since the device has too little" in note]
    shared = replace(tiny_plan(epochs=1, log_on="host"), model=run.path / "model")
    execute(shared, tmp_path / "host", callback=asked)
    assert not any("host" in note for note in asked.notes)
    again = Listens()
    execute(replace(tiny_plan(epochs=1), model=run.path / "model"), tmp_path / "given", callback=again)
    assert any("stays on the host" in note for note in again.notes)


@pytest.mark.usefixtures("small_device")
def test_a_fit_alone_tells_it_too(tmp_path: Path):
    listens, settings = Listens(), replace(ModelSettings(), **SMALL_MODEL)
    fit(tiny_dataset(), settings, out=tmp_path / "model", callback=listens)
    assert any("stays on the host" in note for note in listens.notes)


@pytest.mark.parametrize(
    ("method", "need"),
    [
        ("rambo", "looks at the whole log"),
        ("morel", "looks at the whole log"),
        ("td3_bc", "learns from a log on the device alone"),
        ("bc", "learns from a log on the device alone"),
    ],
)
def test_a_method_that_needs_more_is_refused_with_the_plan(method: str, need: str, monkeypatch: pytest.MonkeyPatch):
    own: dict[str, Any] = {"model_decay": (0.0, 0.0)} if method == "rambo" else {}
    tiny_plan(method=method, **own)
    with pytest.raises(UserError, match=f"^method: {method} {need}, and --log-on host keeps it off the device; leave"):
        tiny_plan(method=method, log_on="host", **own)
    monkeypatch.setattr(host_log, "free_on_device", lambda: 10**4)
    with pytest.raises(UserError, match=rf"^method: {method} {need}, and --log-on auto keeps it on the host, since"):
        tiny_plan(method=method, **own)
    tiny_plan(method=method, log_on="device", **own)


def test_memory_that_is_gone_after_the_plan_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plan = tiny_plan(method="morel", epochs=1)
    monkeypatch.setattr(host_log, "free_on_device", lambda: 10**4)
    with pytest.raises(UserError, match=r"^method: morel looks at the whole log, and --log-on auto keeps"):
        execute(plan, tmp_path / "run")
