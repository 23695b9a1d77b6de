"""The simulators of the study of trust: what they do by hand, and that a log's own actions earn what they earned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl import Dataset, Policy, load
from micro_rl.reports.trust.record import BETTER, NOT_SHOWN, WORSE, Interval
from micro_rl.trust.verdict import Thresholds
from runs import trust_groups, trust_picture, trust_recorded, trust_wrong
from runs.insulin import (
    ACTION,
    ARRIVES,
    AT_BASAL,
    BASAL,
    CLEARED,
    FORGOTTEN,
    GLUCOSE_VOLUME,
    MINUTES,
    STEPS,
    Insulin,
)
from runs.reactor import Reactor
from runs.trust_by_hand import by_hand
from runs.trust_pairs import Log, Pair
from runs.trust_plants import PLANTS
from runs.trust_simulators import MassSpringDamper, Pendulum, Simulator
from runs.trust_windows import behaviour_returns, differences, replayed_returns, window_rows
from runs.trust_worlds import replay_errors, worlds
from tests.data.test_real_logs import DATA
from tests.trust.judgements import evidence

LIVE = np.ones(1, bool)


def one_row(observation: Sequence[float], next_observation: Sequence[float], action: Sequence[float]) -> Dataset:
    return Dataset.from_arrays(
        [observation], [action], np.zeros(1), timeouts=np.ones(1), next_observations=np.array([next_observation])
    )


def test_a_step_of_the_two_masses():
    log = one_row([1, 0, 0, 0, 0.5, 0.5], [0] * 5 + [0.25], [0.5, 0])
    plant = MassSpringDamper()
    plant.begin(log, np.array([0]), None)
    after, reward, over = plant.step(np.array([[0.5, 0.0]]), LIVE)
    # v1: 0.2 (-2 * 2 * 1 + 30 * 0.5) / 20 = 0.11; v2: 0.2 * 2 * 1 / 20 = 0.02; the next row's targets: 0 and 0.25.
    np.testing.assert_allclose(after, [[1, 0, 0.11, 0.02, 0, 0.25]], rtol=1e-6)
    assert reward == pytest.approx(-np.log(1.01) - np.log(0.26)) and not over


def test_the_targets_move_at_step_50_alone():
    rows = 100
    state = np.tile(np.array([0, 0, 0, 0, 0.5, 0.5], np.float32), (rows, 1))
    timeouts = np.arange(rows) == rows - 1
    log = Dataset.from_arrays(state, np.zeros((rows, 2)), np.zeros(rows), None, timeouts, state)
    plant = MassSpringDamper()
    plant.begin(log, np.full(100, 48), 0)
    first, second = (plant.step(np.zeros((100, 2)), np.ones(100, bool))[0][:, 4:] for _ in range(2))
    assert (first == 0.5).all()
    assert 70 < (second != 0.5).sum() < 130 and np.abs(second).max() <= 1.5


def test_a_step_of_the_pendulum():
    log = one_row([0, 1, 2], [0, 1, 2], [1])  # horizontal, turning
    plant = Pendulum()
    plant.begin(log, np.array([0]), None)
    after, reward, _ = plant.step(np.array([[1.0]]), LIVE)
    speed = 2 + 0.05 * (15 + 3)
    angle = np.pi / 2 + 0.05 * speed
    np.testing.assert_allclose(after, [[np.cos(angle), np.sin(angle), speed]], rtol=1e-6)
    assert reward == pytest.approx(-((np.pi / 2) ** 2 + 0.1 * 4 + 0.001))


def test_windows_end_with_the_log_or_at_a_terminal():
    terminals, timeouts = np.zeros(7, bool), np.zeros(7, bool)
    terminals[2], timeouts[6] = True, True
    zeros = np.zeros((7, 1))
    log = Dataset.from_arrays(zeros, zeros, np.arange(7) + 1.0, terminals, timeouts, zeros)
    assert window_rows(log, 3).tolist() == [0, 1, 2, 3, 4]
    assert window_rows(log, 3, count=3).tolist() == [0, 2, 4]
    assert behaviour_returns(log, np.array([0, 1, 2, 3, 4]), 3).tolist() == [6, 5, 3, 15, 18]


class Counting:
    """Earns 1 a step; row r ends after r steps."""

    def begin(self, dataset: Dataset, rows: np.ndarray, seed: int | None) -> np.ndarray:
        self.left = rows.copy()
        return dataset.observations[rows]

    def step(self, action: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.left = self.left - 1
        return np.zeros((len(live), 1)), np.ones(len(live)), self.left == 0


def test_after_a_terminal_there_is_no_reward():
    zeros = np.zeros((6, 1))
    log = Dataset.from_arrays(zeros, zeros, np.zeros(6), horizon=6, next_observations=zeros)
    system: Simulator = Counting()
    assert replayed_returns(system, log, np.array([1, 2, 5]), 3).tolist() == [1, 2, 3]


def test_differences_are_paired():
    figures = differences(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0]))
    assert figures["difference"] == 1 and figures["difference_se"] == 0
    assert figures["policy_se"] == pytest.approx(1 / 3**0.5) and figures["policy_worst_tenth"] == 1


@pytest.mark.parametrize("name", list(PLANTS))
def test_a_plant_goes_on_from_any_row_of_its_log(name: str, tmp_path: Path):
    log = tmp_path / "plant.hdf5"
    trust_recorded.make_log(name, log, episodes=2)
    dataset, plant = load(log), trust_recorded.Continued(name, log)
    rows = np.array([3, 40, len(dataset) - 20])
    earned = behaviour_returns(dataset, rows, 15)
    np.testing.assert_allclose(replayed_returns(plant, dataset, rows, 15), earned, rtol=1e-5)
    anew = plant.begin(dataset, rows, 1), plant.step(dataset.actions[rows], np.ones(3, bool))[0]
    assert (anew[0] == dataset.observations[rows]).all() and (anew[1] != dataset.next_observations[rows]).any(1).all()


def test_a_patient_stays_at_the_basal_rate():
    patient = Insulin()
    patient.reset(seed=0)
    patient.glucose, patient.sensitivity, patient.meals, patient.snack = AT_BASAL, 1.0, 0 * patient.meals, -1
    reward, over = 0.0, True
    for _ in range(STEPS - 1):
        _, reward, _, over, _ = patient.step(np.array([BASAL]))
    assert patient.glucose == pytest.approx(AT_BASAL) and not over
    # f = 1.509 ((ln 120)^1.084 - 5.381) = 0.12006; 10 f^2 / 10
    assert reward == pytest.approx(-(0.12006**2), rel=1e-3)


def test_a_meal_and_a_bolus_reach_the_blood_whole():
    """Grams by their share in its volume; a unit's whole action by p3 / p2 of its area under the curve in plasma."""
    fed, treated = Insulin(), Insulin()
    for patient in (fed, treated):
        patient.reset(seed=0)
        patient.glucose, patient.sensitivity, patient.meals, patient.snack = AT_BASAL, 1.0, 0 * patient.meals, -1
    fed.meals[0] = 10.0
    appeared = acted = 0.0
    for number in range(STEPS):
        before = fed.gut.sum() + 1000 * ARRIVES * fed.meals[number]
        fed.step(np.array([BASAL]))
        appeared += (before - fed.gut.sum()) / GLUCOSE_VOLUME
        treated.sensitivity = 1.0
        treated.step(np.array([BASAL + (number == 0)]))
        acted += MINUTES * treated.effect
    assert appeared == pytest.approx(8000 / GLUCOSE_VOLUME)
    assert acted == pytest.approx(ACTION / FORGOTTEN * 1000 / CLEARED, rel=0.01)


def test_the_reactor_keeps_its_balances():
    """Held by coolant, what is fed leaves or reacts, and the heat of what reacts leaves with both."""
    tank = Reactor()
    tank.reset(seed=0)
    for _ in range(4000):
        tank.strength, tank.fed_at = 1.0, 350.0
        tank._react(315.0, 0.025)
    flow, reacting = tank.feed / 100, 7.2e10 * np.exp(-8750 / tank.temperature) * tank.left
    assert flow * (1 - tank.left) == pytest.approx(reacting, rel=1e-3)
    leaving = flow * (tank.temperature - 350) + 5e4 / 23_900 * (tank.temperature - 315)
    assert 25 / 0.239 * reacting == pytest.approx(leaving, rel=1e-3)


def test_what_policies_are_held_against():
    """1 to 2 from the clones, put 3 too low by the model, whose differences are halved, and rightly by FQE."""
    pair = Pair("a", evidence(1.0, 2.0), truth=-0.4, error=0.0, critics=None, value=9.0, too_high=(0.0, 0.0))
    slopes = {"slope": 0.5, "fqe_slope": 1.0, "alone": True}
    log = Log("log", {"baseline_error": {"model": -3.0, "fqe": 0.0}} | slopes, [pair])
    decided = {name: trust_wrong.against(log, way).pairs[0] for name, way in trust_wrong.WAYS.items()}
    ends = {name: own.evidence.difference[1:] for name, own in decided.items()}
    both, model, clones, measured = list(trust_wrong.WAYS)[1:5]
    assert ends[both] == ends[model] == (-0.5, 2.0) and decided[both].covered
    assert ends[clones] == (1.0, 2.0) and not decided[clones].covered
    assert ends[measured] == (-0.5, 0.5) and decided[measured].covered


def test_the_picture_has_a_bar_in_the_colour_of_each_verdict():
    pairs = [
        Pair(name, evidence(*ends), truth=sum(ends) / 2, error=0.0, critics=None, value=9.0, too_high=(0.0, 0.0))
        for name, ends in {"a": (1.0, 2.0), "b": (-2.0, -1.0), "c": (-1.0, 1.0)}.items()
    ]
    (axis,) = trust_picture.draw([Log("log", {}, pairs)], {"log": Thresholds()}).axes
    bars = [line.get_color() for line in axis.lines[:3]]
    assert bars == [trust_picture.COLOURS[word] for word in (WORSE, NOT_SHOWN, BETTER)]
    assert axis.get_xlim() == (-3.0, 3.0)


def test_policies_made_by_hand():
    layers = [(np.eye(2), np.zeros(2)), (np.array([[1.0, 0], [0, 0]]), np.zeros(2))]
    units = {"observation_mean": np.zeros(2), "observation_std": np.ones(2), "action_mid": [1.0], "action_half": [2.0]}
    clone = Policy(layers, **units)
    zeros = np.zeros((2, 2))
    log = Dataset.from_arrays(
        zeros, [[0.0], [1.0]], [0, 0], horizon=2, next_observations=zeros, action_low=-1, action_high=3
    )
    observation = np.array([0.7, 0.1])
    action = {name: float(policy(observation)[0]) for name, policy in by_hand(clone, log, 0).items()}
    assert action["negated"] == pytest.approx(1 - 2 * np.tanh(0.7), abs=1e-6)
    assert action["halved"] == pytest.approx(1 + 2 * np.tanh(0.35), abs=1e-6)
    assert action["mean-action"] == pytest.approx(0.5, abs=1e-6)
    assert action["near-highest"] == pytest.approx(2.8, abs=1e-6)
    shaken = abs(action["shaken"] - float(clone(observation)[0]))
    assert 0 < shaken < 1


def test_the_pendulum_replays_its_log():
    world = worlds(DATA, Path("nowhere"))["pendulum"]
    assert world.horizons == (10, 20, 50, 100, 200)
    assert replay_errors(world, 1).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dmsd", "safety", "hopper-replay", "halfcheetah-replay", "hopper-medium"])
def test_published_logs_are_replayed(name: str):
    if not DATA.is_dir():
        pytest.skip("the logs are not here")
    assert np.median(replay_errors(worlds(DATA, Path("nowhere"))[name], 1)) < 1e-4


def log_of_pairs(name: str, truths: tuple[float, ...], **judgement: Any) -> Log:
    """A log whose policies are all estimated between 1 and 2."""
    own = evidence(1.0, 2.0)
    pairs = [Pair(f"p{number}", own, truth, 0.1, None, 9.0, (0.0, 0.0)) for number, truth in enumerate(truths)]
    figures = {"explained": 0.5, "baseline_error": {"model": -3.0, "fqe": 0.0}} | judgement
    return Log(name, figures, pairs)


def test_logs_are_told_apart_by_what_was_known_of_them():
    names = "swimmer", "pusher", "safety"
    groups = trust_groups.grouped([log_of_pairs(name, (1.0,)) for name in names])
    assert [[log.name for log in group] for group in groups] == [["pusher"], ["swimmer"], ["safety"]]


def test_better_policies_that_are_not_shown_are_counted_by_the_first_reason():
    """Of five truly better ones: shown, unlike the log, estimated below 0, an interval that holds 0, contradicted."""
    log = log_of_pairs("swimmer", (1.0,) * 5)
    own = log.pairs[0].evidence
    changed = (
        own,
        own._replace(support=0.0, difference=Interval(-1.0, -2.0, 0.0)),
        own._replace(difference=Interval(-1.0, -2.0, 1.0)),
        own._replace(difference=Interval(1.0, -1.0, 3.0)),
        own._replace(fqe=Interval(9.0, 8.0, 10.0)),
    )
    pairs = [pair._replace(evidence=one) for pair, one in zip(log.pairs, changed, strict=True)]
    table = trust_wrong.silent([log._replace(pairs=pairs)], {"swimmer": Thresholds()})
    assert table.splitlines()[-1] == "| swimmer | 4 of 5 | 1 | 1 | 1 | 1 |"


def test_narrower_intervals_keep_their_estimate():
    """From 1 to 3 about 1.5, half as wide: 1.25 to 2.25."""
    log = log_of_pairs("swimmer", (1.0,))
    pair = log.pairs[0]._replace(evidence=log.pairs[0].evidence._replace(difference=Interval(1.5, 1.0, 3.0)))
    assert trust_wrong.WAYS["as it is, but half as wide"](log, pair) == Interval(1.5, 1.25, 2.25)
