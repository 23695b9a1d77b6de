"""Whatever comes in, the controller answers with a finite action within the limits, and raises nothing."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from micro_rl import Controller, ControlSettings
from micro_rl.control.guard import Guard
from tests.control.loops import proportional, range_guard


class Nasty:
    """An object that raises at every touch."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("touched")

    def __len__(self) -> int:
        raise RuntimeError("counted")

    def __bool__(self) -> bool:
        raise RuntimeError("asked")

    def __iter__(self) -> Any:
        raise OSError("walked through")

    def __repr__(self) -> str:
        raise ValueError("shown")


class Endless(dict[str, float]):
    """A mapping whose items cannot be had."""

    def items(self) -> Any:
        raise KeyError("items")


NUMBERS = st.one_of(
    st.floats(), st.integers(-(10**400), 10**400), st.sampled_from([1e308, -1e308, 5e-324, np.nan, np.float32(3)])
)
SCALARS = st.one_of(
    NUMBERS,
    st.none(),
    st.text(max_size=5),
    st.booleans(),
    st.binary(max_size=3),
    st.complex_numbers(),
    st.just(Nasty()),
)
NAMES = st.one_of(
    st.sampled_from(["level", "flow", "valve", "level [m]", "valve [%]", ""]), st.text(max_size=5), st.integers()
)
ANYTHING = st.one_of(
    SCALARS,
    st.lists(st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=4),
    st.dictionaries(NAMES, SCALARS, max_size=5),
    st.fixed_dictionaries({"level": NUMBERS, "flow": NUMBERS}),
    st.tuples(NUMBERS, NUMBERS),
    st.sampled_from([np.zeros((2, 2)), np.array(["a", "b"]), np.array([1, "b"], object), np.zeros(2, complex)]),
    st.builds(np.array, st.lists(st.floats(), min_size=2, max_size=2)),
    st.just(Endless(level=1.0)),
)
STEPS = st.lists(st.tuples(ANYTHING, ANYTHING, ANYTHING), min_size=1, max_size=6)
BOUNDS: dict[str, Any] = {
    "limits": {"valve": (5.0, 95.0)}, "rate": {"valve": 10.0}, "hold_missing": 1, "alarm_after": 1
}  # fmt: skip


def answered(loop: Controller, steps: Any) -> None:
    """Take the steps, and look at every answer."""
    for observation, applied, reward in steps:
        decision = loop.step(observation, applied, reward)
        assert decision.action.shape == (1,) and 5 <= decision.action[0] <= 95
        assert decision.reason and "\n" not in decision.reason
        decision.as_dict(loop.columns)


@given(steps=STEPS, history=st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_any_observation_action_and_reward(steps: Any, history: int):
    answered(Controller(proportional(history), range_guard(), ControlSettings(**BOUNDS)), steps)


@given(steps=STEPS, gives=ANYTHING)
@settings(max_examples=80, deadline=None)
def test_any_answer_of_the_users_function(steps: Any, gives: Any):
    chosen = ControlSettings(**BOUNDS, fallback="function")
    answered(Controller(proportional(), range_guard(threshold=1e-9), chosen, fallback=lambda _: gives), steps)


@given(past=ANYTHING, actions=ANYTHING, steps=STEPS)
@settings(max_examples=80, deadline=None)
def test_any_past(past: Any, actions: Any, steps: Any):
    loop = Controller(proportional(3), range_guard(), ControlSettings(**BOUNDS))
    assert isinstance(loop.prime(past, actions), tuple)
    loop.prime([past, past], [actions, actions])
    answered(loop, steps)


@given(steps=STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_goes_into_the_record(tmp_path: Path, steps: Any):
    with Controller(proportional(), range_guard(), ControlSettings(**BOUNDS), record=tmp_path / "record.csv") as loop:
        answered(loop, steps)
        loop.reset()
        answered(loop, steps)
    lines = (tmp_path / "record.csv").read_text().splitlines()
    assert len({line.count(",") for line in lines if '"' not in line}) <= 1


class Uncounted:
    """An object whose length is none, so that it is neither true nor false."""

    def __len__(self) -> int:
        return -1


@given(terminated=st.one_of(ANYTHING, st.just(Uncounted()), st.just(np.array([True, False]))), steps=STEPS)
@settings(max_examples=80, deadline=None)
def test_any_end_of_an_episode(terminated: Any, steps: Any):
    loop = Controller(proportional(2), range_guard(), ControlSettings(**BOUNDS))
    answered(loop, steps)
    loop.reset(terminated, reward=terminated)
    answered(loop, steps)


@pytest.mark.parametrize("make", [lambda: np.array([True, False]), Nasty, Uncounted])
def test_an_end_that_cannot_be_read_is_none_and_told(tmp_path: Path, make: Any):
    with Controller(proportional(), range_guard(), record=tmp_path / "record.csv") as loop:
        loop.step([1.0, 0.0])
        loop.reset(make())
        assert loop.step([1.0, 0.0]).reason == "terminated: neither true nor false"
        assert loop.step([1.0, 0.0]).reason == "healthy"
        loop.reset(True)
    rows = list(csv.DictReader((tmp_path / "record.csv").read_text().splitlines()))
    assert [row["terminal"] for row in rows] == ["0", "0", "1"] and rows[1]["episode"] == "1"


@pytest.mark.parametrize("where", ["policy", "guard", "fallback"])
def test_a_full_disk_and_a_guard_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str):
    loop = Controller(proportional(), range_guard(), ControlSettings(**BOUNDS), record=tmp_path / "record.csv")
    monkeypatch.setattr("os.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    monkeypatch.setattr(Guard, "read", lambda *_: 1 / 0) if where == "guard" else None
    answered(loop, [([1.0, 0.0], None, 0.0)] * 4)
    decision = loop.step([1.0, 0.0])
    assert "record: 4 rows lost (OSError: [Errno 28] No space left on device)" in decision.reason
    assert loop.close() is not None
