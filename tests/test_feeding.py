"""A log on the host trains to the same bits as on the device, rows drawn and rows fed being the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl import feeding
from micro_rl.buffer import draw_log, rows_of
from micro_rl.errors import UserError
from micro_rl.feeding import fed, on_host, sample, stays_on_host
from micro_rl.fit_feeding import begin, pass_over
from micro_rl.fitting import problem_of
from micro_rl.loop import Keys, turn_keys, update_keys
from micro_rl.plan import make_plan
from micro_rl.run import execute
from tests.probes import TINY, tiny_dataset, tiny_plan

PLAN = tiny_plan(rollout_every=5)
ON_DEVICE = problem_of(PLAN.dataset, PLAN.settings)
ON_HOST = problem_of(PLAN.dataset, replace(PLAN.settings, log_on="host"))
SIZES, KEY = PLAN.settings.sizes(), Keys.of(0).epochs


def test_the_setting_says_where_the_log_is():
    assert on_host(rows_of(ON_HOST.log))
    assert not on_host(rows_of(ON_DEVICE.log))
    assert not stays_on_host(PLAN.settings, rows_of(ON_HOST.log))  # the device is this machine: the log is there


@pytest.mark.parametrize(("free", "stays"), [(10**9, False), (10**4, True)])
def test_by_default_the_free_memory_decides(free: int, stays: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feeding, "_free_memory", lambda: free)
    assert stays_on_host(PLAN.settings, rows_of(ON_HOST.log)) is stays


@pytest.mark.parametrize("number", [0, 3])
def test_every_draw_of_an_epoch_finds_its_row(number: int):
    given = fed(ON_HOST, KEY, number, SIZES).log
    turns = jax.random.split(jax.random.fold_in(KEY, number), SIZES.updates // SIZES.rollout_every)
    for turn in turns:
        (start_key, _), updates = turn_keys(turn, SIZES)
        draws = [(start_key, SIZES.rollout_starts)] + [(update_keys(key)[0], SIZES.real_rows) for key in updates]
        for key, size in draws:
            found, expected = draw_log(given, key, size), draw_log(ON_DEVICE.log, key, size)
            jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_a_log_on_the_device_is_left_alone():
    assert fed(ON_DEVICE, KEY, 0, SIZES) is ON_DEVICE
    assert sample(ON_DEVICE) is ON_DEVICE
    assert rows_of(sample(ON_HOST).log).reward.shape == (2,)


@pytest.mark.parametrize("block", [40_000, 1 << 28])
def test_a_fit_in_blocks_is_the_fit(block: int):
    sizes, (key, *epochs) = PLAN.settings.fit_sizes(), jax.random.split(jax.random.key(1), 3)
    states = [begin(rows_of(problem.log), sizes, key) for problem in (ON_DEVICE, ON_HOST)]
    for epoch_key in epochs:
        results = [
            pass_over(state, rows_of(problem.log), sizes, epoch_key, block)
            for state, problem in zip(states, (ON_DEVICE, ON_HOST), strict=True)
        ]
        jax.tree.map(np.testing.assert_array_equal, *results)
        states = [state for state, _ in results]
    assert int(jnp.asarray(states[0].epoch)) == 2


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


def test_a_method_that_needs_the_whole_log_says_so(tmp_path: Path):
    settings: dict[str, Any] = TINY | {"log_on": "host", "model_decay": (0.0, 0.0)}
    plan = make_plan(tiny_dataset(), "rambo", overrides=settings)
    with pytest.raises(UserError, match="rambo looks at the whole log, which is kept on the host"):
        execute(plan, tmp_path / "run")
