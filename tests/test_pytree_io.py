"""Trees come back as they were, or the first difference is named."""

from typing import Any, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from micro_rl.errors import UserError
from micro_rl.storage import arrays
from micro_rl.storage.pytree_io import from_arrays, to_arrays


class Layer(eqx.Module):
    weight: jax.Array
    bias: jax.Array | None


class State(NamedTuple):
    actor: tuple[Layer, ...]
    optimiser: optax.OptState
    extra: dict[str, jax.Array]
    mean: np.ndarray


@pytest.fixture
def state() -> State:
    layers = (Layer(jnp.ones((2, 3)), jnp.zeros(3)), Layer(jnp.full((3, 1), 0.5), None))
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(3e-4))
    return State(
        layers,
        optimiser.init(cast(Any, layers)),
        {"key": jax.random.key_data(jax.random.key(3))},
        np.zeros(2, np.float32),
    )


def test_names_say_where_an_array_lives(state):
    names = list(to_arrays(state))
    assert names[:3] == ["actor.0.weight", "actor.0.bias", "actor.1.weight"]
    assert "extra.key" in names and "mean" in names
    assert any(name.startswith("optimiser.1.0.mu.") for name in names)


def test_round_trip_through_the_disk(tmp_path, state):
    arrays.write_arrays(tmp_path / "s", "state", to_arrays(state))
    saved, _ = arrays.read_arrays(tmp_path / "s", "state")
    for like in (state, jax.eval_shape(lambda tree: tree, state)):
        back = from_arrays(like, saved)
        assert jax.tree.structure(back) == jax.tree.structure(state)
        for leaf, wanted in zip(jax.tree.leaves(back), jax.tree.leaves(state), strict=True):
            assert leaf.dtype == wanted.dtype
            np.testing.assert_array_equal(leaf, wanted)
    assert isinstance(from_arrays(state, saved).mean, np.ndarray)


def test_what_comes_back_does_not_share_memory_with_what_was_read():
    arrays = {"x": np.zeros(1000, np.float32)}
    back = from_arrays({"x": jnp.ones(1000)}, arrays)
    arrays["x"][:] = 5
    assert float(back["x"].sum()) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("actor.0.bias"), "actor.0.bias is missing"),
        (lambda arrays: arrays.update(more=np.zeros(1)), "more is not expected"),
        (
            lambda arrays: arrays.update({"actor.0.bias": np.zeros(4, np.float32)}),
            r"float32\[4\], not float32\[3\]",
        ),
        (lambda arrays: arrays.update({"actor.0.bias": np.zeros(3)}), r"float64\[3\], not float32\[3\]"),
    ],
)
def test_the_first_difference_is_named(state, change, message):
    arrays = to_arrays(state)
    change(arrays)
    with pytest.raises(UserError, match=f"run/x: .*{message}"):
        from_arrays(state, arrays, source="run/x")


@pytest.mark.parametrize("leaf", [1.0, "text", jax.nn.relu, jax.random.key(0)])
def test_only_arrays_of_numbers_can_be_saved(leaf):
    with pytest.raises(TypeError, match="b is a"):
        to_arrays({"a": jnp.ones(1), "b": leaf})


def test_two_leaves_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"a\.b"):
        to_arrays({"a": {"b": jnp.ones(1)}, "a.b": jnp.ones(1)})


def test_what_is_called_otherwise_today_is_found_under_its_old_name():
    like, old = {"method_state": {"reward": jnp.zeros(2)}}, {"extra.reward": np.ones(2, np.float32)}
    assert from_arrays(like, old)["method_state"]["reward"].tolist() == [1.0, 1.0]
    assert from_arrays({"extra": jnp.zeros(1)}, {"extra": np.ones(1, np.float32)})["extra"].tolist() == [1.0]
