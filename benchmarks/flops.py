"""Floating-point operations counted from sizes: the matrix products alone, two operations per multiply-add.

A dense layer costs as much forwards as for the gradient of its weights, and as much again for the gradient of its
inputs. Activations, random numbers, sums and the optimiser are left out: they add under 3 % to the compiler's own
count at the published sizes (tests/test_benchmarks.py) though more to the time.
"""

from itertools import pairwise
from typing import NamedTuple

from micro_rl.core.sizes import FitSizes, Sizes

Widths = tuple[int, ...]


class Networks(NamedTuple):
    """Layer widths, input first, of one actor, one critic and one dynamics member."""

    actor: Widths
    critic: Widths
    member: Widths


def networks(obs: int, act: int, hidden: Widths, model_hidden_sizes: Widths) -> Networks:
    """The networks of a system with so many observations and actions."""
    return Networks(
        actor=(obs, *hidden, 2 * act),
        critic=(obs + act, *hidden, 1),
        member=(obs + act, *model_hidden_sizes, 2 * (obs + 1)),
    )


def forward(rows: int, widths: Widths) -> int:
    """One network on `rows` rows; its weights' gradient costs the same."""
    return 2 * rows * sum(fan_in * out for fan_in, out in pairwise(widths))


def through(rows: int, widths: Widths) -> int:
    """Gradients handed back from layer to layer, as far as the first one's output."""
    return forward(rows, widths[1:])


def learn(rows: int, widths: Widths) -> int:
    """A network forwards and the gradient of its weights."""
    return 2 * forward(rows, widths) + through(rows, widths)


def candidates(sizes: Sizes, nets: Networks, draws: int, values: str = "draws") -> int:
    """Values of every elite's next states, MICRO's and MOBILE's: `num_samples` 0 still draws one action.

    Without draws: means, variances and slopes of every network, for each elite (`moments`) or once (`linear`).
    """
    rows = sizes.batch_size - sizes.real_rows
    once = forward(rows, nets.actor) + sizes.num_critics * forward(rows, nets.critic)
    passes = {"draws": max(draws, 1) * sizes.num_elites, "moments": 3 * sizes.num_elites, "linear": 3}[values]
    return sizes.num_elites * forward(rows, nets.member) + passes * once


def update(sizes: Sizes, nets: Networks, draws: int | None, values: str = "draws") -> int:
    """One update of SAC (`num_samples` None), MICRO or MOBILE: target, critics, then the actor."""
    rows = sizes.batch_size
    critics = sizes.num_critics * forward(rows, nets.critic)
    target = forward(rows, nets.actor) + critics
    critic_step = sizes.num_critics * learn(rows, nets.critic)
    actor_step = learn(rows, nets.actor) + 2 * critics
    return target + critic_step + actor_step + (0 if draws is None else candidates(sizes, nets, draws, values))


def rollout(sizes: Sizes, nets: Networks) -> int:
    """Every step: the actor on all rows, each elite on its equal share, rounded up."""
    share = -(-sizes.rollout_batch_size // sizes.num_elites)
    step = forward(sizes.rollout_batch_size, nets.actor) + sizes.num_elites * forward(share, nets.member)
    return sizes.rollout_length * step


def epoch(sizes: Sizes, nets: Networks, draws: int | None, values: str = "draws") -> int:
    """A training epoch: its rollouts and its updates."""
    return sizes.updates_per_epoch // sizes.rollout_every * rollout(sizes, nets) + sizes.updates_per_epoch * update(
        sizes, nets, draws, values
    )


def fit_rows(sizes: FitSizes, rows: int) -> tuple[int, int]:
    """Rows each member learns from in one fitting epoch, last batch filled up, and rows held out."""
    holdout = min(int(rows * sizes.holdout_fraction), sizes.holdout_rows)
    batch = min(sizes.batch_size, rows - holdout)
    return -(-(rows - holdout) // batch) * batch, holdout


def fit_epoch(sizes: FitSizes, nets: Networks, rows: int) -> int:
    """A fitting epoch on a log of `rows`: every member learns its batches and is tried on the holdout rows."""
    learned, holdout = fit_rows(sizes, rows)
    return sizes.ensemble_size * (learn(learned, nets.member) + forward(holdout, nets.member))
