"""What the tests check of every function of micro_rl: each annotation, and that sizes with one name agree."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from beartype import beartype
from jaxtyping import Float, TypeCheckError

from micro_rl.core.tasks import find
from tests.type_checks import checked, is_name, is_shape, mentions

Row = Float[np.ndarray, " column"]


def half(number: float, *, times: int = 1) -> float:
    return number if times == 0 else str(number)  # type: ignore[return-value]


def scaled(rows: dict[str, Row], scale: Row | None) -> Row:
    return rows["first"] if scale is None else np.ones((2, 2))


def test_every_annotation_of_a_function_without_shapes_is_checked():
    function = checked(half, typechecker=beartype)
    assert function(1.0, times=0) == 1.0
    for numbers, words in [((1,), {}), ((1.0,), {"times": 0.5}), ((1.0,), {})]:
        with pytest.raises(TypeCheckError):
            function(*numbers, **words)


def test_sizes_with_one_name_agree_wherever_an_annotation_holds_them():
    function = checked(typechecker=beartype)(scaled)
    assert function({"first": np.ones(2)}, None).shape == (2,)
    for scale in (np.ones(3), np.ones(2)):  # another size; a wrong return
        with pytest.raises(TypeCheckError):
            function({"first": np.ones(2)}, scale)


def test_a_size_is_forgotten_at_the_end_of_its_call_and_remembered_through_one_within():
    def outer(row: Row, other: Row) -> None:
        with pytest.raises(TypeCheckError):
            function({"first": row}, other[:1])
        function({"first": other[:1]}, None)

    function = checked(scaled, typechecker=beartype)
    checked(outer, typechecker=beartype)(np.ones(3), np.ones(3))
    with pytest.raises(TypeCheckError):
        checked(outer, typechecker=beartype)(np.ones(3), np.ones(2))


def test_what_jaxtyping_has_to_check_itself_has_its_checks():
    def rows(first: Row) -> Iterator[Row]:
        yield first

    def later(first: "Row") -> "Row":
        return first

    for function in (rows, later):
        with pytest.raises(TypeCheckError):
            checked(function, typechecker=beartype)(1.0)


def test_a_shape_or_a_name_is_seen_at_any_depth():
    shapes = (Row, Row | None, dict[str, tuple[Row, ...]])  # pyright: ignore[reportOperatorIssue]
    assert all(mentions(held, is_shape) for held in shapes)
    assert all(mentions(held, is_name) for held in ("Row", list["Row"], Callable[["Row"], int]))
    assert not any(mentions(held, is_shape) for held in (int, str | None, dict[str, tuple[int, ...]], np.ndarray))


def test_functions_of_the_package_are_checked():
    with pytest.raises(TypeCheckError):
        find(1)  # type: ignore[arg-type]
