"""From where on whole numbers are taken for codes, and the whole sentence."""

import numpy as np
import pytest

from micro_rl.data.checks import codes
from tests.data.noise import ROWS, log, sentence


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0, 1, 2], "take only 3 whole numbers, from 0 to 2"),
        (range(12), "take only 12 whole numbers, from 0 to 11"),
        (range(13), None),
        ([0, 5, 2], "take only 3 whole numbers, from 0 to 5"),
        ([0, 6, 2], None),  # they do not fill their range
        ([0, 1], None),
        ([0, 1, 2.5], None),
    ],
)
@pytest.mark.parametrize("columns", [1, 2])
def test_codes_among_observations(values, text, columns):
    values = np.asarray(list(values), float)
    observations = log().observations.copy()
    observations[:, :columns] = values[np.arange(ROWS) * 7 % len(values), None]
    meaning = ": codes, not quantities? The model takes and predicts any number between them: a column for each code, "
    expected = text and f"{text}{meaning}or none, says it better"
    if expected and columns == 1:
        expected = expected.replace("take ", "takes ", 1)
    name = "observations 0, 1" if columns == 2 else "observation 0"
    expected = expected and f"{name} {expected}"
    assert sentence(codes.odd(log(observations=observations)), "codes") == expected


@pytest.mark.parametrize(
    ("kinds", "rows", "speaks"), [(32, 600, True), (33, 600, False), (5, 20, True), (6, 20, False)]
)
def test_codes_among_actions(kinds, rows, speaks):
    actions = log(rows).actions.copy()
    actions[:, 1] = np.arange(rows) % kinds
    text = sentence(codes.odd(log(rows, actions=actions, action_low=-1, action_high=40)), "codes")
    assert text == (
        f"action 1 takes only {kinds} whole numbers, from 0 to {kinds - 1}: codes, not quantities? A policy is learned "
        "that gives any number between them: choices are not supported"
        if speaks
        else None
    )


def test_codes_of_several_kinds_and_one_hot_columns():
    number = np.arange(ROWS)
    actions = np.stack([number % 3, number % 5, *np.eye(3)[number % 3].T], axis=1)
    problems = codes.odd(log(actions=actions, action_low=-9, action_high=9))
    assert sentence(problems, "codes") == (
        "actions 0, 1 take only 3 to 5 whole numbers, from 0 to 4: codes, not quantities? A policy is learned that "
        "gives any number between them: choices are not supported"
    )
    assert sentence(problems, "one-hot") == (
        "actions 2 to 4 are one-hot: exactly one of them is set in every row, a choice and no quantities. A policy is "
        "learned that gives any number between them: choices are not supported"
    )


def test_places_side_by_side_stand_together():
    assert codes._stretches([]) == []
    assert codes._stretches([4]) == [[4]]
    assert codes._stretches([0, 1, 2, 5, 7, 8]) == [[0, 1, 2], [5], [7, 8]]
