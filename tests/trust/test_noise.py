"""How much of the predicted noise rollouts take, chosen by hand-made predictions."""

import numpy as np
import pytest

from micro_rl.trust.noise import SHARES, Tried, settled

MEASURED = np.linspace(-9.0, 9.0, 10)


def tried(*errors: np.ndarray | float) -> Tried:
    """Every share misses all folds by so much."""
    predicted = np.stack([MEASURED + error for error in errors])
    return Tried(SHARES, predicted, np.full(predicted.shape, 0.1), MEASURED)


@pytest.mark.parametrize(
    ("errors", "share"),
    [
        ((1.0, 1.0, 1.0), 1.0),
        ((1.0, 0.95, 0.9), 1.0),  # squared, 0.81 is not below 0.8
        ((1.0, 0.95, 0.89), 0.0),
        ((-3.0, 0.5, 3.0), 0.5),
        ((0.0, 2.0, 2.0), 1.0),
    ],
)
def test_less_noise_is_taken_where_it_predicts_clearly_better(errors, share):
    assert settled(tried(*errors))[0] == share


def test_the_chosen_predictions_are_tested():
    share, test = settled(tried(-4.0 * np.sign(MEASURED), 0.1, 5.0))
    assert share == 0.5
    np.testing.assert_allclose(test.predicted, MEASURED + 0.1)
    assert test.explained == pytest.approx(1.0)


def test_each_fold_is_predicted_with_the_share_that_the_others_choose():
    """Without noise all but the last are right, and that is far off; it alone must not choose to be left out."""
    lone = np.zeros(10)
    lone[-1] = 100.0
    predicted = settled(tried(1.0, 5.0, lone))[1].predicted
    assert predicted[-1] == MEASURED[-1] + 100
    np.testing.assert_allclose(predicted[:-1], MEASURED[:-1] + 1)


def test_all_of_the_noise_comes_first():
    assert SHARES[0] == 1.0
