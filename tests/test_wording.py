"""How figures and counts are written."""

import math

import pytest

from micro_rl.core.wording import figure, plural, with_verb


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1179.62, "-1179.6"),
        (10.0, "10.0"),
        (-1.034, "-1.03"),
        (0.01294, "0.0129"),
        (-0.000947, "-0.000947"),
        (-0.0, "0"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_small_returns_keep_three_digits_and_great_ones_a_decimal(value, text):
    assert figure(value) == text


def test_a_sign_is_shown_where_asked_for():
    assert (figure(0.0129, "+"), figure(-0.02, "+"), figure(12.34, "+")) == ("+0.0129", "-0.0200", "+12.3")


def test_one_thing_and_several():
    assert [plural(count, "row") for count in (0, 1, 1000)] == ["0 rows", "1 row", "1,000 rows"]
    assert [with_verb(count, "row", "is", "are") for count in (1, 2)] == ["1 row is", "2 rows are"]
