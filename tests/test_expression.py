"""Formulas over columns: their values in NumPy and JAX, and what is refused."""

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micro_rl.core.expression import Expression, parse
from micro_rl.errors import UserError

X = np.array([-2.0, 0.0, 0.5, 3.0], np.float32)
Y = np.array([1.0, 2.0, -4.0, 0.0], np.float32)
VALUES = {"x": X, "y": Y, "tank level": Y, "µ": X}

FORMULAS = {
    "x": X,
    "1": np.ones(4),
    "-x + 2 * y": -X + 2 * Y,
    "x ** 2 / 4 - 1": X**2 / 4 - 1,
    "x % 2": X % 2,
    "min(x, y, 1)": np.minimum(np.minimum(X, Y), 1),
    "max(x, 0)": np.maximum(X, 0),
    "hypot(x, y)": np.hypot(X, Y),
    "exp(sin(x)) * cos(y) - tan(x)": np.exp(np.sin(X)) * np.cos(Y) - np.tan(X),
    "sqrt(abs(x))": np.sqrt(np.abs(X)),
    "x > 0": X > 0,
    "-1 < x <= 0.5": (X > -1) & (X <= 0.5),
    "x > 0 and y < 0 or not x != 3": ((X > 0) & (Y < 0)) | (X == 3),
    "(x > 0) - 2 * (y == 0)": (X > 0) * 1.0 - 2.0 * (Y == 0),
    "`tank level` + µ": Y + X,
    "  x\n  + y": X + Y,
}


@pytest.mark.parametrize("text", FORMULAS)
def test_values_in_numpy_and_jax(text):
    expression = parse(text, VALUES)
    expected = FORMULAS[text]
    values = expression(VALUES)
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert (values.dtype == bool) == expression.condition == (np.asarray(expected).dtype == bool)
    compiled = jax.jit(expression)({name: jnp.asarray(value) for name, value in VALUES.items()})
    assert isinstance(compiled, jax.Array)
    np.testing.assert_allclose(compiled, expected, rtol=1e-5, atol=1e-6)


def test_names_used_and_equality():
    assert parse("x + `tank level`", VALUES).names == {"x", "tank level"}
    assert parse("x > 1", VALUES) == parse("x > 1", VALUES) != parse("x > 2", VALUES)
    assert hash(parse("x > 1", VALUES)) == hash(parse("x > 1", VALUES))


def test_what_is_not_finite_passes_in_silence():
    values = parse("1 / x + log(x)", VALUES)(VALUES)
    assert np.isnan(values[0]) and not np.isfinite(values[1])


def test_single_precision_stays():
    assert parse("2 * x + (y > 0)", VALUES)(VALUES).dtype == np.float32


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "is empty"),
        ("velocty > 1", "'velocty', no column"),
        ("xx > 1", "did you mean 'x'?"),
        ("x + * y", "at '* y'"),
        ("x +", "cannot be read"),
        ("x and y > 1", "'x' is a number where a condition belongs"),
        ("not x", "compare it"),
        ("x & y", "join conditions by and, or"),
        ("~(x > 1)", "write not"),
        ("sqr(x)", "did you mean 'sqrt'?"),
        ("sqrt(x, y)", "must have 1 plain argument"),
        ("min(x)", "two or more plain arguments"),
        ("sqrt(*x)", "'*x'"),
        ("min(x, y, key=x)", "plain arguments"),
        ("__import__('os')", "calls no known function"),
        ("x.__class__", "'x.__class__' is no number, column"),
        ("x[0]", "'x[0]'"),
        ("'text'", "is no number"),
        ("True", "is no number"),
        ("1j * x", "'1j' is no number"),
        ("1e999", "too large"),
        ("x is y", "compares by something other"),
        ("x if y else x", "is no number, column"),
        ("lambda: x", "is no number, column"),
        ("x := 2", "cannot be read"),
        ("x; y", "cannot be read"),
        ("x # > 1", "stray #"),
        ("`tank", "stray `"),
        ("`tank leve`", "did you mean 'tank level'?"),
        ("abs(tank level)", "; write `tank level` between backticks, as here"),
        ("x\0", "cannot be read"),
        ("-" * 300 + "x", "nested too deeply"),
        ("(" * 300 + "x" + ")" * 300, "cannot be read"),
        ("9" * 5000, "characters"),
        ("9" * 1900, "too large"),
        ("\ud800", "cannot be read"),
    ],
)
def test_refused(text, words):
    with pytest.raises(UserError) as caught:
        parse(text, VALUES, "log.toml: termination")
    assert str(caught.value).startswith("log.toml: termination: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_powers_of_integers_do_not_grow_without_end():
    assert (parse("10 ** 10 ** 10", VALUES)(VALUES) == math.inf).all()


@given(st.text(alphabet="xy01.5+-*/%<>=!() ,`andornotmiqe#\n\\'\"[]", max_size=30))
def test_any_text_is_a_formula_or_refused(text):
    try:
        expression = parse(text, VALUES)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(expression, Expression)
        assert expression(VALUES).shape == (4,)


def test_a_backslash_in_a_text_stands_for_itself():
    with warnings.catch_warnings(action="error"):
        formula = parse(r"mode == 'AU\O'", ["mode"], "where", texts=True)
    assert formula({"mode": np.array(["AU\\O", "AUTO"])}).tolist() == [True, False]


def test_a_null_byte_is_refused_wherever_it_stands():
    with pytest.raises(UserError, match="null byte"):
        parse("mode == 'a`\0`'", ["mode"], "where", texts=True)
