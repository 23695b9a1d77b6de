"""The figures of a model's report and of its termination head, one function at a time, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from micro_rl.dynamics import measure, support, termination_classifier
from micro_rl.dynamics.quality_report import Calibration, Horizon, ModelReport, from_json, of
from tests.data.noise import log
from tests.data.test_stretches import log as three_episodes

HORIZON = Horizon(3, [0.1, 0.25], [1.0, 12.0], [0.5, 0.6])
CALIBRATION = Calibration(7, [0.5, 0.9], [0.4, 0.854], [0.0, 1.0])
REPORT = ModelReport(4, HORIZON, CALIBRATION)


def test_a_report_in_a_sentence():
    first = "one step is off by 0.10, 2 steps by 0.25 of the log’s spread (if nothing changed: 1.0 and 12)"
    assert REPORT.sentence() == f"{first}; 90 % intervals hold 85 %"
    assert REPORT._replace(calibration=None).sentence() == first
    assert REPORT._replace(horizon=None).sentence() == "90 % intervals hold 85 %"
    nothing = CALIBRATION._replace(observation=[])
    assert ModelReport(1, Horizon(1, [123.4], [0.0012], []), nothing).sentence() == (
        "one step is off by 1.2e+02 of the log’s spread (if nothing changed: 0.0012)"
    )
    assert ModelReport(1, None, nothing).sentence() == ""


@pytest.mark.parametrize(("error", "warns"), [(0.99, False), (1.0, True), (1.5, True)])
def test_a_model_that_is_no_better_than_nothing(error, warns):
    text = ModelReport(1, Horizon(1, [error, 0.0], [1.0, 2.0], []), None).warning()
    assert text == (
        f"the model is no better than saying that nothing changes (one step is off by {error:.1f} against 1.0), so "
        "what is learned in it means nothing: `micro-rl data info LOG` proposes a step and a --history, more rows may "
        "help, and a method without a model (--method td3_bc, bc) needs none"
        if warns
        else ""
    )
    assert ModelReport(1, None, None).warning() == ""


def test_reports_read_back():
    for report in (
        REPORT,
        REPORT._replace(calibration=None),
        REPORT._replace(horizon=None),
        ModelReport(1, None, None),
    ):
        assert from_json(report.as_json()) == report
        assert of({"report": report.as_json()}) == report
    assert of({}) is None
    assert from_json(ModelReport(2**31 - 1, Horizon(1, [0] * 100, [0] * 100, []), None).as_json()).elites == 2**31 - 1


@pytest.mark.parametrize(
    "change",
    [
        {"elites": 0},
        {"elites": 2**31},
        {"elites": True},
        {"elites": 1.0},
        *(
            {"horizon": HORIZON._asdict() | other}
            for other in (
                {"starts": 0},
                {"error": []},
                {"error": [0.1]},
                {"unchanged": [1.0]},
                {"disagreement": [0.5]},
                {"error": [-0.1, 0.2]},
                {"error": [0.1, 1e12]},
                {"error": [0.1, float("nan")]},
                {"error": [0.1, True]},
                {"error": "12"},
                {"error": [0.0] * 101, "unchanged": [0.0] * 101, "disagreement": []},
            )
        ),
        {"horizon": []},
        *(
            {"calibration": CALIBRATION._asdict() | other}
            for other in (
                {"rows": 0},
                {"expected": [0.5, 0.8]},
                {"observation": [0.4]},
                {"reward": [0.4]},
                {"reward": [0.4, 1.1]},
                {"reward": [-0.1, 0.5]},
            )
        ),
    ],
)
def test_what_is_no_report_is_refused(change):
    with pytest.raises(ValueError, match=r"^its report is none that a fit makes$"):
        from_json(REPORT.as_json() | change)


@pytest.mark.parametrize(
    ("values", "level", "limit"),
    [
        ([3, 1, 2], 0.5, 2),
        ([3, 1, 2], 0.25, 1),
        ([3, 1, 2], 0.51, 3),
        ([3, 1, 2], 0.75, 3),
        ([3, 1, 2], 0.76, np.inf),
        ([3, 1, 2], 0.0, np.inf),
        ([], 0.5, np.inf),
        (range(99), 0.95, 94),
    ],
)
def test_the_conformal_limit(values, level, limit):
    assert support.quantile(np.array(list(values), float), level) == limit


def test_how_far_from_a_log():
    known = support.Reference(
        rows=jnp.array([[[0.0, 0.0], [4.0, 0.0]], [[0.0, 2.0], [0.0, 2.0]]]),
        mean=jnp.array([1.0, 0.0]),
        std=jnp.array([2.0, 1.0]),
        low=jnp.array([0.0, -1.0]),
        high=jnp.array([1.0, 1.0]),
        spread=jnp.array([0.5, 2.0]),
    )
    near = support.distance(known, jnp.array([[1.0, 0.0], [9.0, 0.0]]))
    np.testing.assert_allclose(near, [np.sqrt(2) / 2, np.sqrt(10) / 2], rtol=1e-5)
    excess = support.excess(known, jnp.array([[0.5, 0.0], [2.0, 0.0], [-0.25, -2.0], [1.0, 2.0]]))
    assert excess.tolist() == [0, 2, 0.5, 0.5]
    apart = support.disagreement(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 2.0]]), jnp.array([1.0, 2.0]))
    assert apart.tolist() == [1.0]


def test_how_long_the_log_goes_on():
    assert measure.lasts(three_episodes(), np.arange(10), 4).tolist() == [3, 2, 1, 4, 4, 3, 2, 1, 2, 1]
    assert measure.lasts(three_episodes(), np.array([3, 8]), 1).tolist() == [1, 1]


def test_errors_by_hand():
    predicted = np.zeros((2, 2, 1, 2))
    predicted[0, :, 0] = [[1, 50], [3, 70]]
    predicted[1, :, 0] = [[4, 50], [8, 70]]
    truth, first = np.zeros((2, 1, 2)), np.array([[2.0, 9.0]])
    truth[1, 0, 0] = -2
    units, spread = np.array([1.0, 1.0]), np.array([2.0, 0.0])
    both = measure._errors(predicted, truth, first, units, spread)
    assert both == Horizon(1, [1.0, 4.0], [1.0, 2.0], [0.5, 1.0])
    assert measure._errors(predicted[:, :1], truth, first, units, spread) == Horizon(1, [0.5, 3.0], [1.0, 2.0], [])
    predicted[1, 0, 0, 0] = np.inf
    with np.errstate(all="ignore"):
        assert measure._errors(predicted, truth, first, units, spread) == Horizon(1, [1.0], [1.0], [0.5])
    predicted[0, 0, 0, 0], predicted[1] = 1e13, 0
    assert measure._errors(predicted, truth, first, units, spread) is None
    four = np.zeros((1, 4, 1, 1))
    for size, past in ((2e12, False), (3.9e12, True)):  # the mean error is below 1e12; the deviation 0.9e12 or 1.7e12
        four[0, 0] = size
        curves = measure._errors(four, np.zeros((1, 1, 1)), np.zeros((1, 1)), np.ones(1), np.ones(1))
        assert (curves is None) is past


def test_the_spread_of_a_log():
    whole = log(observations=np.stack([np.arange(600) % 2 * 4.0, np.full(600, 7.0)], axis=1))
    assert measure._spread(whole).tolist() == [2, 0]


def test_a_heads_figures_by_hand():
    told = termination_classifier.measure(np.array([0.0, 0.5, 1.0]), np.array([False, True, True]))
    reliability = told.pop("reliability")
    assert told == {
        "held_out_rows": 3,
        "held_out_terminals": 2,
        "expected_terminals": 1.5,
        "precision": 1.0,
        "recall": 0.75,
        "brier": pytest.approx(0.25 / 3),
    }
    assert reliability == [
        {"from": 0.0, "to": 0.01, "rows": 1, "predicted": 0.0, "ended": 0.0},
        {"from": 0.5, "to": 0.8, "rows": 1, "predicted": 0.5, "ended": 1.0},
        {"from": 0.95, "to": 1.0, "rows": 1, "predicted": 1.0, "ended": 1.0},
    ]
    empty = termination_classifier.measure(np.zeros(0), np.zeros(0, bool))
    assert (empty["precision"], empty["recall"], empty["brier"], empty["reliability"]) == (None, None, None, [])


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, (0, 0, 0)), (1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (4, (2, 1, 1)), (20, (14, 3, 3))],
)
def test_episodes_are_split(count, sizes):
    parts = termination_classifier._split(np.arange(count))
    assert tuple(map(len, parts)) == sizes
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))


def test_a_head_is_corrected_as_platt_does_and_held_back():
    random = np.random.default_rng(0)
    logit = random.normal(size=40)
    ended = random.random(40) < 1 / (1 + np.exp(-(2 * logit - 1)))

    def loss(line):
        odds = np.exp(line[0] * logit + line[1])
        chance = odds / (1 + odds)
        misfit = -np.where(ended, np.log(chance), np.log(1 - chance)).sum()
        return misfit + 0.5 * (line[0] - 1) ** 2 + 0.5 * line[1] ** 2

    best = minimize(loss, [1.0, 0.0], method="BFGS").x
    np.testing.assert_allclose(termination_classifier._correction(logit, ended), best, atol=1e-3)
    head = termination_classifier.blank(2)
    rows = jnp.array([[0.5, -1.0], [2.0, 0.25]])
    moved = termination_classifier._corrected(head, 3.0, -0.5)
    np.testing.assert_allclose(moved.logit(rows), 3 * head.logit(rows) - 0.5, rtol=1e-5)
    chances = head.probability(jnp.array([[0.5, -1.0], [np.inf, 0.0]]))
    np.testing.assert_allclose(chances, [float(jax.nn.sigmoid(head.logit(rows))[0]), 1.0], rtol=1e-6)


@pytest.mark.parametrize("findings", [None, {}, {"terminals": "many"}])
def test_findings_of_a_head_that_are_none(findings):
    good = dict.fromkeys(
        ("terminals", "held_out_episodes", "held_out_terminals", "expected_terminals", "precision", "recall"), 1
    )
    termination_classifier.check_measured(good | {"precision": None, "recall": 0.5})
    with pytest.raises(ValueError, match="does not tell what its termination head was measured to do"):
        termination_classifier.check_measured(good | findings if findings else findings)
