"""Where a judgement looks: the windows that all policies begin with, those of a part, and what made the log there."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from micro_rl.data.stretches import Stretches
from micro_rl.trust.actors import Behaviour, Parted
from micro_rl.trust.case import Case, evenly
from micro_rl.trust.rollouts import Starts
from micro_rl.trust.starts import starts_at


def common_starts(case: Case) -> Starts:
    """Where every policy's windows begin: evenly through the log's own windows."""
    return starts_of(case, common_windows(case))


def common_windows(case: Case) -> Stretches:
    """The windows that begin there."""
    return case.layout.windows.sample(_common(case))


def windows_in(case: Case, fold: int) -> Stretches:
    """Windows of a fold, evenly; some stand there twice where it has fewer than are asked for."""
    own = case.layout.windows.of(case.layout.fold == fold)
    return own.sample(np.linspace(0, len(own.starts) - 1, case.effort.fold_starts).round().astype(int))


def starts_of(case: Case, windows: Stretches) -> Starts:
    """Where these windows begin, in the judge's units."""
    return starts_at(case.layout.dataset, windows, case.judge.scaling)


def behaviour(case: Case) -> Behaviour:
    """What made the log: in its rows, and from the common starts."""
    clones = jax.tree.map(lambda leaf: leaf[1:], case.clones)
    parts = case.layout.rows.fold, case.layout.fold[_common(case)]
    return Behaviour(*(Parted(clones, jnp.asarray(part)) for part in parts))


def _common(case: Case) -> Int[np.ndarray, " start"]:
    return evenly(len(case.layout.windows.starts), case.effort.starts)
