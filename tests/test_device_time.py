"""Device time against wall time: steps that overlap, a card's trace, a real trace of this processor."""

import time
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.profiler import ProfileData

from benchmarks import device_time
from benchmarks.device_time import busy, covered, steps

CARD = """
planes { name: "/host:CPU" lines { name: "main" events { offset_ps: 0 duration_ps: 90000000 } } }
planes {
  name: "/device:GPU:0"
  lines { name: "Stream #13(Compute)" events { offset_ps: 0 duration_ps: 2000 } events { offset_ps: 6000 } }
  lines { name: "Stream #14(MemcpyD2D)" timestamp_ns: 1 events { offset_ps: 0 duration_ps: 3000 } }
  lines { name: "XLA Modules" events { offset_ps: 0 duration_ps: 50000 } }
}
"""


def test_steps_that_overlap_count_once_and_gaps_do_not():
    assert covered([(0, 2), (1, 4), (6, 8)]) == pytest.approx(6 / 8)
    assert covered([(0, 10), (2, 3)]) == 1.0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=1, max_size=8))
def test_the_share_is_that_of_marked_moments(made: list[tuple[int, int]]):
    spans = [(float(begin), float(begin + length)) for begin, length in made]
    moments = {moment for begin, length in made for moment in range(begin, begin + length)}
    assert covered(spans) == pytest.approx(len(moments) / (max(moments) + 1 - min(moments)))


def test_of_a_card_its_streams_count_and_nothing_else(tmp_path: Path):
    trace = tmp_path / "card.xplane.pb"
    trace.write_bytes(ProfileData.text_proto_to_serialized_xspace(CARD))
    (spans,) = steps(trace)
    assert sorted(spans) == [(0.0, 2.0), (1.0, 4.0), (6.0, 6.0)]
    assert covered(spans) == pytest.approx(4 / 6)


def test_a_moment_of_this_processor_is_traced():
    @jax.jit
    def long(x: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, 150, lambda _, y: jnp.tanh(y @ x), x)

    x = jnp.eye(500)
    long(x).block_until_ready()

    def epoch() -> None:
        """At work for all of the time, however fast the processor is."""
        end = time.perf_counter() + 0.4
        while time.perf_counter() < end:
            long(x).block_until_ready()

    share = busy(epoch, 0.4)
    assert share is not None and 0 < share <= 1


def test_no_step_in_the_trace_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(device_time, "steps", lambda _: iter([[]]))
    assert busy(lambda: None, 0.0) is None
