"""What a record shows: who acted, alarms, drift, windows and the test that may decide after any of them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl import Controller, ControlSettings, Dataset, UserError
from micro_rl.cli.main import run as command
from micro_rl.core.columns import Column, Columns
from micro_rl.data.loading import load
from micro_rl.data.parts import part
from micro_rl.data.stretches import greatest_length, stretches
from micro_rl.data.writers.hdf5 import write_log
from micro_rl.reports.monitor.drift import _as_logged, by_lot, compared, drifts, in_order, stability_index
from micro_rl.reports.monitor.findings import alarms, find, windows
from micro_rl.reports.monitor.panels import scores
from micro_rl.reports.monitor.recorded import Recorded, read
from micro_rl.reports.run.figures import BLUE, PURPLE, VERMILION
from micro_rl.trust.trial import margin
from micro_rl.trust.watching import watch
from tests.control.loops import COLUMNS, at, proportional, range_guard


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Twenty steps of the policy with an alarm of four, then an episode without a flow."""
    path = tmp_path / "record.csv"
    settings = ControlSettings(alarm_after=1, healthy_after=2)
    with Controller(proportional(), range_guard(), settings, record=path) as loop:
        for step in range(20):
            loop.step(at(3.0 if step in (8, 9) else 1.0), reward=1.0)
        loop.reset()
        for _ in range(5):
            loop.step(at(1.5, float("nan")), applied_action=[33.0], reward=2.0)
    return path


def plant(rows: int = 400) -> Dataset:
    random = np.random.default_rng(0)
    observed = np.stack([random.uniform(0, 2, rows), random.normal(size=rows)], -1)
    over = np.arange(rows) % 20 == 19
    return Dataset.from_arrays(
        observed, random.uniform(0, 100, (rows, 1)), random.normal(size=rows), None, over, name="tank",
        observation_names=["level", "flow"], action_names=["valve"], action_low=0.0, action_high=100.0,
    )  # fmt: skip


def test_a_record_is_read_with_all_of_its_rows(recorded: Path):
    record = read(recorded)
    assert (len(record), record.last_limit, record.rate) == (25, 0.5, 0.01)
    assert record.alarm.sum() == 8 and np.isnan(record.observations[-1, 1])
    assert record.rewards[:3].tolist() == [1.0, 1.0, 1.0] and np.isnan(record.rewards[-1])


@pytest.mark.parametrize("name", ["record.parquet", "record.PARQUET"])
def test_a_record_in_parquet_is_read_from_its_csv(recorded: Path, name: str):
    assert len(read(recorded.with_name(name))) == 25


def test_who_acted_and_the_alarms(recorded: Path):
    findings = find(read(recorded), None)
    assert dict(findings.who) == {"policy": 17, "fallback: hold": 8}
    assert (findings.steps, findings.episodes, findings.above) == (25, 2, 2)
    first, second = findings.alarms
    assert (first.begins, first.steps, first.worst) == (8, 3, 1.0) and "out of its range" in first.reason
    assert (second.begins, second.line, second.steps) == (20, 22, 5) and np.isnan(second.worst)


@pytest.mark.parametrize(
    ("step", "stretches"),
    [([0, 1, 0, 1, 2, 3, 4], [(1, 1), (2, 2), (6, 1)]), ([0, 1, 0, 9, 10, 11, 12], [(1, 1), (2, 1), (3, 1), (6, 1)])],
)
def test_an_alarm_ends_with_its_episode_and_where_a_row_is_missing(step: list[int], stretches: list[tuple[int, int]]):
    rows = {"alarm": np.array([0, 1, 1, 1, 0, 0, 1]) == 1, "episode": np.array([0, 0, 1, 1, 1, 1, 1])}
    record = _bare(**rows, step=np.array(step, float), score=np.array([9.0, np.nan, 2.0, 3.0, 9.0, 9.0, 1.0]))
    assert [(alarm.begins, alarm.steps) for alarm in alarms(record)] == stretches
    worst = [alarm.worst for alarm in alarms(record)]
    assert np.isnan(worst[0]) and max(worst[1:-1]) == 3.0 and worst[-1] == 1.0


def _bare(**fields: Any) -> Recorded:
    rows = len(fields["alarm"])
    nothing, words = np.full((rows, 1), np.nan), ("",) * rows
    plain: dict[str, Any] = dict.fromkeys(("observations", "actions", "advised"), nothing)
    plain |= dict.fromkeys(("rewards", "score", "limit"), nothing[:, 0]) | {"rate": None}
    plain |= dict.fromkeys(("times", "who", "source", "reasons"), words)
    plain |= {
        "step": np.arange(float(rows)),
        "healthy": np.ones(rows, bool),
        "terminal": np.zeros(rows, bool),
        "columns": proportional().columns,
    }
    return Recorded(**(plain | fields))


def _ending(episodes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Episodes that go on with a probability of 0.95 from step to step: of each row its number, and whether it ends."""
    lengths = np.random.default_rng(seed).geometric(0.05, episodes)
    return np.repeat(np.arange(episodes), lengths), np.isin(np.arange(lengths.sum()), np.cumsum(lengths) - 1)


def test_windows_that_an_end_cuts_short_count_as_in_the_log():
    """Of whoever made the log: a reward of 1 a step brings less than 10 in ten steps, for many end before."""
    _, ends = _ending(2000, seed=0)
    x = np.arange(len(ends), dtype=float)[:, None]
    levels, after, rewards = np.repeat(x, 2, 1), np.repeat(x + 1, 2, 1), np.ones(len(x))
    log = Dataset.from_arrays(
        levels,
        x / len(x),
        rewards,
        ends,
        ~ends & False,
        after,
        observation_names=["level", "flow"],
        action_names=["valve"],
    )
    episode, ends = _ending(2000, seed=1)
    rows = len(ends)
    record = _bare(
        alarm=np.zeros(rows, bool), episode=episode, rewards=np.ones(rows), terminal=ends, who=("policy",) * rows
    )
    found = windows(record, log, 10)
    assert found.baseline == pytest.approx(np.mean(0.95 ** np.arange(10)) * 10, rel=0.02)
    assert found.returns.mean() == pytest.approx(found.baseline, rel=0.02) and len(found.returns) > 3500


def test_windows_stand_side_by_side_in_each_stretch_of_the_policy():
    policy = "oooo.oooooo.oooooooo"  # the second stretch ends with an episode, the third with a terminal
    record = _bare(
        alarm=np.zeros(20, bool), episode=np.repeat([0, 1], [11, 9]), rewards=np.arange(20.0),
        terminal=np.arange(20) == 19, who=tuple("policy" if letter == "o" else "operator" for letter in policy),
    )  # fmt: skip
    assert windows(record, plant(), 3).returns.tolist() == [0 + 1 + 2, 5 + 6 + 7, 8 + 9 + 10, 39, 48, 18 + 19]


def test_no_window_reaches_over_a_row_that_is_not_there(recorded: Path):
    """Of steps 0 to 7 one is lost, as earlier versions left a record: windows of 2 are 0-1, 4-5, 6-7."""
    lines = recorded.read_text().splitlines(keepends=True)
    recorded.write_text("".join([*lines[:4], *lines[5:9]]))
    record = read(recorded)
    assert record.step.tolist() == [0, 1, 2, 4, 5, 6, 7]
    assert record.follows.tolist() == [False, True, True, False, True, True, True]
    spread: dict[str, Any] = record._asdict() | {"rewards": 10.0 ** np.arange(7)}
    assert windows(Recorded(**spread), plant(), 2).returns.tolist() == [11, 11000, 1100000]


def test_who_acted_is_one_band_however_often_that_changes():
    who, score = ("policy", "operator") * 30 + ("fallback: hold",) * 40, np.ones(100)
    record = _bare(alarm=np.zeros(100, bool), episode=np.zeros(100, int), who=who, score=score, limit=score)
    for _, drawn in scores(record).drawings:
        assert drawn.count("PolyCollection_") == 1
        assert [drawn.count(f'style="fill: {colour.lower()}"') for colour in (BLUE, PURPLE, VERMILION)] == [30, 30, 1]


def test_the_index_of_tenths_that_stay_is_nothing_and_of_those_that_move_computed_by_hand():
    known = np.arange(1000.0)
    assert stability_index(known, known) == pytest.approx(0.0, abs=1e-9)
    # All of 100 values in the first tenth: p = 100.5 / 105, q = 100.5 / 1005 there, 0.5 / 105 elsewhere.
    p, q = np.array([100.5] + [0.5] * 9) / 105, np.full(10, 0.1)
    assert stability_index(np.zeros(100), known) == pytest.approx(((p - q) * np.log(p / q)).sum(), rel=1e-6)


def test_records_are_made_of_whole_episodes_and_of_stretches():
    episode = np.repeat(np.arange(30), 40)
    whole, parts, few = by_lot(episode, 80), by_lot(episode, 20), by_lot(np.zeros(1000, int), 500)
    assert (whole.part == episode).all() and np.unique(whole.times.sum(1)).tolist() == [2.0]
    assert (np.bincount(parts.part) == 20).all() and np.unique(parts.times.sum(1)).tolist() == [1.0]
    assert (np.bincount(few.part) == 50).all() and np.unique(few.times.sum(1)).tolist() == [10.0]
    ordered = in_order(100, 20)
    assert ordered.times.shape == (17, 20) and (ordered.times.sum(1) == 4).all()


def test_a_column_that_moves_seldom_is_usually_unlike_itself_and_one_that_drifted_is_told():
    random, episode = np.random.default_rng(0), np.repeat(np.arange(50), 40)
    known = np.stack([np.repeat(random.normal(size=50), 40), random.normal(size=2000)], -1)
    own = np.stack([np.repeat(random.normal(size=2), 40), random.normal(size=80)], -1)
    steps, noise = compared(["steps", "noise"], own, known, episode)
    assert steps.usual > 1 > noise.usual and not steps.drifted and not noise.drifted
    assert [drift.drifted for drift in compared(["steps", "noise"], own + np.array([0, 1]), known, episode)] == [
        False,
        True,
    ]
    assert compared(["steps", "noise"], own + np.array([9, 0]), known, episode)[0].drifted


def test_records_of_whoever_made_the_log_are_seldom_said_to_have_drifted():
    """Five columns that stand still in an episode, so that the old rule, 19 of 20 stretches a column, cries wolf."""
    random, said = np.random.default_rng(0), 0
    for _ in range(60):
        rows = np.repeat(random.normal(size=(44, 5)), 30, 0)
        known, own, episode = rows[:1200], rows[1200:], np.repeat(np.arange(40), 30)
        said += any(drift.drifted for drift in compared(list("abcde"), own, known, episode))
    assert said / 60 < 0.12


def test_drift_is_seen_and_so_is_a_column_without_numbers(recorded: Path):
    level, flow, valve = drifts(read(recorded), plant())
    assert level.outside == pytest.approx(2 / 25) and level.drifted
    assert flow.missing == pytest.approx(5 / 25) and valve.name == "valve [%]"


def test_windows_are_those_in_which_the_policy_acted_throughout(recorded: Path):
    windows = find(read(recorded), plant(), 4).windows
    assert windows is not None and windows.returns.tolist() == [4.0, 4.0, 4.0, 4.0]


def test_a_window_with_a_value_that_no_sensor_can_show_tells_no_return(tmp_path: Path):
    path = tmp_path / "record.csv"
    with Controller(proportional(mapping='reward = "-level"'), range_guard(), record=path) as loop:
        for level in (1.0, 1.0, 1e308, 1.0, 1.0):
            loop.step(at(level))
    findings = find(read(path), plant(), 2)
    assert findings.windows is not None and findings.windows.returns.tolist() == [-2.0, -2.0]
    assert command(["monitor", str(path)]) == 0


def test_a_log_of_other_columns_is_refused(recorded: Path):
    other = Dataset.from_arrays(
        np.zeros((4, 2)), np.zeros((4, 1)), np.zeros(4), None, np.arange(4) == 3, name="other",
        observation_names=["flow", "level"], action_names=["valve"], action_low=0.0, action_high=100.0,
    )  # fmt: skip
    with pytest.raises(UserError, match="its columns are flow, level, valve, the record's level, flow, valve"):
        find(read(recorded), other)
    feet = dataclasses.replace(
        load(recorded), columns=Columns((Column("level", "ft"), Column("flow")), (Column("valve"),))
    )
    with pytest.raises(UserError, match=r"its columns are in other units than the record's \(level in ft; not in m\)"):
        find(read(recorded), feet)


def test_a_record_is_not_gone_on_with_in_other_units(recorded: Path):
    feet = Columns((Column("level", "ft", 0.0, 4.0), COLUMNS.observations[1]), COLUMNS.actions)
    with pytest.raises(UserError, match=r"record\.csv: has level in m, this policy in ft: choose another name"):
        Controller(proportional(columns=feet), record=recorded)


@pytest.mark.parametrize("name", ["record.csv", "record.csv.toml", "policy.safetensors"])
def test_a_page_is_written_over_nothing_else(recorded: Path, name: str, capsys: pytest.CaptureFixture[str]):
    text = recorded.read_text()
    assert command(["monitor", str(recorded), "--page", str(recorded.with_name(name))]) == 2
    assert "a page's name ends in .html" in capsys.readouterr().err
    assert recorded.read_text() == text and "observations" in recorded.with_name("record.csv.toml").read_text()


DAMAGE = [
    ("rate = 0.01", 'rate = "x"', "is no number"),
    ("[units]", "[[units]]", "units is no table"),
    ('actions = ["valve"]', "actions = 5", "names no observations"),
    ('observations = ["level"', "observations = [1", "names no observations"),
    ("[units]", f"x = {'[' * 5000}", "is no TOML"),
]


@pytest.mark.parametrize(("old", "new", "words"), DAMAGE)
def test_a_damaged_description_is_told(recorded: Path, old: str, new: str, words: str):
    beside = recorded.with_name("record.csv.toml")
    beside.write_text(beside.read_text().replace(old, new))
    with pytest.raises(UserError, match=words):
        read(recorded)


def test_what_is_no_csv_is_told(recorded: Path):
    content = recorded.read_bytes()
    for damage in (b"\xfc", b'0,0,"' + 200_000 * b"a" + b'"'):
        recorded.write_bytes(content + damage)
        with pytest.raises(UserError, match="cannot be read as a CSV"):
            read(recorded)
    recorded.write_bytes(content.replace(b"\n1,", b"\ninf,", 1))
    with pytest.raises(UserError, match="line 22 has no number of an episode"):
        read(recorded)


def test_the_trial_decides_at_the_first_look_beyond_the_margin():
    gains = [1.0] * 40
    first = next(count for count in range(1, 41) if margin(count, 1.0) < 1.0)
    assert watch(gains[: first - 1], 0.0, 1.0).decided_after is None
    assert watch(gains, 0.0, 1.0)[3:] == ("better", first)
    assert watch([-gain for gain in gains], 0.0, 1.0)[3:] == ("worse", first)
    assert watch([*gains, -1000.0], 0.0, 1.0).verdict == "better"
    with pytest.raises(ValueError, match="no window"):
        watch([], 0.0, 1.0)


def test_windows_that_all_bring_the_same_decide_nothing(recorded: Path, capsys: pytest.CaptureFixture[str]):
    assert watch([9.0] * 50, 0.0, 0.0)[2:] == (float("inf"), "not shown", None)
    log = dataclasses.replace(plant(), rewards=np.full(400, 0.1, np.float32))
    assert stretches(log, 4).deviation == 0.0
    write_log(recorded.with_name("tank.hdf5"), log, {})
    assert command(["monitor", str(recorded), "--log", str(recorded.with_name("tank.hdf5")), "--window", "4"]) == 0
    text = capsys.readouterr().out
    assert "not decided: too few windows of the log differ" in text and "against the log not decided yet" in text


def test_the_logs_mean_is_not_known_exactly():
    """Of so many windows that nothing is uncertain but the log's mean, the margin is that of as many as the log has."""
    assert margin(10**9, 1.0, baseline_deviation=0.1) == pytest.approx(margin(100, 1.0))
    assert watch([1.0] * 40, 0.0, 1.0, baseline_deviation=0.5).verdict == "not shown"


def test_trials_of_a_policy_that_is_no_better_decide_seldom():
    random = np.random.default_rng(0)
    decided = sum(watch(random.normal(size=200).tolist(), 0.0, 1.0).decided_after is not None for _ in range(200))
    assert decided / 200 < 0.06


def test_the_command_prints_and_writes_a_page(recorded: Path, capsys: pytest.CaptureFixture[str]):
    log = recorded.with_name("tank.hdf5")
    write_log(log, plant(), {})
    judgement = recorded.with_name("judgement.json")
    trial = {"baseline": 0.0, "deviation": 0.1, "alpha": 0.05, "most_windows": 30}
    apart = {"mean": 3.5, "low": 3.45, "high": 3.55}
    best = {"name": "run", "evidence": {"difference": apart}, "trial": trial, "baseline": 0.0}
    judged: dict[str, Any] = {"window": 4, "measured": 0.0, "baseline_error": {}, "policies": [best]}
    words = ["monitor", str(recorded), "--log", str(log), "--judgement", str(judgement)]
    own = load(log)
    for digest, told in (("ab" * 32, True), (own.sha256, False), (part(own).judging.sha256, False)):
        judgement.write_text(json.dumps(judged | {"sha256": digest}))
        assert command(words) == 0
        text = capsys.readouterr().out
        assert (f"note    {judgement} judges by another log than {log}: is it that of this policy?" in text) is told
    assert "4 windows of 4 steps, 0 times as spread as the log's, each 4.00 more on average" in text
    assert (
        "reward  consistent so far with what the judgement predicted, 3.50 more than the log (+3.45 to +3.55)" in text
    )
    assert "It is better than what made the log, decided after 1 window" in text
    page = recorded.with_suffix(".html").read_text()
    assert "What the guard saw" in page and "<script" not in page and "level [m]" in page


def test_without_a_log_it_says_what_is_lacking(recorded: Path, capsys: pytest.CaptureFixture[str]):
    assert command(["monitor", str(recorded)]) == 0
    assert "drift   not compared: name the run with --run, or the log with --log" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n"])
def test_what_is_no_record_is_refused(tmp_path: Path, content: str):
    path = tmp_path / "other.csv"
    with pytest.raises(UserError, match="is no record of a controller"):
        read(path)
    path.write_text(content)
    path.with_name("other.csv.toml").write_text('observations = ["a"]\nactions = ["b"]\n')
    with pytest.raises(UserError, match="is no record of a controller"):
        read(path)


def test_damage_is_told_by_its_line(recorded: Path):
    text = recorded.read_text()
    recorded.write_text(text + "1,2\n")
    with pytest.raises(UserError, match="line 27 has 2 cells"):
        read(recorded)
    recorded.write_text(text.replace("healthy\n", "healthy\n", 1).replace(",1.0,", ",one,", 1))
    with pytest.raises(UserError, match="holds what is no number"):
        read(recorded)
    recorded.with_name("judgement.json").write_text("{}")
    write_log(recorded.with_name("tank.hdf5"), plant(), {})
    words = ["--log", str(recorded.with_name("tank.hdf5")), "--judgement", str(recorded.with_name("judgement.json"))]
    recorded.write_text(text)
    assert command(["monitor", str(recorded), *words]) == 2


@pytest.mark.parametrize("lost", [1, 80, 100])
def test_half_a_line_at_the_end_is_left_out_and_told(recorded: Path, lost: int, capsys: pytest.CaptureFixture[str]):
    """A power cut leaves it, or a copy of a record that grows; where the cut took no cell, nothing is left out."""
    text = recorded.read_text()
    recorded.write_text(text[:-lost])
    whole = lost == 1
    record = read(recorded)
    assert record.cut is not whole and len(record) == (25 if whole else 24)
    assert command(["monitor", str(recorded)]) == 0
    assert ("note    the last line is cut off, so it is left out\n" in capsys.readouterr().out) is not whole
    assert ("the record is cut off" in recorded.with_suffix(".html").read_text()) is not whole


def test_a_record_that_a_spreadsheet_saved_is_read(recorded: Path):
    recorded.write_bytes(b"\xef\xbb\xbf" + recorded.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read(recorded)) == 25 and not read(recorded).cut


@pytest.mark.parametrize("words", [["--window", "5"], ["--judgement", "judgement.json"]])
def test_what_needs_a_log_is_not_passed_over(recorded: Path, words: list[str], capsys: pytest.CaptureFixture[str]):
    assert command(["monitor", str(recorded), *words]) == 2
    error = capsys.readouterr().err
    assert f"{words[0]}: the record's windows are compared with the log's; name it with --run or --log" in error


def test_a_page_without_a_log_says_nothing_of_windows(recorded: Path):
    assert command(["monitor", str(recorded)]) == 0
    page = recorded.with_suffix(".html").read_text()
    assert "Obtained" not in page and "Not compared: name the run with --run, or the log with --log." in page


def test_a_window_that_the_log_does_not_hold_is_told_with_the_longest(
    recorded: Path, capsys: pytest.CaptureFixture[str]
):
    """Twenty episodes of twenty steps."""
    log, judgement = recorded.with_name("tank.hdf5"), recorded.with_name("judgement.json")
    write_log(log, plant(), {})
    apart = {"mean": 3.5, "low": 3.45, "high": 3.55}
    best = {"name": "run", "evidence": {"difference": apart}, "trial": None, "baseline": 0.0}
    judgement.write_text(json.dumps({"window": 21, "measured": 0.0, "baseline_error": {}, "policies": [best]}))
    longest = f"{log} holds no two, the longest possible are of 20 steps"
    for words, told in (
        (["--window", "21"], f"--window 21: of windows so long {longest}: take --window 20 at most"),
        (["--window", "5000"], f"--window 5000: of windows so long {longest}"),
        (["--judgement", str(judgement)], f"{judgement}: predicts for windows of 21 steps, of which {longest}: name"),
    ):
        assert command(["monitor", str(recorded), "--log", str(log), *words]) == 2
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == 1
    assert command(["monitor", str(recorded), "--log", str(log), "--window", "20"]) == 0
    assert greatest_length(plant(20)) == 10


def test_a_page_that_monitor_did_not_write_is_kept(recorded: Path, capsys: pytest.CaptureFixture[str]):
    report = recorded.with_name("report.html")
    report.write_text("<title>A run</title>")
    assert command(["monitor", str(recorded), "--page", str(report)]) == 2
    assert f"{report}: is there and micro-rl monitor did not write it; choose another" in capsys.readouterr().err
    assert report.read_text() == "<title>A run</title>"
    assert [command(["monitor", str(recorded)]) for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("values", [[0.1, 0.9], [20.1, 21.3, 22.7], list(np.arange(20) / 10)])
def test_a_record_of_set_points_has_the_logs_own_values(values: list[float]):
    """A log rounds 20.1 to single precision, a record writes it out; both are the same set-point."""
    random = np.random.default_rng(0)
    drawn = random.choice(values, (2, 2000, 1))
    assert stability_index(drawn[0, :, 0], drawn[1, :, 0].astype(np.float32).astype(np.float64)) > 0.05, "unrounded"
    own, known = _as_logged(drawn[0]), drawn[1].astype(np.float32).astype(np.float64)
    [drift] = compared(["set-point"], own, known, np.repeat(np.arange(40), 50))
    assert drift.stability < 0.02 and not drift.drifted


def test_what_no_sensor_shows_stays_beyond_all_ranges():
    most = np.finfo(np.float32).max
    assert _as_logged(np.array([[1e300, -1e300, 1.0]])).tolist() == [[most, -most, 1.0]]
