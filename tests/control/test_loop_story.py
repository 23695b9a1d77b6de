"""Two tanks under a controller in a closed loop, with all that goes wrong in the plant's story, in one process."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from micro_rl import Controller, ControlSettings, Dataset, Decision, Guard, Policy
from micro_rl.core.columns import Columns
from runs.loop import RATE, SETTINGS, Own
from runs.loop_plant import MINUTES, NAMES, STEPS, STORY, Chapter, Plant, happening
from runs.two_tanks import Controller as PI
from runs.two_tanks import TwoTanks, steady_valve

FAULTS = {
    "lower level sticks": (240, 288, "lower_level: stands still"),
    "lower level missing": (360, 372, "lower_level lost for 4 steps"),
    "inches for metres": (430, 454, "upper_level lost for 4 steps"),
}
"""What the policy must not act in: from which step to which, and why the controller falls back."""
SEEN_AFTER, BACK_AFTER = 6, 40
"""Steps within which a fault is seen, and within which the policy acts again after it."""


class Told(NamedTuple):
    """A step of the story: what the controller decided, and which action had been applied before."""

    decision: Decision
    applied: float


def by_hand(columns: Columns) -> Policy:
    """The valve's steady position for the set-point, roughly, and 40 % for each metre that the level lies below it."""
    weight = np.zeros((4, 2), np.float32)
    weight[1, 0], weight[2, 0] = -0.8, 0.8 + 0.45
    return Policy(
        [(weight, np.array([0.05 - 0.45 * 1.1, 0.0], np.float32))],
        observation_mean=np.zeros(4),
        observation_std=np.ones(4),
        action_mid=[50.0],
        action_half=[50.0],
        columns=columns,
    )


def shifts(episodes: int = 40) -> Dataset:
    """A log of shifts under a PI of many gains, whose operators nudge the valve now and then."""
    rows: dict[str, list[Any]] = {key: [] for key in ("observations", "actions", "rewards", "timeouts")}
    random, plant = np.random.default_rng(0), TwoTanks(MINUTES)
    for episode in range(episodes):
        now, _ = plant.reset(seed=1000 + episode)
        pi, over, nudge = PI(float(random.uniform(20, 80)), float(random.uniform(10, 40))), False, 0.0
        pi.begin(steady_valve(float(now[2])))
        while not over:
            nudge = float(random.normal(0, 12)) if random.random() < 0.1 else nudge
            action = np.clip([pi(now) + nudge], 5, 95).astype(np.float32)
            after, reward, _, over, _ = plant.step(action)
            for key, value in zip(rows, (now, action, reward, over), strict=True):
                rows[key].append(value)
            now = after
    arrays: dict[str, Any] = {key: np.array(values) for key, values in rows.items()}
    return Dataset.from_arrays(
        **arrays, name="tanks", observation_names=NAMES, action_names=["valve"], action_low=0.0, action_high=100.0
    )


def told_by_the_story(policy: Policy, guard: Guard) -> list[Told]:
    """Run the plant until its story is over: in the shadow first, then primed with the last ten steps."""
    plant, loop = Plant(), Controller(policy, guard, ControlSettings(shadow=True))
    past: list[tuple[Any, Any]] = []
    told: list[Told] = []
    while plant.step < STEPS:
        reading = plant.reading()
        if loop.settings.shadow and not reading["shadow"]:
            loop = Controller(policy, guard, SETTINGS, fallback=Own())
            assert not loop.prime(
                [seen for seen, _ in past], [done for _, done in [*past[1:], (0, reading["applied"])]]
            )
        decision = loop.step(reading["observation"], reading["applied"], reading["reward"])
        told.append(Told(decision, plant.applied))
        past = [*past[-9:], (reading["observation"], reading["applied"])]
        plant.take(float(decision.action[0]))
    return told


@pytest.fixture(scope="module")
def story() -> list[Told]:
    guard = Guard.fit(shifts(), RATE)
    return told_by_the_story(by_hand(guard.columns), guard)


def test_the_controller_never_fails_and_keeps_limits_and_rate(story: list[Told]):
    """Counted from what was really applied, the operator's valve and the PI's too; in the shadow it changes nothing."""
    ((low, high),), (rate,) = SETTINGS.limits.values(), SETTINGS.rate.values()
    assert len(story) == STEPS and not any("the controller failed" in told.decision.reason for told in story)
    actions, applied = np.array([told.decision.action[0] for told in story]), np.array([told.applied for told in story])
    shadow = np.array([happening(step, "shadow") for step in range(STEPS)])
    assert np.array_equal(actions[shadow], applied[shadow]) and np.isfinite(actions).all()
    acting = actions[~shadow]
    assert ((low <= acting) & (acting <= high)).all()
    assert np.abs(acting - applied[~shadow]).max() <= rate + 1e-9
    assert (applied[151:175] == 75).all() and applied[175] != 75


@pytest.mark.parametrize("what", FAULTS)
def test_it_falls_back_while_a_sensor_is_wrong_and_comes_back_after(story: list[Told], what: str):
    begins, ends, why = FAULTS[what]
    assert Chapter(begins, ends, what) in STORY
    sources = [told.decision.source for told in story]
    falls = sources.index("fallback: function", begins)
    assert sources[begins - 1] == "policy" and falls - begins <= SEEN_AFTER and why in story[falls].decision.reason
    assert set(sources[falls:ends]) == {"fallback: function"}
    assert "policy" in sources[ends : ends + BACK_AFTER] and story[falls].decision.alarm


def test_two_steps_without_a_value_are_held_and_the_worn_pump_is_seen(story: list[Told]):
    assert [told.decision.source for told in story[338:345]] == ["policy"] * 7
    assert "lower_level held for 2" in story[341].decision.reason
    assert not story[519].decision.alarm and story[-1].decision.alarm
