"""What findings say of columns, and the figures of a log, by hand."""

import numpy as np
import pytest

from micro_rl.core.columns import Column
from micro_rl.data import Dataset, scaling
from micro_rl.data.checks import findings
from micro_rl.data.log_parts import RawTransitions
from micro_rl.errors import UserError
from tests.data.noise import LOG, log, refusal


def test_what_findings_say_of_columns():
    values = np.array([[1, np.nan], [np.inf, 2], [3, 4]], np.float32)
    overflow, lost = findings.not_finite("obs", values, [1], ("p", "q"), "repair them")
    assert (overflow.kind, overflow.text) == ("overflow", "obs exceeds float32 in 1 row (1): rescale the column")
    assert (lost.text, lost.rows, lost.columns) == (
        "obs (q) holds NaN or infinity in 1 row (0): repair them",
        (0,),
        (1,),
    )
    [nameless] = findings.not_finite("rewards", values[:, 1], [], (), "repair them")
    assert (nameless.text, nameless.columns) == ("rewards holds NaN or infinity in 1 row (0): repair them", ())
    six = findings.not_finite("obs", np.full((1, 6), np.nan, np.float32), [], tuple("abcdef"), "repair")[0]
    assert six.text.startswith("obs (a, b, c, d, e) holds") and six.columns == (0, 1, 2, 3, 4, 5)
    assert findings.not_finite("obs", values[2:], [], (), "") == []
    _, [flag] = findings.flags("done", np.array([[0], [2], [1], [-1], [3]]))
    assert flag.text == "done must be 0 or 1 but is 2 in row 1 and otherwise in 2: mark episode ends with 1"
    columns = (Column("o0"), Column("o1"), Column("level", "m"))
    assert findings.rounding("obs", "observation", [], columns) == []
    texts = [findings.rounding("obs", "observation", places, columns)[0].text for places in ([2], [0, 2])]
    assert texts == [
        "observation 2 (level [m]) loses detail in float32: subtract the offset before logging",
        "observations 0, 2 (level [m]) lose detail in float32: subtract the offset before logging",
    ]
    assert findings.rounding("rewards", "", [0], ())[0].text.startswith("rewards loses detail")
    still = np.array([[1, 2, 3], [1, 5, 3]], np.float32)
    assert findings.constant("observation", still, columns)[0].text == "observations 0, 2 (level [m]) never change"
    assert findings.constant("observation", still[:, :2], columns)[0].text == "observation 0 never changes"
    assert findings.constant("observation", still[:1], columns) == findings.constant("a", still[:, 1:2], columns) == []
    twice = np.array([[1], [2], [1], [1], [2]], np.float32)
    assert [found.text for found in findings.duplicates(twice)] == ["3 rows (2-4) are exact duplicates of earlier ones"]
    assert findings.duplicates(twice[:3])[0].text == "1 row (2) is an exact duplicate of an earlier one"


def test_refusals_count_the_other_errors():
    errors = [findings.error("a", "first"), findings.warning("b", "none"), findings.error("no-bounds", "second")]
    findings.refuse(LOG, errors[1:2])
    assert refusal(findings.refuse, LOG, errors) == "log.npz: first (1 more error: micro-rl data check lists them)"
    more = [*errors, errors[0]]
    assert refusal(findings.refuse, LOG, more) == "log.npz: first (2 more errors: micro-rl data check lists them)"
    assert refusal(findings.refuse, LOG, errors[:2]) == "log.npz: first"
    with pytest.raises(findings.NoBounds):
        findings.refuse(LOG, errors[2:])
    counts = [findings.warning("k", "t", *about).count for about in ((), ((1, 2),), ((), (1, 2, 3)))]
    assert counts == [1, 2, 3] and findings.error("k", "t", (4, 5)).count == 2


def test_core_units_by_hand():
    whole = log(2, observations=np.array([[1.0, 5.0], [3.0, 5.0]]), rewards=np.array([3.0, 4.0]))
    scales = scaling.fit_scaling(whole, True, True)
    assert scales.observation_mean.tolist() == [2, 5] and scales.observation_std.tolist() == [1, 1]
    assert float(scales.reward_scale) == pytest.approx(np.sqrt(12.5))
    rows = RawTransitions(*(np.array(part, np.float32) for part in ([[4, 6]], [[0.5, -3]], [5], [[0, 5]], [1])))
    core = scaling.to_core(rows, scales)
    assert [np.asarray(part).tolist() for part in core[:2]] == [[[2, 1]], [[0.5, -1]]]
    assert core.reward[0] == pytest.approx(5 / np.sqrt(12.5)) and np.asarray(core.next_observation).tolist() == [
        [-2, 0]
    ]


def test_figures_of_a_log():
    ends = {"terminals": np.arange(6) == 1, "timeouts": np.isin(np.arange(6), [2, 5])}
    whole = log(6, rewards=2.0 ** np.arange(6), **ends)
    figures = whole.summary()._asdict()
    deviation = figures.pop("return_std")
    assert deviation == pytest.approx(np.std([3, 4, 56]))
    assert figures == {
        "rows": 6, "episodes": 3, "observation_size": 2, "action_size": 2, "terminals": 1, "timeouts": 2,
        "return_mean": 21, "return_worst": 3, "return_best": 56, "length_mean": 2, "length_shortest": 1,
        "length_longest": 3,
    }  # fmt: skip
    assert repr(whole) == "Dataset('arrays', 6 rows, 3 episodes, format='arrays')"
    assert whole.episodes == [slice(0, 2), slice(2, 3), slice(3, 6)]
    for fraction, rows in ((1.0, [0, 1, 2, 3, 4, 5]), (0.5, [2, 3, 4, 5]), (0.49, [3, 4, 5]), (0.01, [3, 4, 5])):
        assert np.flatnonzero(whole.best_rows(fraction)).tolist() == rows
    for fraction in (0.0, -1.0, 1.01):
        with pytest.raises(ValueError, match="fraction must be in"):
            whole.best_rows(fraction)
    assert np.flatnonzero(whole.learnable(True)).tolist() == [0, 1, 2, 3, 4, 5]
    assert np.flatnonzero(whole.learnable(False)).tolist() == [0, 1, 3, 4]
    assert np.flatnonzero(whole.learnable(True, whole.best_rows(0.01))).tolist() == [3, 4, 5]
    ended = log(3, terminals=np.arange(3) == 2, timeouts=np.zeros(3, bool))
    assert ended.learnable(False).tolist() == [True, True, False] and ended.rows(np.array([2])).discount.tolist() == [0]
    assert whole.continued.tolist() == [True, False, False, True, True, False]


@pytest.mark.parametrize("values", [0, -1])
def test_a_horizon_is_a_step_at_least(values):
    with pytest.raises(UserError):
        Dataset.from_arrays(np.zeros((2, 1)), np.zeros((2, 1)), np.zeros(2), horizon=values)
