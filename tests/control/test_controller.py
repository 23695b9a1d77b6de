"""The controller in a loop: what it lets through, holds, limits, falls back to, and how it comes back."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl import Controller, ControlSettings, UserError
from micro_rl.control.guard import PARTS
from micro_rl.core.columns import Column, Columns
from micro_rl.policy import Policy
from tests.control.loops import at, of_level, proportional, range_guard


def controller(guard: Any = None, fallback: Any = None, record: Path | None = None, **settings: Any) -> Controller:
    return Controller(proportional(), guard, ControlSettings(**settings), fallback=fallback, record=record)


def act(loop: Controller, level: float, **words: Any) -> float:
    return float(loop.step(at(level), **words).action[0])


def test_a_healthy_step_is_the_policy_itself():
    decision = controller().step({"level [m]": 1.0, "flow": 0})
    assert decision.action == pytest.approx([of_level(1.0)])
    assert (decision.source, decision.reason, decision.score, decision.alarm) == ("policy", "healthy", None, False)
    assert decision.advised == pytest.approx(decision.action)


@pytest.mark.parametrize("given", [np.array([1.0, 0.0]), [1, 0], (1.0, np.float32(0)), {"flow": 0, "level": 1}])
def test_arrays_lists_and_names_in_any_order_are_the_same(given: Any):
    assert controller().step(given).action == pytest.approx([of_level(1.0)])


def test_a_missing_value_is_held_and_then_the_controller_falls_back_and_comes_back():
    loop = controller(hold_missing=2, healthy_after=2)
    assert act(loop, 1.0) == pytest.approx(of_level(1.0))
    held = [loop.step({"level": float("nan"), "flow": 0.0}) for _ in range(2)]
    assert [decision.source for decision in held] == ["policy"] * 2
    assert "level held for 1" in held[0].reason
    lost = loop.step({"flow": 0.0})
    assert (lost.source, lost.alarm) == ("fallback: hold", True) and "level lost for 3 steps" in lost.reason
    assert lost.action == pytest.approx([of_level(1.0)])
    assert loop.step(at(2.0)).source == "fallback: hold"
    assert act(loop, 2.0) == pytest.approx(of_level(2.0))


def test_the_guard_judges_no_step_across_a_gap():
    usual = np.full(len(PARTS), 1e12)
    usual[2] = 1.0  # surprise alone: how far the level moved
    loop = controller(range_guard(usual=usual))
    scores = [loop.step(at(level)).score for level in (0.0, 0.25, float("nan"), 1.0, 1.5)]
    assert scores[1::3] == [0.25, 0.5] and scores[2] is None and scores[3] == pytest.approx(0)
    loop.step(at(2.0), applied_action="by hand")
    assert loop.step(at(2.25)).score == 0.25


@pytest.mark.parametrize("given", [np.ma.masked_greater([1.0, 9.0], 5.0), {"level": 1.0, "flow": np.ma.masked}])
def test_a_masked_value_is_missing(given: Any):
    loop = controller()
    loop.step(at(0.0))
    decision = loop.step(given)
    assert decision.action == pytest.approx([of_level(1.0)]) and "flow held for 1" in decision.reason


@pytest.mark.parametrize("value", [True, np.bool_(True), np.array(True), np.array([True])])
def test_true_is_no_number(value: Any):
    loop = controller()
    decision = loop.step(at(value))
    assert "no number for level" in decision.reason and decision.advised is None
    assert "no number for valve" in loop.step(at(1.0), [value]).reason


@pytest.mark.parametrize("value", [True, np.bool_(True), np.array([True])])
def test_true_is_one_of_a_switch(value: Any):
    """Of a column that goes from 0 to 1 in the log."""
    columns = Columns((Column("level", "m", 0.0, 4.0), Column("pump", "", 0.0, 1.0)), (Column("valve", "%", 0.0, 1.0),))
    unit: dict[str, Any] = {"action_mid": np.array([0.5]), "action_half": np.array([0.5])}
    loop = Controller(proportional(columns=columns, **unit), None)
    assert loop.step({"level": 1.0, "pump": value}).reason == "healthy"
    assert loop.step([1.0, value], value).reason == "healthy"


@pytest.mark.parametrize("applied", [20, np.float32(20), np.array(20.0), np.array([[20]]), {"valve [%]": 20}])
def test_one_action_may_come_as_a_number_of_any_kind(applied: Any):
    loop = controller(rate={"valve": 0.0})
    act(loop, 0.0)
    assert loop.step(at(0.0), applied).action == [20.0]


def test_what_no_sensor_can_show_counts_as_missing():
    loop = controller(range_margin=0.5)
    act(loop, 1.0)
    for level in (-2.5, 6.5, 1e6, float("inf")):
        decision = loop.step(at(level))
        assert decision.action == pytest.approx([of_level(1.0)]) and "level" in decision.reason
        act(loop, 1.0)
    assert controller(ranges={"level": (0.0, 3.0)}).step(at(3.5)).source == "fallback: hold"


def test_an_episodes_first_action_has_a_rate_only_where_the_last_one_is_told():
    loop = controller(rate={"valve": 5.0})
    assert loop.step(at(1.0)).action[0] == pytest.approx(of_level(1.0))
    loop.reset()
    assert loop.step(at(1.0), applied_action=[20.0]).action[0] == 25
    loop.prime([at(1.0)], [[30.0]])
    assert loop.step(at(1.0)).action[0] == 35


def test_the_applied_action_is_what_rates_are_counted_from():
    loop = controller(rate={"valve": 5.0})
    assert act(loop, 0.0) == 50.0
    assert act(loop, 2.0) == 55.0
    assert act(loop, 2.0, applied_action={"valve": 20.0}) == 25.0
    assert "valve slowed" in loop.step(at(2.0)).reason


def test_limits_win_over_everything_and_clamps_bind_the_policy_alone():
    loop = controller(clamp={"valve": (0.0, 60.0)}, limits={"valve": (10.0, 90.0)}, hold_missing=0)
    assert act(loop, 3.0) == 60.0
    assert loop.step({}, applied_action=[95.0]).action == [90.0]
    assert loop.step({}, applied_action=[85.0]).action == [85.0]


def test_the_guard_needs_three_of_five_and_ten_healthy_ones():
    loop = controller(range_guard(), alarm_after=3, alarm_window=5, healthy_after=4)
    sources = [loop.step(at(level)).source for level in (1, 3, 1, 3, 1, 3, 1, 1, 1, 1, 1)]
    assert sources == ["policy"] * 5 + ["fallback: hold"] * 4 + ["policy"] * 2


def test_an_alarm_names_the_column_and_the_part():
    loop = controller(range_guard(), alarm_after=1)
    decision = loop.step(at(3.0))
    assert decision.reason == "level: out of its range in the log (range: score 1, limit 0.5)"
    assert decision.score == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kind", "expected", "words"),
    [
        ("fixed", 7.0, {"fixed_action": {"valve": 7.0}}),
        ("policy", 50.0, {"fallback_policy": "cloned.safetensors"}),
        ("function", 30.0, {}),
    ],
)
def test_in_an_alarm_the_fallback_acts(tmp_path: Path, kind: Any, expected: float, words: dict[str, Any]):
    proportional(layers=[(np.zeros((2, 2)), np.zeros(2))]).save(tmp_path / "cloned.safetensors")
    settings = ControlSettings(fallback=kind, alarm_after=1, **words)
    function = (lambda values: {"valve": 10 * values["level"]}) if kind == "function" else None
    loop = Controller(proportional(), range_guard(), settings, fallback=function, folder=tmp_path)
    decision = loop.step(at(3.0))
    assert (decision.source, decision.action) == (f"fallback: {kind}", pytest.approx([expected]))
    assert decision.advised == pytest.approx([of_level(3.0)])


class Integrator:
    """A user's PI whose output is taken over without a bump."""

    def begin(self, action: dict[str, float]) -> None:
        self.output = action["valve"]

    def __call__(self, observation: dict[str, float]) -> float:
        return self.output + observation["level"]


def test_the_users_function_is_told_what_it_takes_over_from():
    settings = ControlSettings(fallback="function", alarm_after=1)
    loop = Controller(proportional(), range_guard(), settings, fallback=Integrator())
    act(loop, 0.0)
    assert loop.step(at(3.0), applied_action=40.0).action == [43.0]


class Leaving:
    """A fallback that ends its process wherever it is called."""

    def begin(self, action: dict[str, float]) -> None:
        """Called when it takes over."""
        sys.exit(f"{action}")

    def __call__(self, observation: dict[str, float]) -> float:
        """Called at every step."""
        sys.exit(f"{observation}")


@pytest.mark.parametrize(
    "bad",
    [lambda _: 1 / 0, lambda _: float("nan"), lambda _: "70", lambda _: None, lambda: 1, Leaving()],
)
def test_a_function_that_fails_is_replaced_by_the_last_action(bad: Any):
    settings = ControlSettings(fallback="function", alarm_after=1)
    loop = Controller(proportional(), range_guard(), settings, fallback=bad)
    act(loop, 1.0)
    decision = loop.step(at(3.0))
    assert (decision.source, decision.action) == ("fallback: hold", pytest.approx([of_level(1.0)]))
    assert "fallback function" in decision.reason


def test_the_shadow_leaves_the_action_and_says_what_it_would_have_done():
    loop = controller(shadow=True)
    decision = loop.step(at(1.0), applied_action={"valve": 12.0})
    assert (decision.source, decision.action) == ("shadow", pytest.approx([12.0]))
    assert decision.advised == pytest.approx([of_level(1.0)]) and "policy would act" in decision.reason


def test_in_the_shadow_what_nobody_told_was_not_what_it_would_have_done(tmp_path: Path):
    with controller(shadow=True, record=tmp_path / "record.csv") as loop:
        assert "not told" not in loop.step(at(1.0)).reason  # nothing was decided before
        silent = loop.step(at(2.0))
        assert silent.action == pytest.approx([of_level(2.0)])  # not held at what it would have done at first
        assert "applied action: not told, so the shadow does not know it" in silent.reason
        assert loop.step(at(1.0), applied_action=12.0).action == [12.0]
        assert loop.step(at(1.0)).action == [12.0]
    rows = [line.split(",") for line in (tmp_path / "record.csv").read_text().splitlines()[1:]]
    assert [row[5] for row in rows] == ["", "12.0", "", ""]


@pytest.mark.parametrize("applied", [1e30, -1e4, [250.0]])
def test_an_applied_action_that_no_actuator_can_do_is_not_remembered(applied: Any, tmp_path: Path):
    with controller(rate={"valve": 5.0}, record=tmp_path / "record.csv") as loop:
        assert act(loop, 0.0) == 50.0
        decision = loop.step(at(2.0), applied_action=applied)
        assert decision.action == [55.0] and "is outside -100 to 200" in decision.reason
        assert loop.step(at(2.0), applied_action=150.0).action == [100.0]  # beyond the bounds, and possible
    rows = (tmp_path / "record.csv").read_text().splitlines()[1:]
    assert [row.split(",")[5] for row in rows] == ["", "150.0", "100.0"]
    wide = controller(limits={"valve": (0.0, 400.0)}, rate={"valve": 5.0})
    assert wide.step(at(0.0)).action == [50.0] and act(wide, 2.0, applied_action=390.0) == 385.0


def test_a_history_remembers_what_was_applied_and_can_be_primed():
    weight = np.zeros((5, 2), np.float32)
    weight[4, 0] = 0.01  # the last action alone
    policy = proportional(2, layers=[(weight, np.zeros(2))])
    loop = Controller(policy)
    assert loop.step(at(1.0)).action == pytest.approx([50 + 50 * np.tanh(0.5)])
    assert loop.step(at(1.0), applied_action=[20.0]).action == pytest.approx([50 + 50 * np.tanh(0.2)])
    assert loop.prime([at(1.0), at(2.0)], [[30.0], [80.0]]) == ()
    assert loop.step(at(1.0)).action == pytest.approx([50 + 50 * np.tanh(0.8)])
    assert loop.prime([at(1.0)], []) != ()
    assert "the past cannot be read" in loop.step(at(1.0), applied_action=[20.0]).reason
    assert loop.step(at(1.0)).reason == "healthy"
    loop.prime([at(1.0)], [])
    assert loop.step(at(1.0)).action == pytest.approx([50 + 50 * np.tanh(0.5)])  # an episode's first


def test_a_new_episode_forgets():
    loop = controller(rate={"valve": 1.0})
    act(loop, 0.0)
    loop.reset()
    assert act(loop, 2.0) == pytest.approx(of_level(2.0))


def test_a_fresh_one_shares_no_past():
    loop = controller(rate={"valve": 1.0})
    act(loop, 0.0)
    assert act(loop.fresh(), 2.0) == pytest.approx(of_level(2.0))


def test_wrong_names_are_told_and_the_rest_is_used():
    decision = controller().step({"level": 1.0, "flow": 0.0, "levle": 3.0})
    assert decision.action == pytest.approx([of_level(1.0)])
    assert "there is no column 'levle' (did you mean 'level'?)" in decision.reason


def test_a_fault_of_the_controller_itself_holds_the_last_action(monkeypatch: pytest.MonkeyPatch):
    loop = controller()
    act(loop, 1.0)
    monkeypatch.setattr(loop._limits, "clamped", lambda *_: 1 / 0)
    decision = loop.step(at(2.0))
    assert (decision.source, decision.action) == ("fallback: hold", pytest.approx([of_level(1.0)]))
    assert "the controller failed (ZeroDivisionError" in decision.reason


def test_what_does_not_fit_is_said_before_the_loop(tmp_path):
    cases: list[tuple[dict[str, Any], str]] = [
        ({"rate": {"valv": 1.0}}, "rate: there is no column 'valv' \\(did you mean 'valve'"),
        ({"limits": {"valve": (60.0, 90.0)}, "clamp": {"valve": (0.0, 50.0)}}, "nothing is left"),
        ({"fallback": "fixed", "fixed_action": {"other": 1.0}}, "fixed_action: there is no column"),
        ({"fallback": "function"}, "fallback: give a function"),
        ({"fallback": "policy", "fallback_policy": (tmp_path / "none").as_posix()}, "no such file"),
    ]
    cases += [
        ({"fixed_action": {"valve": 40.0}}, "fixed_action: the fallback is 'hold'; say fallback = 'fixed'"),
        ({"fallback_policy": "other"}, "fallback_policy: the fallback is 'hold'; say fallback = 'policy'"),
    ]
    for settings, words in cases:
        with pytest.raises(UserError, match=words):
            Controller(proportional(), None, ControlSettings(**settings))
    other = Columns((Column("height"), Column("flow")), (Column("valve"),))
    with pytest.raises(UserError, match="guard: its columns are not the policy's"):
        Controller(proportional(columns=other), range_guard())


@pytest.mark.parametrize(
    "names",
    [
        (("level", "level"), ("valve",), "observations are called 'level'"),
        (("a", "b"), ("v", "v"), "actions are called 'v'"),
    ],
)
def test_columns_of_one_name_are_refused_before_the_loop(names: tuple[Any, Any, str]):
    """A decision by names would leave an actuator out."""
    observations, actions, words = names
    columns = Columns(*(tuple(map(Column, part)) for part in (observations, actions)))
    act = len(actions)
    policy = Policy(
        [(np.zeros((2, 2 * act)), np.zeros(2 * act))], observation_mean=[0, 0], observation_std=[1, 1],
        action_mid=np.zeros(act), action_half=np.ones(act), columns=columns,
    )  # fmt: skip
    with pytest.raises(UserError, match=f"policy: several {words}, and a controller goes by names"):
        Controller(policy)


@pytest.mark.parametrize("of", ["policy", "fallback"])
def test_a_saturated_policy_is_within_its_bounds_and_nothing_is_clamped(tmp_path: Path, of: str):
    bounds: dict[str, Any] = {"action_mid": np.array([0.05]), "action_half": np.array([0.05])}
    saturated = proportional(layers=[(np.zeros((2, 2)), np.array([50.0, 0.0]))], **bounds)
    assert float(saturated([0.0, 0.0])[0]) < 0.1
    saturated.save(tmp_path / "other.safetensors")
    settings = ControlSettings(fallback="policy", fallback_policy="other.safetensors", alarm_after=1)
    decision = Controller(saturated, range_guard(), settings, folder=tmp_path).step(at(0.0 if of == "policy" else 3.0))
    assert decision.action == pytest.approx([0.1]) and decision.action < 0.1 and decision.source.startswith(of)
    assert not any(word in decision.reason for word in ("clamped", "limited"))


@pytest.mark.parametrize(
    ("setting", "name", "unit", "value"),
    [
        ("limits", "valve", "%", (0.0, 90.0)),
        ("clamp", "valve", "%", (0.0, 90.0)),
        ("rate", "valve", "%", 5.0),
        ("ranges", "level", "m", (0.0, 4.0)),
        ("fixed_action", "valve", "%", 40.0),
    ],
)
def test_a_column_is_in_a_table_once(setting: str, name: str, unit: str, value: Any):
    words: dict[str, Any] = {setting: {name: value, f"{name} [{unit}]": value}}
    words |= {"fallback": "fixed"} if setting == "fixed_action" else {}
    with pytest.raises(UserError, match=rf"^{setting}: '{name}' is given twice, as '{name} \[{unit}\]' too; leave one"):
        Controller(proportional(), None, ControlSettings(**words))


def test_a_folder_holds_all_of_it(tmp_path):
    settings = ControlSettings(fallback="fixed", fixed_action={"valve": 7.0}, rate={"valve": 5.0}, alarm_after=1)
    Controller(proportional(), range_guard(), settings).save(tmp_path / "plant")
    loop = Controller.load(tmp_path / "plant")
    assert loop.settings == settings
    assert loop.step(at(3.0)).source == "fallback: fixed"
    assert Controller.load(tmp_path / "plant", settings=ControlSettings()).step(at(3.0)).source == "policy"
    with pytest.raises(UserError, match="is no controller's folder"):
        Controller.load(tmp_path)
    (tmp_path / "plant" / "guard.safetensors").unlink()
    with pytest.raises(UserError, match=r"plant: guard\.safetensors is lost: bring it back"):
        Controller.load(tmp_path / "plant")
    (tmp_path / "plant" / "parts.json").unlink()  # as before such folders named their parts
    with pytest.raises(UserError, match=r"guard\.safetensors is lost"):
        Controller.load(tmp_path / "plant")
    Controller(proportional()).save(tmp_path / "plant")
    assert Controller.load(tmp_path / "plant").guard is None  # the last one's is gone
    (tmp_path / "plant" / "controller.toml").unlink()
    with pytest.raises(UserError, match=r"no controller\.toml in it"):
        Controller.load(tmp_path / "plant")
