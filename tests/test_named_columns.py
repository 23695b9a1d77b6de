"""Names travel: from a table's heading to the run's folder, its page, and the policy, which takes them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import micro_rl
from micro_rl.core.columns import UNNAMED, Column, Columns, distinct
from micro_rl.core.named_values import in_order
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.reports.run import write_report
from micro_rl.storage import policy_file
from micro_rl.storage.run_folder import RunFolder
from tests.test_policy import make, rewritten

NAMED = Columns(
    (
        Column("level", "m", 0.0, 4.5),
        Column("T_air [°C]", "°C", -20.0, 40.0),
        Column("flow"),
        Column("p", "bar", 1.0, 1.0),
        Column("door"),
    ),
    (Column("valve", "%", 0.0, 100.0), Column("heat", "kW")),
)
VALUES = {"door": 1.0, "T_air [°C]": 21.0, "level [m]": 2.5, "flow": 3.0, "p": 4.0}
ROW = [2.5, 21.0, 3.0, 4.0, 1.0]
TOML = """# a tank
observations = ["level", "T_air [°C]", "flow"]
actions = ["valve"]
reward = "-abs(level - 2)"
episode = "batch"
action_bounds = [0, 100]
[units]
level = "m"
"""


class Frame(dict[str, Any]):
    """Like a DataFrame: its names are columns, of which it is the container."""

    keys = None  # type: ignore[assignment]

    @property
    def columns(self) -> list[str]:
        return list(self)


@pytest.mark.parametrize(
    ("name", "unit", "title"),
    [("level", "m", "level [m]"), ("level [m]", "m", "level [m]"), ("T (°C)", "°C", "T (°C)"), ("level", "", "level")],
)
def test_a_unit_is_written_once(name, unit, title):
    assert str(Column(name, unit)) == title


def test_names_stand_for_columns_in_any_order():
    policy = make(columns=NAMED)
    np.testing.assert_array_equal(policy(VALUES), policy(ROW))
    many = {name: value * np.arange(4) for name, value in VALUES.items()}
    rows = np.outer(np.arange(4), ROW)
    for named in (many, Frame(many), {name: values.tolist() for name, values in many.items()}):
        np.testing.assert_array_equal(policy(named), policy(rows))
        np.testing.assert_array_equal(policy.distribution(named)[1], policy.distribution(rows)[1])
    first, second = (policy.sample(given, np.random.default_rng(0)) for given in (many, rows))
    np.testing.assert_array_equal(first, second)


def test_a_policy_without_names_calls_its_columns_by_number():
    policy = make()
    assert [str(column) for column in policy.columns.observations] == ["o0", "o1", "o2", "o3", "o4"]
    np.testing.assert_array_equal(policy({f"o{place}": value for place, value in enumerate(ROW)}), policy(ROW))


def test_with_a_history_the_names_are_the_newest_observations():
    wide = 2 * 5 + 2
    layers = [(np.random.default_rng(0).normal(size=(wide, 4)), np.zeros(4))]
    parts: dict[str, Any] = {"layers": layers, "observation_mean": np.zeros(wide), "observation_std": np.ones(wide)}
    first, second = (make(**parts, history=2, columns=NAMED) for _ in range(2))
    for step in range(3):
        scaled = {name: step * value for name, value in VALUES.items()}
        np.testing.assert_array_equal(first(scaled), second(np.multiply(step, ROW)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {name: value for name, value in VALUES.items() if name != "door"},
            "observation: 'door' is missing; columns: level, T_air [°C], flow, p, door",
        ),
        ({}, "'level', 'T_air [°C]', 'flow', 'p', 'door' are missing"),
        (VALUES | {"x": 1}, "observation: there is no column 'x'; columns: level"),
        (
            {name.replace("T_air [°C]", "T_air"): value for name, value in VALUES.items()},
            r"no column 'T_air' (did you mean 'T_air [°C]'?); 'T_air [°C]' is missing",
        ),
        ({name.replace("[m]", "[mm]"): value for name, value in VALUES.items()}, "no column 'level [mm]'"),
        (VALUES | {"level": 2.5}, "'level' is given twice"),
        (VALUES | {"p": [1, 2]}, "'level' has shape (), 'p' (2,): give one value for each name"),
        ({name: [[1.0]] for name in VALUES}, "has shape (1, 1)"),
        (VALUES | {"p": "high"}, "'p' is no number but 'high'"),
        (VALUES | {"p": 10**400}, "'p' is no number but 1000"),
        (VALUES | {"p": np.nan}, "not finite in column 3 (p [bar])"),
    ],
)
def test_wrong_names_and_values_are_refused_in_one_line(values: dict[str, Any], message: str):
    with pytest.raises(ValueError) as refusal:
        make(columns=NAMED)(values)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


def test_two_columns_of_one_name_need_an_array():
    with pytest.raises(ValueError, match="two columns are called 'a': give an array"):
        in_order({"a": 1}, [Column("a"), Column("a")], "action")
    assert in_order(ROW, NAMED.observations, "observation") is ROW


def test_a_name_that_stands_twice_is_numbered_by_one_that_is_free():
    assert distinct(["a", "b", "a", "a_2", "a"]) == ["a", "b", "a_3", "a_2", "a_4"]


def test_the_file_keeps_names_units_ranges_and_the_description(tmp_path: Path):
    path = tmp_path / "policy.safetensors"
    make(columns=NAMED, mapping=TOML).save(path)
    policy = Policy.load(path)
    assert (policy.columns, policy.mapping) == (NAMED, TOML)
    make(columns=NAMED).save(path)
    assert Policy.load(path).mapping == ""
    make(columns=UNNAMED.filled(5, 2)).save(path)
    plain = path.read_bytes()
    make().save(path)
    assert plain == path.read_bytes() and b'"version":"1"' in plain, "who knows no names can still read it"


@pytest.mark.parametrize(
    "columns",
    [
        "[]",
        "nonsense",
        "[" * 100_000,
        '{"observations": [], "actions": []}',
        json.dumps(NAMED.as_json() | {"actions": []}),
        json.dumps({**NAMED.as_json(), "more": []}),
        json.dumps(NAMED.as_json()).replace('"m"', "3"),
        json.dumps(NAMED.as_json()).replace("40.0", "NaN"),
        json.dumps(NAMED.as_json()).replace("40.0", "1e999"),
        json.dumps(NAMED.as_json()).replace("40.0", "-40.0"),
        json.dumps(NAMED.as_json()).replace("40.0", "null"),
    ],
)
def test_columns_that_are_none_are_refused(columns: str, tmp_path: Path):
    path = tmp_path / "policy.safetensors"
    rewritten(path, {}, {"columns": columns, "version": "3"})
    with pytest.raises(UserError, match="the file is damaged: export the policy again"):
        policy_file.read(path)


def test_other_numbers_of_columns_are_refused():
    with pytest.raises(ValueError, match=r"columns name \(1, 2\) observations and actions, not \(5, 2\)"):
        make(columns=NAMED._replace(observations=(Column("a"),)))


def write_tank(path: Path) -> Path:
    """Three batches of a tank whose flow never changes, and how to read them."""
    random = np.random.default_rng(0)
    numbers = zip("abc" * 10, random.normal(2, 1, 30), random.uniform(0, 100, 30), strict=True)
    rows = [f"{batch},{level:.3f},20.5,3.5,{valve:.2f}" for batch, level, valve in sorted(numbers)]
    path.write_text("\n".join(["batch,level,T_air [°C],flow,valve", *rows, ""]))
    path.with_suffix(".toml").write_text(TOML)
    return path


def test_a_run_keeps_them_in_its_folder_its_policy_and_its_page(tmp_path: Path):
    log = micro_rl.load(write_tank(tmp_path / "tank.csv"))
    assert "observations 1 (T_air [°C]), 2 (flow) never change" in log.notes
    small = {"epochs": 1, "updates_per_epoch": 2, "batch_size": 4, "hidden_sizes": (4,)}
    run = micro_rl.train(log, "bc", out=tmp_path / "run", scoring_model=False, **small)
    config = RunFolder.open(run.path).config()
    columns = Columns.of_json(config["columns"])
    level = log.observations[:, 0]
    assert columns.observations[0] == Column("level", "m", float(str(level.min())), float(str(level.max())))
    assert columns.observations[2] == Column("flow", "", 3.5, 3.5) and columns.actions[0].name == "valve"
    assert config["mapping"] == run.policy.mapping == TOML
    assert Policy.load(run.path / "policy.safetensors").columns == run.policy.columns == columns
    page = write_report(run.path).read_text()
    assert "level [m]" in page and "T_air [°C]" in page and "# a tank" in page
    reading = micro_rl.data.ReadOptions(observations=("level",), actions=("valve",), reward="level", horizon=5)
    (tmp_path / "tank.toml").unlink()
    flags = micro_rl.load(tmp_path / "tank.csv", reading=reading, action_low=0, action_high=100)
    assert flags.mapping == 'horizon = 5\nobservations = ["level"]\nactions = ["valve"]\nreward = "level"\n'


def test_windows_have_the_names_and_ranges_of_the_newest_observation(tmp_path: Path):
    log = micro_rl.load(write_tank(tmp_path / "tank.csv"))
    assert micro_rl.data.windowed(log, 3).measured_columns == log.measured_columns
