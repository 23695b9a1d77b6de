"""The record: its rows, what a kill leaves of it, and that it is read back as a log."""

import csv
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl import Controller, ControlSettings, UserError, load
from micro_rl.control.record import Record
from micro_rl.control.record_toml import policies_of, words_of
from micro_rl.core.columns import Column, Columns
from tests.control.loops import at, of_level, proportional, range_guard

MAPPING = """# by a flag: horizon = 200
observations = ["level", "flow"]
actions = ["valve"]
reward = "-abs(level - 2)"
exogenous = ["flow"]
termination = "level > 3.9"
[task]
horizon = 300
"""


def loop(path: Path, mapping: str = "") -> Controller:
    chosen = ControlSettings(alarm_after=1, healthy_after=1)
    return Controller(proportional(mapping=mapping), range_guard(), chosen, record=path)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_row_tells_what_was_seen_done_and_why(tmp_path: Path):
    path = tmp_path / "record.csv"
    with loop(path) as control:
        control.step(at(1.0))
        control.step(at(1.5), applied_action={"valve": 12.0}, reward=-1.0)
        control.step({"level": None, "flow": 0.25})
        control.step(at(3.0))
        control.reset(terminated=True)
        control.step(at(0.0))
    first, second, third, fourth, fifth = rows(path)
    assert (first["episode"], first["step"], first["level"], first["valve"], first["reward"]) == (
        "0",
        "0",
        "1.0",
        "12.0",
        "-1.0",
    )
    assert (first["who"], first["source"], first["healthy"], first["reason"]) == ("operator", "policy", "1", "healthy")
    assert float(first["advised_valve"]) == pytest.approx(of_level(1.0))
    assert (second["who"], second["valve"], second["reward"]) == ("policy", repr(of_level_float32(1.5)), "")
    assert (third["level"], third["flow"], third["healthy"], third["score"]) == ("", "0.25", "0", "")
    assert (fourth["alarm"], fourth["healthy"], fourth["who"], fourth["terminal"]) == ("1", "0", "fallback: hold", "1")
    assert (fifth["episode"], fifth["step"], fifth["level"]) == ("1", "0", "0.0")


def of_level_float32(level: float) -> float:
    return float(proportional()([level, 0.0])[0])


def test_a_restart_goes_on_in_a_new_episode_and_half_a_line_is_cut_off(tmp_path: Path):
    path = tmp_path / "record.csv"
    with loop(path) as control:
        for level in (1.0, 1.1):
            control.step(at(level))
    with path.open("ab") as file:
        file.write(b"0,2,2026-01-01T00:0")
    with loop(path) as control:
        control.step(at(1.2))
    assert [(row["episode"], row["step"], row["level"]) for row in rows(path)] == [
        ("0", "0", "1.0"),
        ("0", "1", "1.1"),
        ("1", "0", "1.2"),
    ]


def test_a_kill_loses_the_last_row_alone(tmp_path: Path):
    path = tmp_path / "record.csv"
    control = loop(path)
    for level in (1.0, 1.1, 1.2):
        control.step(at(level))
    assert [row["level"] for row in rows(path)] == ["1.0", "1.1"]


@pytest.mark.parametrize(
    ("lost", "numbers"),
    [
        ({2, 3}, [(0, 0, 0), (0, 1, 1), (1, 0, 4), (1, 1, 5), (2, 0, 6), (2, 1, 7)]),
        ({0}, [(0, 0, 1), (0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 5), (1, 0, 6), (1, 1, 7)]),
        ({5}, [(0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 3, 3), (0, 4, 4), (1, 0, 6), (1, 1, 7)]),
        ({1, 3}, [(0, 0, 0), (1, 0, 2), (2, 0, 4), (2, 1, 5), (3, 0, 6), (3, 1, 7)]),
    ],
)
def test_an_episode_ends_where_the_disk_refused_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: set[int], numbers: list[tuple[int, int, int]]
):
    """Eight rows, of which the seventh begins an episode: no transition leads over a hole."""
    path, write, turn = tmp_path / "record.csv", Record.write, iter(range(8))

    def refusing(record: Record, cells: Sequence[Any]) -> None:
        if next(turn) in lost:
            raise OSError(28, "No space left on device")
        write(record, cells)

    monkeypatch.setattr(Record, "write", refusing)
    with pytest.warns(UserWarning, match=f"{len(lost)} rows lost"), loop(path) as control:
        for row in range(8):
            if row == 6:
                control.reset()
            control.step(at(row / 10))
    cells = [(int(row["episode"]), int(row["step"]), round(10 * float(row["level"]))) for row in rows(path)]
    assert cells == numbers


def test_another_file_is_not_written_over(tmp_path: Path):
    path = tmp_path / "record.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="has other columns than this policy's record"):
        loop(path)
    with pytest.raises(UserError, match=r"record\.csv"):
        loop(tmp_path / "none" / "record.csv")
    assert path.read_text() == "a,b\n1,2\n"


def test_the_last_reward_of_an_episode_is_told_with_its_end(tmp_path: Path):
    with loop(tmp_path / "record.csv") as control:
        for episode in range(3):
            for level in (1.0, 1.1, 1.2):
                control.step(at(level), reward=None if level == 1.0 else 1.0)
            control.reset(episode < 2, reward=-5.0)
        control.reset(True, reward="much")
        assert control.step(at(1.0)).reason == "reward: no finite number"
    assert [row["reward"] for row in rows(tmp_path / "record.csv")] == [*(["1.0", "1.0", "-5.0"] * 3), ""]
    log = load(tmp_path / "record.csv")
    assert log.terminals.sum() == 2 and log.rewards[log.terminals].tolist() == [-5.0, -5.0]


@pytest.mark.parametrize("end", ["reset", "close"])
@pytest.mark.parametrize(
    ("applied", "cell", "wrong"),
    [(None, "50.0", None), (20.0, "20.0", None), ("by hand", "", "applied action: 'by hand' is not 1 number")],
)
def test_an_episodes_last_action_may_be_another_one(tmp_path: Path, end: str, applied: Any, cell: str, wrong: str):
    control = loop(tmp_path / "record.csv")
    control.step(at(0.0))
    if end == "close":
        assert control.close(applied_action=applied) == wrong
    else:
        control.reset(applied_action=applied)
        assert control.step(at(0.0)).reason == (wrong or "healthy")
        control.close()
    row = rows(tmp_path / "record.csv")[0]
    assert (row["valve"], row["who"] == "policy", row["healthy"]) == (cell, applied is None, str(int(cell != "")))


def test_a_with_warns_of_what_its_end_refuses_and_the_next_close_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "record.parquet"
    with (
        monkeypatch.context() as patch,
        pytest.warns(match="^record: OSError: gone"),
        loop(path) as control,
    ):
        control.step(at(1.0))
        patch.setattr("micro_rl.control.record.as_parquet", lambda *_: (_ for _ in ()).throw(OSError("gone")))
    assert not path.exists() and control.close() is None and path.read_bytes().startswith(b"PAR1")


@pytest.mark.parametrize("name", ["record.csv", "record.parquet"])
def test_it_is_read_back_as_a_log(tmp_path: Path, name: str):
    with loop(tmp_path / name, MAPPING) as control:
        for episode in range(3):
            for level in np.linspace(0.5, 2.5, 12):  # the guard minds what lies above 2
                control.step(at(float(level), 0.1 * episode))
            control.reset()
    log = load(tmp_path / name)
    assert [column.name for column in log.columns.observations] == ["level", "flow"]
    assert len(log.episodes) == 3 and log.observations[:, 0].max() <= 2.5
    assert log.rewards == pytest.approx(-abs(log.observations[:, 0] - 2), abs=1e-6)
    assert (log.action_low, log.action_high) == (0.0, 100.0)
    assert log.exogenous == (1,) and log.termination is not None and log.task.horizon == 300
    assert set(log.groups) == {"policy"}  # pyright: ignore[reportArgumentType]


def test_nobody_learns_from_an_action_that_is_not_known_or_beyond_the_bounds(tmp_path: Path):
    path = tmp_path / "record.csv"
    with loop(path, MAPPING) as control:
        control.step(at(1.0))
        for applied in ("by hand", [130.0], {"valve": 100.0}):
            control.step(at(1.0), applied)
    cells = [(row["valve"], row["healthy"], row["who"], row["reason"]) for row in rows(path)]
    assert cells[:2] == [
        ("", "0", "unknown", "healthy; what was applied is not known"),
        ("130.0", "0", "operator", "applied action: 'by hand' is not 1 number; what was applied lies beyond the "
         "policy's bounds"),
    ]  # fmt: skip
    assert cells[2][1:3] == ("1", "operator")
    assert load(path).actions.max() == 100


@pytest.mark.parametrize("reward", ["much", float("inf"), [1.0, 2.0], True])
def test_a_reward_that_is_no_number_is_told_and_not_recorded(tmp_path: Path, reward: object):
    with loop(tmp_path / "record.csv") as control:
        control.step(at(1.0))
        assert control.step(at(1.0), reward=reward).reason == "reward: no finite number"
        assert control.step(at(1.0), reward=float(2)).reason == "healthy"
    assert [row["reward"] for row in rows(tmp_path / "record.csv")] == ["", "2.0", ""]


def test_a_parquet_that_is_no_record_is_not_written_over(tmp_path: Path):
    path = tmp_path / "history.parquet"
    path.write_bytes(b"years of it")
    with pytest.raises(UserError, match="is there and is no record"):
        loop(path)
    assert path.read_bytes() == b"years of it" and not path.with_suffix(".csv").exists()
    with pytest.raises(UserError, match="a record's name ends in"):
        loop(tmp_path / "record.csv.gz")


def test_the_toml_of_a_parquet_stays_as_its_user_changed_it(tmp_path: Path):
    path = tmp_path / "record.parquet"
    for content in ("", "# mine"):
        with loop(path, MAPPING) as control:
            control.step(at(1.0))
        beside = path.with_name("record.parquet.toml")
        assert content in beside.read_text()
        beside.write_text(beside.read_text() + "# mine")


def test_both_tomls_of_a_parquet_tell_who_acted_and_a_name_may_be_in_capitals(tmp_path: Path):
    """Another policy goes on, first in the CSV alone; what the user has changed stays."""
    path = tmp_path / "RECORD.PARQUET"
    others = [proportional(action_half=np.array([half]), mapping=MAPPING) for half in (50.0, 40.0, 30.0)]
    beside, own = path.with_name("RECORD.PARQUET.toml"), path.with_name("RECORD.csv.toml")
    for policy, name in zip(others, (path, own.with_suffix(""), path), strict=True):
        with Controller(policy, range_guard(), record=name) as control:
            control.step(at(1.0))
            control.step(at(1.1))
        beside.write_text(beside.read_text() + "# mine\n")
    told = [policies_of(tomllib.loads(file.read_text())) for file in (own, beside)]
    assert told[0] == told[1] == tuple((number, policy.sha256) for number, policy in enumerate(others))
    assert beside.read_text().count("# mine") == 3
    assert len(load(path).observations) == 6 and path.read_bytes().startswith(b"PAR1")


def test_a_reward_that_the_record_cannot_compute_is_a_column_of_its_own(tmp_path: Path):
    own, formulas = 'reward = "reward"', ("", 'reward = "profit"', 'reward = "-abs(level - target)"', "no TOML")
    for number, mapping in enumerate(formulas):
        Record(tmp_path / f"{number}.csv", proportional(mapping=mapping)).close()
        assert own in (tmp_path / f"{number}.csv.toml").read_text()
    Record(tmp_path / "own.csv", proportional(mapping='reward = "abs(`flow`) * 2"')).close()
    assert own not in (tmp_path / "own.csv.toml").read_text()


def test_one_controller_writes_a_record_and_what_its_user_changed_stays(tmp_path: Path):
    path = tmp_path / "record.csv"
    first = loop(path)
    with pytest.raises(UserError, match="another controller is writing it"):
        loop(path)
    first.step(at(1.0))
    first.close()
    toml = path.with_name("record.csv.toml")
    toml.write_text(toml.read_text().replace("where", "# where"))
    loop(path).close()
    assert "# where" in toml.read_text()
    path.write_text("level")
    with pytest.raises(UserError, match="has other columns"):
        loop(path)
    assert path.read_text() == "level"


def test_flags_outrank_the_toml_of_a_description():
    assert words_of(MAPPING)["horizon"] == 200
    assert words_of('# by a flag: reward = "a"\nreward = "b"')["reward"] == "a"


def test_columns_that_are_called_like_the_records_own(tmp_path: Path):
    columns = Columns((Column("reward"), Column("step")), (Column("score"),))
    control = Controller(proportional(columns=columns), record=tmp_path / "record.csv")
    control.step([1.0, 2.0])
    control.close()
    (row,) = rows(tmp_path / "record.csv")
    assert (row["reward"], row["step"], row["reward_"], row["step_"], row["score_"]) == ("1.0", "2.0", "", "0", "")
