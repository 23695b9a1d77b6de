"""What is said about logs whose nature is known."""

import json
import re

import numpy as np
import pytest

from micro_rl.cli.main import run
from micro_rl.data import Dataset, load
from micro_rl.reports.log import describe, words
from micro_rl.reports.log.channel_facts import channels
from micro_rl.reports.log.learning_curve import Point, outlook
from micro_rl.reports.log.neighbours import nearest
from micro_rl.reports.log.page import render
from micro_rl.reports.log.sample import draw
from micro_rl.reports.log.windows_of_rows import series
from tests.data import logs


def made(tmp_path, policy, episodes=20, length=60, reward=lambda state: -float(np.square(state).sum())) -> Dataset:
    """Episodes of a noisy oscillator that a policy pushes."""
    random = np.random.default_rng(0)
    rows = {"observations": [], "actions": [], "rewards": [], "next_observations": []}
    for _ in range(episodes):
        state = random.uniform(-1, 1, 2)
        for _ in range(length):
            action = np.clip(policy(state, random), -1, 1)
            after = np.array([[1, 0.3], [-0.3, 0.9]]) @ state + np.array([0, 0.5]) * action
            for values, part in zip(rows.values(), (state, [action], reward(after), after), strict=True):
                values.append(part)
            state = after
    arrays = {name: np.array(values, np.float32) for name, values in rows.items()}
    timeouts = np.arange(episodes * length) % length == length - 1
    arrays |= {"terminals": np.zeros_like(timeouts), "timeouts": timeouts}
    return load(logs.write_hdf5(tmp_path / "oscillator.hdf5", arrays, action_low=-1.0, action_high=1.0))


def test_a_function_of_the_observation_is_narrow(tmp_path):
    insight = describe(made(tmp_path, lambda state, _: np.tanh(state[0] - state[1])))
    assert insight.determinism is not None
    assert insight.determinism > 0.95
    assert insight.narrow
    assert "Narrow" in words.headline(insight)
    assert "Clone the behaviour" in words.behaviour(insight)


def test_random_actions_are_not(tmp_path):
    insight = describe(made(tmp_path, lambda _, random: random.uniform(-1, 1)))
    assert insight.determinism is not None
    assert insight.determinism < 0.1
    assert not insight.narrow
    assert "random" in words.behaviour(insight)


def test_a_system_without_noise_is_learned_to_the_end(tmp_path):
    insight = describe(made(tmp_path, lambda _, random: random.uniform(-1, 1)))
    assert [point.rows for point in insight.curve] == [250, 500, 960]
    assert insight.curve[-1].ridge < 0.01
    assert insight.curve[0].neighbours > insight.curve[-1].neighbours


def test_the_outlook_is_the_slope_of_the_last_doublings():
    points = [Point(100, 0.4, 0.8), Point(200, 0.4, 0.4), Point(400, 0.4, 0.2)]
    assert outlook(points) == pytest.approx((0, 0.5, 2))
    rising = outlook([Point(100, 0.1, 0.1), Point(200, 0.1, 0.2), Point(400, 0.1, 0.3)])
    assert rising is not None
    assert rising.times_to_halve is None
    assert outlook(points[:2]) is None


def test_neighbours_are_those_of_the_whole_table():
    random = np.random.default_rng(0)
    queries, known = random.normal(size=(1100, 3)), random.normal(size=(70, 3))
    distances, places = nearest(queries, known, 5)
    table = np.linalg.norm(queries[:, None] - known[None], axis=2)
    np.testing.assert_array_equal(places, np.argsort(table, axis=1)[:, :5])
    np.testing.assert_allclose(distances, np.sort(table, axis=1)[:, :5])


def test_episodes_are_held_out_whole(tmp_path):
    dataset = made(tmp_path, lambda _, random: random.uniform(-1, 1), episodes=12, length=10)
    looked = draw(dataset)
    assert looked.by_episode
    assert all(len(set(looked.fold[rows])) == 1 for rows in dataset.episodes)
    assert set(looked.fold) == set(range(5))
    np.testing.assert_allclose(looked.observations.mean(0), 0, atol=1e-9)


def test_coverage_of_a_channel_by_hand(tmp_path):
    columns = logs.columns((20,), (False,))
    columns["observations"][:] = np.stack([np.linspace(0, 1, 20), np.repeat([0, 1], 10)], axis=1)
    columns["actions"][:, 0] = [-1] * 5 + [0.5] * 15
    first, second, action = channels(load(logs.write_hdf5(tmp_path / "hopper.hdf5", columns)))
    assert (first.name, first.covered, second.covered, action.covered) == ("o0", 1.0, 0.1, 0.1)
    assert (action.at_bound, first.at_bound) == (0.25, None)


def test_codes_for_missing_values_are_no_part_of_a_column(tmp_path):
    """Nor of a series, which is cut there."""
    columns = logs.columns((200,), (False,))
    columns["observations"][:, 0] = np.linspace(0, 1, 200)
    columns["observations"][[70, 120], 0] = -999
    dataset = load(logs.write_hdf5(tmp_path / "hopper.hdf5", columns))
    first = channels(dataset)[0]
    assert (first.least, first.covered) == (0.0, 1.0)
    cut = series(dataset)
    assert len(cut.observations) == 198 and np.flatnonzero(cut.begins).tolist() == [0, 70, 119]
    assert np.abs(cut.observations).max() < 6


@pytest.mark.parametrize("lengths", [(1,), (3, 2, 4), (300,), (1,) * 40])
def test_small_logs_are_told_as_far_as_they_go(tmp_path, lengths):
    dataset = load(logs.write_hdf5(tmp_path / "hopper.hdf5", logs.columns(lengths, (False,) * len(lengths))))
    insight = describe(dataset)
    assert "too few rows" in " ".join(words.paragraphs(insight)) or len(dataset) >= 300
    assert "The log hopper" in render(dataset, insight)


def test_constant_columns_are_no_obstacle(tmp_path):
    columns = logs.columns((50, 50), (False, False))
    for name in ("observations", "next_observations", "actions", "rewards"):
        columns[name][:] = 0.5
    dataset = load(logs.write_hdf5(tmp_path / "hopper.hdf5", columns))
    insight = describe(dataset)
    assert (insight.determinism, insight.closeness) == (None, None)
    render(dataset, insight)


def test_the_page_loads_nothing(tmp_path):
    dataset = made(tmp_path, lambda _, random: random.uniform(-1, 1))
    page = render(dataset, describe(dataset))
    assert page == render(dataset, describe(dataset))
    assert not re.search(r"<script|src=|@import|url\((?!#)|href=\"(?!#)", page)
    for heading in ("Returns", "Where it went", "What rows are worth", "Each channel over time", dataset.sha256):
        assert heading in page


def test_the_command_tells_and_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["data", "info", "pendulum-demo"]) == 0
    output = capsys.readouterr().out
    assert "returns   -1179.57 ± " in output
    assert (tmp_path / "trained" / "pendulum-demo-info.html").exists()
    assert run(["data", "info", "pendulum-demo", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["summary"]["rows"] == 14600
    assert report["channels"][0]["name"] == "o0"
    assert report["narrow"] is False


def test_a_page_is_written_over_a_page_alone(tmp_path, capsys):
    log = logs.write_hdf5(tmp_path / "hopper.hdf5", logs.columns())
    content, page = log.read_bytes(), tmp_path / "page.html"
    assert run(["data", "info", str(log), "--page", str(log)]) == 2
    assert f"{log}: is there and micro-rl data info did not write it" in capsys.readouterr().err
    assert log.read_bytes() == content
    page.write_text(render(load(log), describe(load(log))))
    assert run(["data", "info", str(log), "--page", str(page)]) == 0


def test_the_command_refuses_what_training_refuses(tmp_path, capsys):
    columns = logs.columns()
    columns["rewards"][3] = np.nan
    assert run(["data", "info", str(logs.write_hdf5(tmp_path / "hopper.hdf5", columns))]) == 2
    assert "rewards holds NaN" in capsys.readouterr().err
