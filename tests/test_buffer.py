"""The buffer of rollouts: only written, valid rows are drawn, each as often as any other."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from micro_rl.algorithms import buffer as buffers
from micro_rl.core.types import Rollout, Transition

SLOTS, CAPACITY = 3, 6
write, draw = jax.jit(buffers.write), jax.jit(buffers.draw, static_argnames="size")

masks = st.lists(st.booleans(), min_size=CAPACITY, max_size=CAPACITY).filter(any)


def numbered(first: int, valid: list[bool]) -> Rollout:
    """A rollout whose rows carry their number in every column."""
    number = jnp.arange(first, first + CAPACITY, dtype=jnp.float32)
    column = number[:, None]
    return Rollout(Transition(column, -column, number, column + 0.5, number), jnp.asarray(valid))


def filled(rollouts: list[list[bool]]) -> tuple[buffers.Buffer, set[int]]:
    """The buffer after these rollouts, and the rows that may be drawn from it."""
    buffer = buffers.empty(SLOTS, CAPACITY, 1, 1)
    newest = []
    for i, valid in enumerate(rollouts):
        buffer = write(buffer, numbered(100 * (i + 1), valid))
        newest.append({100 * (i + 1) + row for row in range(CAPACITY) if valid[row]})
    return buffer, set().union(*newest[-SLOTS:])


@given(st.lists(masks, min_size=1, max_size=8), st.integers(0, 2**31 - 1))
def test_only_valid_rows_of_the_latest_rollouts_are_drawn(rollouts: list[list[bool]], seed: int):
    buffer, newest = filled(rollouts)
    drawn, _ = draw(buffer, jax.random.key(seed), size=64)
    assert set(np.asarray(drawn.reward, int).tolist()) <= newest
    assert int(buffer.filled.sum()) == len(newest)


@given(st.lists(masks, min_size=1, max_size=5))
def test_a_row_stays_together(rollouts: list[list[bool]]):
    drawn, _ = draw(filled(rollouts)[0], jax.random.key(0), size=64)
    np.testing.assert_array_equal(drawn.observation[:, 0], drawn.reward)
    np.testing.assert_array_equal(drawn.action[:, 0], -drawn.reward)
    np.testing.assert_array_equal(drawn.next_observation[:, 0], drawn.reward + 0.5)
    np.testing.assert_array_equal(drawn.discount, drawn.reward)


def test_the_oldest_rollout_makes_room():
    everything = [True] * CAPACITY
    _, newest = filled([everything] * 4)
    buffer, _ = filled([everything] * 4)
    numbers = {int(number) for number in np.asarray(buffer.rows.reward).ravel()}
    assert numbers == newest == {100 * i + row for i in (2, 3, 4) for row in range(CAPACITY)}


def test_a_shorter_rollout_leaves_nothing_of_the_longer_one_before_it():
    short = [True] + [False] * (CAPACITY - 1)
    buffer, newest = filled([[True] * CAPACITY, short, short, short])
    drawn, _ = draw(buffer, jax.random.key(0), size=64)
    assert newest == {200, 300, 400} == set(np.asarray(drawn.reward, int).tolist())


def test_every_row_is_equally_likely():
    buffer, newest = filled([[True] * CAPACITY, [True] + [False] * 5, [False, True, False, True, False, True]])
    drawn = np.asarray(draw(buffer, jax.random.key(1), size=20_000)[0].reward, int)
    rows, counts = np.unique(drawn, return_counts=True)
    assert set(rows) == newest
    assert stats.chisquare(counts).pvalue > 1e-3


def test_every_row_of_the_log_is_equally_likely():
    log = numbered(0, [True] * CAPACITY).rows
    drawn = jax.jit(buffers.draw_log, static_argnames="size")(log, jax.random.key(2), size=20_000)
    rows, counts = np.unique(np.asarray(drawn.reward, int), return_counts=True)
    assert rows.tolist() == list(range(CAPACITY))
    assert stats.chisquare(counts).pvalue > 1e-3


def test_mean_reward_is_over_valid_rows():
    # Rows 0 to 5, of which 1, 2 and 5 count: 8 / 3.
    rollout = numbered(0, [False, True, True, False, False, True])
    np.testing.assert_allclose(buffers.mean_reward(rollout), 8 / 3, rtol=1e-6)


@given(st.sampled_from([1, 2, 7, 20]).flatmap(lambda size: st.lists(st.booleans(), min_size=size, max_size=size)))
def test_valid_rows_come_first_and_the_order_is_kept(valid: list[bool]):
    order = jax.jit(buffers.valid_first)(jnp.asarray(valid))
    np.testing.assert_array_equal(order, np.argsort(~np.asarray(valid), kind="stable"))
