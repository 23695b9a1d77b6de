"""What a controller makes of trouble: values that stay lost, several dead columns, policies that give no action."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl import Controller, ControlSettings, UserError
from micro_rl.control.alarm import Alarm
from micro_rl.control.guard import PARTS, Guard
from micro_rl.core.columns import Column, Columns
from micro_rl.deploy.exporting import export_python
from micro_rl.deploy.source import Source
from micro_rl.serve.server import serve
from micro_rl.serve.settings import ServeSettings
from tests.control.loops import COLUMNS, at, of_level, proportional, range_guard


class Counting:
    """A fallback that counts its calls, and keeps what it saw."""

    def __init__(self) -> None:
        self.count = 0
        self.seen: list[dict[str, float]] = []

    def __call__(self, observed: dict[str, float]) -> float:
        """The number of the call."""
        self.count += 1
        self.seen.append(observed)
        return float(self.count)

    def call(self, observed: dict[str, float]) -> float:
        """The same, as a method."""
        return self(observed)


def with_function(fallback: Any, guard: Guard | None = None, **settings: Any) -> Controller:
    return Controller(proportional(), guard, ControlSettings(fallback="function", **settings), fallback=fallback)


@pytest.mark.parametrize("broken", [{"flow": 0.0}, {"level": 999.0, "flow": 0.0}])
def test_a_value_that_stays_lost_is_no_number_to_the_fallback(broken: dict[str, float]):
    own = Counting()
    loop = with_function(own, hold_missing=3)
    loop.step(at(2.0))
    assert [loop.step(broken).source for _ in range(3)] == ["policy"] * 3
    lost = loop.step(broken)
    assert lost.source == "fallback: function" and lost.advised is None and "lost for 4 steps" in lost.reason
    assert np.isnan(own.seen[0]["level"]) and own.seen[0]["flow"] == 0.0


def test_a_fallback_policy_without_a_value_that_it_needs_holds(tmp_path: Path):
    proportional().save(tmp_path / "other.safetensors")
    settings = ControlSettings(fallback="policy", fallback_policy="other.safetensors", hold_missing=1)
    loop = Controller(proportional(), None, settings, folder=tmp_path)
    loop.step(at(1.0))
    loop.step({"flow": 0.0})
    decision = loop.step({"flow": 0.0})
    assert (decision.source, decision.action) == ("fallback: hold", pytest.approx([of_level(1.0)]))
    assert "fallback policy gave no action" in decision.reason


@pytest.mark.parametrize("every", [2, 3, 4])
def test_steps_that_could_not_be_judged_count_neither_for_an_alarm_nor_for_its_end(every: int):
    loop = Controller(proportional(), range_guard(), ControlSettings(hold_missing=5, healthy_after=10))
    bad = [loop.step(at(3.9) if step % every == 0 else {"level": 3.9}) for step in range(3 * every)]
    assert next(step for step, decision in enumerate(bad) if decision.alarm) == 2 * every
    good = [loop.step(at(1.0) if step % every == 0 else {"level": 1.0}) for step in range(11 * every)]
    assert next(step for step, decision in enumerate(good) if not decision.alarm) == 9 * every


def test_every_column_that_stands_still_is_no_number_to_the_fallback():
    own, usual = Counting(), np.full(len(PARTS), 1e12)
    usual[PARTS.index("stillness")] = 1.0
    guard = range_guard(still_cost=np.array([1.0, 0.9]), usual=usual, threshold=5.0)
    loop = with_function(own, guard, alarm_after=1)
    decisions = [loop.step(at(2.0, 0.5)) for _ in range(12)]
    assert decisions[-1].source == "fallback: function"
    assert decisions[-1].reason.startswith("level: stands still (stillness")
    assert decisions[-1].reason.endswith("flow stands still")
    assert np.isnan([own.seen[-1]["level"], own.seen[-1]["flow"]]).all()


def still_guard() -> Guard:
    """A guard that minds nothing but a level that stands still, after six steps."""
    usual = np.full(len(PARTS), 1e12)
    usual[PARTS.index("stillness")] = 1.0
    return range_guard(still_cost=np.array([1.0, 0.0]), usual=usual, threshold=5.0)


@pytest.mark.parametrize(
    ("odd", "applied", "first"),
    [
        ({"level": 2.0, "flow": 0.5}, None, 6),
        ({"level": 2.0}, None, 6),
        ({"flow": 0.5}, None, 12),  # six times measured anew
        ({"level": 2.0, "flow": 0.5}, "by hand", 6),
    ],
)
def test_a_column_that_stands_still_is_seen_through_gaps(odd: dict[str, float], applied: Any, first: int):
    loop = Controller(proportional(), still_guard(), ControlSettings(alarm_after=1))
    steps = [loop.step(odd if step % 2 else at(2.0, 0.5), applied_action=applied) for step in range(first + 4)]
    assert [decision.alarm for decision in steps] == [False] * first + [True] * 4
    assert loop.step(at(2.1), applied_action=applied).score == pytest.approx(0.0, abs=1e-9)


def test_a_column_that_stands_still_is_no_number_to_the_fallback_where_another_is_held():
    own = Counting()
    loop = with_function(own, still_guard(), alarm_after=1)
    for step in range(9):
        loop.step({"level": 2.0} if step % 2 else at(2.0, 0.5))
    assert [(np.isnan(seen["level"]), seen["flow"]) for seen in own.seen] == [(True, 0.5)] * 3


@pytest.mark.parametrize(
    ("first", "partly", "fully"),
    [({"bad": True, "full": True}, 15, 3), ({"bad": True, "full": False}, 3, 3), ({"bad": False, "blind": True}, 3, 3)],
)
def test_of_an_alarm_judged_in_full_a_step_judged_in_part_ends_a_fifth(first: dict[str, bool], partly: int, fully: int):
    for full, steps in ((False, partly), (True, fully)):
        alarm = Alarm(ControlSettings(alarm_after=1, healthy_after=3))
        usual = {"bad": False, "blind": False, "known": True, "full": full}
        assert alarm(**usual | first)
        assert [alarm(**usual) for _ in range(steps)] == [True] * (steps - 1) + [False]


def test_the_caller_may_change_what_is_decided():
    loop = Controller(proportional())
    decision = loop.step(at(1.0))
    decision.action[:] = 0.0
    assert decision.advised is not None
    decision.advised[:] = 0.0
    assert loop.step({}).action == pytest.approx([of_level(1.0)])


@pytest.mark.parametrize("fails", [lambda _: np.array([np.nan], np.float32), lambda _: 1 / 0])
def test_a_policy_that_gives_no_action_leads_to_the_fallback(fails: Any, monkeypatch: pytest.MonkeyPatch):
    settings = ControlSettings(fallback="fixed", fixed_action={"valve": 7.0}, healthy_after=2)
    loop = Controller(proportional(), None, settings)
    loop.step(at(1.0))
    with monkeypatch.context() as patch:
        patch.setattr(loop.policy, "of_window", fails)
        failed = loop.step(at(1.0))
    assert (failed.source, failed.action, failed.alarm, failed.advised) == ("fallback: fixed", [7.0], True, None)
    assert failed.reason.startswith("the policy ")
    assert [loop.step(at(1.0)).source for _ in range(2)] == ["fallback: fixed", "policy"]


def test_units_that_are_known_to_differ_are_refused():
    feet = Columns((Column("level", "ft"), COLUMNS.observations[1]), COLUMNS.actions)
    unknown = Columns((Column("level"), COLUMNS.observations[1]), COLUMNS.actions)
    assert feet.unlike(COLUMNS) == "level in ft; not in m" and unknown.unlike(COLUMNS) == ""
    assert Columns(COLUMNS.observations[::-1], COLUMNS.actions).unlike(COLUMNS).startswith("observations flow, level;")
    with pytest.raises(UserError, match=r"guard: its columns are not the policy's \(level in ft; not in m\)"):
        Controller(proportional(), range_guard(columns=feet))
    with pytest.raises(UserError, match="level in ft; not in m"):
        Source(proportional()).guarded(range_guard(columns=feet))


@pytest.mark.parametrize("of", [lambda own: own, lambda own: own.call])
def test_another_system_has_a_fallback_with_a_state_of_its_own(of: Any):
    loop = with_function(of(Counting()), hold_missing=0)
    other = loop.fresh()
    assert [float(each.step({"flow": 0.0}).action[0]) for each in (loop, other, loop, other)] == [1, 1, 2, 2]


def test_a_fallback_that_cannot_be_copied_is_refused(tmp_path: Path):
    own = Counting()
    with (tmp_path / "file").open("w") as file:
        own.file = file  # pyright: ignore[reportAttributeAccessIssue]
        with pytest.raises(UserError, match="fallback: cannot be copied for another system"):
            with_function(own).fresh()
        with pytest.raises(UserError, match="fallback: cannot be copied"):  # before a client begins a session
            serve(with_function(own), ServeSettings(port=0))


def test_another_system_has_the_same_fallback_policy_whatever_became_of_its_file(tmp_path: Path):
    path = tmp_path / "other.safetensors"
    proportional().save(path)
    settings = ControlSettings(fallback="policy", fallback_policy=path.as_posix())
    loop = Controller(proportional(), range_guard(), settings)
    path.unlink()
    assert loop.fresh()._fallbacks.policy is loop._fallbacks.policy


def test_an_export_keeps_the_ranges_that_its_guard_knows(tmp_path: Path):
    bare = Columns(tuple(column._replace(low=None, high=None) for column in COLUMNS.observations), COLUMNS.actions)
    guard = range_guard(high=np.array([4.0, 1.0]), threshold=1e9)
    export_python(Source(proportional(columns=bare)).guarded(guard), tmp_path / "policy.py")
    decision = Controller.from_export(tmp_path / "policy.py").step(at(999.0))
    assert "level 999 is outside" in decision.reason


class Failing:
    """A fallback that always fails."""

    def __call__(self, observed: dict[str, float]) -> float:
        """Nothing."""
        raise ValueError(f"no rule for {len(observed)} values")


@pytest.mark.parametrize("own", [None, Failing()])
@pytest.mark.parametrize("off", [-2.0, 2.0])
@pytest.mark.parametrize("rate", [None, 1.0])
def test_a_hold_stays_where_it_was_though_the_position_is_measured_with_an_offset(own: Any, off: float, rate: Any):
    more: dict[str, Any] = {} if rate is None else {"rate": {"valve": rate}}
    settings = ControlSettings(fallback="function" if own else "hold", **more)
    loop = Controller(proportional(), None, settings, fallback=own)
    decision = loop.step(at(0.0))
    for _ in range(20):
        decision = loop.step({}, applied_action=decision.action + off)
    assert (decision.source, decision.action) == ("fallback: hold", [50.0])


def test_a_hold_follows_a_hand_and_a_fault_of_the_controller_holds_too(monkeypatch: pytest.MonkeyPatch):
    loop = Controller(proportional(), None, ControlSettings(hold_missing=0))
    assert loop.step({}, applied_action=30.0).action == [30.0]
    assert [float(loop.step({}, applied_action=own).action[0]) for own in (27.6, 32.4, 32.6, 30.2)] == [
        30.0,
        30.0,
        32.6,
        32.6,
    ]
    monkeypatch.setattr(loop._system, "see", lambda _: 1 / 0)
    assert [float(loop.step({}, applied_action=own).action[0]) for own in (32.0, 31.0, 20.0)] == [32.6, 32.6, 20.0]
