"""An epoch computed in a thread: it goes on beside this one, under the settings of the thread that asked."""

import threading
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.learner import EpochResult
from micro_rl.training.async_epoch import CompiledStep, EpochExecutor
from micro_rl.training.evaluator import PolicyEvaluator
from micro_rl.training.program import Program
from micro_rl.training.runner import execute
from tests.probes import tiny_plan

LONG = 30.0
"""Seconds after which a test that waits has failed."""


def test_a_call_that_blocks_leaves_this_thread_free():
    go_on = threading.Event()

    def call() -> EpochResult:
        assert go_on.wait(LONG)
        return "after", {"loss": jnp.asarray(2.0)}, {"loss": jnp.asarray(0)}

    with EpochExecutor() as executor:
        executor.submit(call)
        go_on.set()  # by this thread, which the call has not held up
        state, means, first_bad, seconds = executor.result()
    assert (state, float(means["loss"]), int(first_bad["loss"])) == ("after", 2.0, 0)
    assert seconds >= 0


def test_what_a_call_raises_rises_where_its_outcome_is_asked_for():
    def call() -> EpochResult:
        raise FloatingPointError("at row 7")

    with EpochExecutor() as executor:
        executor.submit(call)
        with pytest.raises(FloatingPointError, match="at row 7"):
            executor.result()
        executor.submit(lambda: ("another", {}, {}))
        assert executor.result().states == "another"


def test_a_program_is_compiled_once_and_under_the_settings_of_the_thread_that_asks():
    compiled_under, config = [], cast(Any, jax.config)

    def grow(x: jax.Array, *, by: int) -> EpochResult:
        compiled_under.append(config.jax_default_matmul_precision)
        return x + by, {"was": x}, {}

    program = CompiledStep(jax.jit(grow, static_argnames="by", donate_argnames="x"), by=3)
    with EpochExecutor() as executor:
        with jax.default_matmul_precision("highest"):
            executor.submit(program.call(jnp.zeros(2)))
        state = executor.result().states
        executor.submit(program.call(state))
        np.testing.assert_array_equal(executor.result().states, [6.0, 6.0])
    assert compiled_under == ["highest"]


def test_an_epoch_is_evaluated_beside_the_next_even_where_a_call_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    evaluated, honest = threading.Semaphore(0), Program.epoch

    def blocking(program: Program, state: Any, c: Any) -> Any:
        call, number = honest(program, state, c), int(state.epoch[0])

        def done_after_the_evaluation() -> Any:
            assert number == 0 or evaluated.acquire(timeout=LONG), "the epoch before is not evaluated beside this one"
            return call()

        return done_after_the_evaluation

    monkeypatch.setattr(Program, "epoch", blocking)
    monkeypatch.setattr(PolicyEvaluator, "__call__", lambda *_: evaluated.release() or {})
    run = execute(tiny_plan(epochs=3, eval_every=1, max_fit_epochs=1), tmp_path / "run")
    assert [row["epoch"] for row in run.metrics] == [1, 2, 3]
