"""Faults planted one at a time in a log that has none: each is found, and nothing else is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.data import load
from micro_rl.data.checks.order import reward_order
from micro_rl.data.read_options import ReadOptions
from micro_rl.errors import UserError
from micro_rl.simulation.log_check import inspect
from tests.data import logs
from tests.data.test_real_logs import DATA

EPISODES, LENGTH = 20, 50


def driven() -> dict[str, np.ndarray]:
    """Two noisy oscillators pushed by one action each; the reward is for staying near 0 with little effort."""
    random = np.random.default_rng(1)
    rows: dict[str, list] = {"observations": [], "actions": [], "rewards": [], "next_observations": []}
    step = np.array([[1, 0.2, 0, 0], [-0.3, 0.9, 0, 0], [0, 0, 1, 0.3], [0, 0, -0.2, 0.95]])
    push = np.array([[0, 0], [0.4, 0], [0, 0], [0, 0.5]])
    for _ in range(EPISODES):
        state = random.normal(size=4)
        for _ in range(LENGTH):
            action = random.uniform(-1, 1, 2)
            after = step @ state + push @ action + 0.01 * random.normal(size=4)
            parts = (state, action, -np.square(after).sum() - np.square(action).sum(), after)
            for values, part in zip(rows.values(), parts, strict=True):
                values.append(part)
            state = after
    arrays = {name: np.array(values, np.float32) for name, values in rows.items()}
    timeouts = np.arange(EPISODES * LENGTH) % LENGTH == LENGTH - 1
    return arrays | {"terminals": np.zeros_like(timeouts), "timeouts": timeouts}


CLEAN = driven()


def kinds(tmp_path: Path, arrays: dict[str, np.ndarray], name="walk", **words) -> dict[str, tuple[int, ...]]:
    """What is found, and the rows; the errors are those for which the log is refused."""
    path = logs.write_hdf5(tmp_path / f"{name}.hdf5", arrays, action_low=-1.0, action_high=1.0)
    inspection = inspect(path, ReadOptions(**words))
    errors = [finding for finding in inspection.findings if finding.level == "error" and finding.kind != "simulator"]
    if errors:
        with pytest.raises(UserError):
            load(path, reading=ReadOptions(**words))
    else:
        load(path, reading=ReadOptions(**words))
    assert len({finding.text for finding in inspection.findings}) == len(inspection.findings)
    return {finding.kind: finding.rows for finding in inspection.findings}


def planted(**changes) -> dict[str, np.ndarray]:
    """A copy of the clean log; each change edits its column in place or gives a new one."""
    arrays = {name: values.copy() for name, values in CLEAN.items()}
    for name, change in changes.items():
        arrays[name] = arrays[name] if (new := change(arrays[name])) is None else new
    return arrays


def put(rows: Any, value: float, column: Any = ...):
    """Writes a value into rows of a column."""

    def change(values):
        values[rows, column] = value

    return change


def test_a_clean_log_has_none(tmp_path):
    assert kinds(tmp_path, planted()) == {}


@pytest.mark.parametrize("column", ["observations", "actions", "rewards"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(tmp_path, column, value):
    assert kinds(tmp_path, planted(**{column: put([7, 300], value)})) == {"not-finite": (7, 300)}


def test_actions_past_their_bounds(tmp_path):
    assert kinds(tmp_path, planted(actions=put([40], 1.5, 1))) == {"out-of-bounds": (40,)}


@pytest.mark.parametrize("rows", [1, -1])
def test_shifted_rewards(tmp_path, rows):
    assert kinds(tmp_path, planted(rewards=lambda rewards: np.roll(rewards, rows))) == {"reward-order": ()}


@pytest.mark.parametrize("rows", [1, -1])
def test_shifted_actions(tmp_path, rows):
    rows_of_kind = kinds(tmp_path, planted(actions=lambda actions: np.roll(actions, rows, axis=0)))
    assert "action-order" in rows_of_kind


def test_a_stuck_sensor(tmp_path):
    def stick(values):
        values[410:440, 2] = values[410, 2]

    rows_of_kind = kinds(tmp_path, planted(observations=stick))
    assert set(rows_of_kind) == {"stuck", "discontinuous"}
    assert rows_of_kind["stuck"] == tuple(range(410, 430))


def test_a_saturated_sensor(tmp_path):
    rows_of_kind = kinds(
        tmp_path,
        planted(observations=lambda o: np.minimum(o, 1), next_observations=lambda o: np.minimum(o, 1)),
    )
    assert set(rows_of_kind) == {"saturated"}


def test_a_thing_that_nobody_has_touched_yet_is_not_saturated(tmp_path):
    def lie_there(values):
        values[400:420, 2] = values[:, 2].max() + 0.1

    assert "saturated" not in kinds(tmp_path, planted(observations=lie_there, next_observations=lie_there))

    def come_there(values):
        values[410:440, 2] = values[:, 2].max() + 0.1

    assert "saturated" in kinds(tmp_path, planted(observations=come_there, next_observations=come_there))


def test_an_actuator_mostly_at_its_bounds(tmp_path):
    rows_of_kind = kinds(tmp_path, planted(actions=lambda a: np.clip(3 * a, -1, 1)))
    assert "action-saturated" in rows_of_kind


def test_a_code_for_missing_values(tmp_path):
    both = {"observations": put([31], -9999, 0), "next_observations": put([30], -9999, 0)}
    rows_of_kind = kinds(tmp_path, planted(**both))
    assert rows_of_kind["outlier"] == (31,)


def test_constant_columns(tmp_path):
    still = {"observations": put(slice(None), 2, 1), "next_observations": put(slice(None), 2, 1)}
    assert "constant" in kinds(tmp_path, planted(**still))
    assert "constant" in kinds(tmp_path, planted(actions=put(slice(None), 0.5, 0)))
    assert "reward-constant" in kinds(tmp_path, planted(rewards=lambda rewards: rewards * 0))


def test_columns_a_millionfold_apart(tmp_path):
    def stretch(values):
        values[:, 3] *= 1e7

    assert set(kinds(tmp_path, planted(observations=stretch, next_observations=stretch))) == {"scales"}


def test_time_limits_marked_as_terminals(tmp_path):
    swapped = planted(terminals=lambda _: CLEAN["timeouts"], timeouts=lambda _: CLEAN["terminals"])
    assert set(kinds(tmp_path, swapped)) == {"terminal-at-limit"}


def test_next_observations_across_an_end(tmp_path):
    crossed = planted(next_observations=lambda _: np.roll(CLEAN["observations"], -1, axis=0))
    assert set(kinds(tmp_path, crossed)) == {"next-crosses-timeout"}


def test_next_observations_from_an_unrecorded_start(tmp_path):
    crossed = planted(next_observations=put(np.arange(LENGTH - 1, EPISODES * LENGTH, LENGTH), 3.0))
    assert set(kinds(tmp_path, crossed)) == {"ends-jump"}


def test_duplicated_and_shuffled_rows(tmp_path):
    again = np.insert(np.arange(1000), 100, 99)
    rows_of_kind = kinds(tmp_path, {name: values[again] for name, values in CLEAN.items()})
    assert rows_of_kind["duplicates"] == (100,)
    order = np.random.default_rng(0).permutation(1000)
    assert "discontinuous" in kinds(tmp_path, {name: values[order] for name, values in CLEAN.items()})


@pytest.mark.parametrize(
    "lengths, kind",
    [((300,), "one-episode"), ((1, 299, 1), "single-step"), ((20, 30), "few-rows"), ((1,), "few-rows")],
)
def test_small_logs(tmp_path, lengths, kind):
    assert kind in kinds(tmp_path, logs.columns(lengths, (False,) * len(lengths)))


def test_ends_that_nobody_told(tmp_path):
    without = {name: values for name, values in CLEAN.items() if name != "timeouts"}
    assert kinds(tmp_path, without) == {"no-timeouts": ()}
    assert kinds(tmp_path, without, horizon=LENGTH) == {}
    never = planted(timeouts=lambda timeouts: timeouts & False)
    assert kinds(tmp_path, never) == {"no-ends": ()}


def test_what_the_name_tells_is_compared(tmp_path):
    assert "simulator" in kinds(tmp_path, CLEAN, "hopper-medium-v2")
    rows_of_kind = kinds(tmp_path, logs.columns((200, 100, 200), (False,) * 3), "pendulum-demo")
    assert "simulator" in rows_of_kind
    assert rows_of_kind["early-timeouts"] == (299,)


def test_bounds_that_the_simulator_does_not_have(tmp_path):
    columns = logs.columns((200, 200), (False, False))
    for name in ("observations", "next_observations"):
        columns[name] = np.concatenate([columns[name], columns[name][:, :1] + 1], axis=1)
    assert "bounds-differ" in kinds(tmp_path, columns, "pendulum-demo")


def test_a_file_that_cannot_be_read_is_one_error(tmp_path):
    path = tmp_path / "log.hdf5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    [finding] = inspect(path).findings
    assert (finding.level, finding.kind) == ("error", "unreadable")


def test_the_embedded_log_is_clean():
    assert inspect("pendulum-demo").findings == []


REAL = {
    "halfcheetah-medium-replay.hdf5": [],
    "hopper-medium-replay.hdf5": ["saturated"],
    "hopper-medium.hdf5": ["saturated"],
    "neorl2/DMSD-high-100000-train.npz": ["action-saturated"],
    "neorl2/DMSD-high-20000-val.npz": ["duplicates", "action-saturated"],
    "neorl2/Fusion-first20-of-val.npz": ["saturated"],
    "neorl2/SafetyHalfCheetah-high-100000-train.npz": [],
    "neorl2/SafetyHalfCheetah-high-20000-val.npz": [],
    "minari/D4RL/door/human-v2": [],
}
"""Each is so: Gymnasium clips Hopper's velocities at 10, for one."""


@pytest.mark.slow
@pytest.mark.parametrize("file", REAL)
def test_no_false_alarm_on_real_logs(file):
    if not (DATA / file).exists():
        pytest.skip("the log is not here")
    assert [finding.kind for finding in inspect(DATA / file).findings] == REAL[file]


SHIFTABLE = [
    "halfcheetah-medium-replay.hdf5",
    "hopper-medium-replay.hdf5",
    "hopper-medium.hdf5",
    "neorl2/Fusion-first20-of-val.npz",
    "neorl2/SafetyHalfCheetah-high-100000-train.npz",
    "neorl2/SafetyHalfCheetah-high-20000-val.npz",
]


OF_AN_OBSERVATION = ("neorl2/Fusion-first20-of-val.npz", 1)
"""Fusion's next observation alone explains its reward: a row later, that is the reward of the row's own observation."""


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, -1])
@pytest.mark.parametrize("file", SHIFTABLE)
def test_rewards_moved_by_a_row_are_found_in_real_logs(file, rows):
    if not (DATA / file).exists():
        pytest.skip("the log is not here")
    log = load(DATA / file)
    order = reward_order(replace(log, rewards=np.roll(log.rewards, rows)))
    assert order is not None
    assert order.suspicious is ((file, rows) != OF_AN_OBSERVATION)
    assert order.best == rows


@pytest.mark.parametrize("seed", range(8))
def test_rewards_that_their_own_row_explains_are_in_order(tmp_path, seed):
    random = np.random.default_rng(seed)
    states, actions = np.zeros((600, 2)), random.uniform(-1, 1, (600, 1))
    after, push = np.zeros((600, 2)), random.normal(size=(1, 2)) * 0.3
    state = random.normal(size=2)
    for row in range(600):
        states[row] = state
        after[row] = state = 0.9 * state + actions[row] @ push + 0.01 * random.normal(size=2)
    arrays = {"observations": states, "actions": actions, "rewards": -np.square(after).sum(1)}
    arrays |= {"next_observations": after, "terminals": np.zeros(600, bool), "timeouts": np.arange(600) == 599}
    assert "reward-order" not in kinds(tmp_path, {name: np.asarray(part, np.float32) for name, part in arrays.items()})


def test_a_scale_of_mere_rounding_is_none(tmp_path):
    def jitter(values):
        values[:, 3] = np.where(np.arange(len(values)) % 2, 300.0, np.nextafter(np.float32(300), np.float32(301)))

    def stretch(values):
        jitter(values)
        values[:, 0] *= 1e3

    assert "scales" not in kinds(tmp_path, planted(observations=stretch, next_observations=stretch))
