"""Windows of one length: which rows of a log they begin in, what the log earned there, and what a policy earns."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from micro_rl import Dataset, Policy
from runs.trust_simulators import Columns, Rows, Simulator

STARTS = 300
"""Windows of a length."""
LONG, STARTS_OF_LONG = 200, 60
"""Of windows with more steps than the first number there are fewer."""

Acts = Callable[[int, Columns], Columns]
"""The number of the window's step and the observations [row, obs], to the actions [row, act]."""


def window_rows(dataset: Dataset, horizon: int, count: int | None = None) -> Rows:
    """Lists rows in which a window can begin, spread evenly over all of these.

    Args:
        dataset: the log.
        horizon: steps of a window.
        count: how many rows at the most; by default `STARTS`, or `STARTS_OF_LONG`.

    Returns:
        Rows after which the log goes on for `horizon` steps, or to a terminal before that, in order.
    """
    stops = np.repeat(dataset.stops, dataset.lengths)
    whole = stops - np.arange(len(dataset)) >= horizon
    rows = np.flatnonzero(whole | dataset.terminals[stops - 1])
    count = count or (STARTS if horizon <= LONG else STARTS_OF_LONG)
    chosen = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return rows[chosen]


def behaviour_returns(dataset: Dataset, rows: Rows, horizon: int) -> Float[np.ndarray, " row"]:
    """Sums the log's own rewards over windows; after a terminal there are none.

    Args:
        dataset: the log.
        rows: in which the windows begin, some of `window_rows`.
        horizon: steps of a window.

    Returns:
        The undiscounted return of each window.
    """
    sums = np.concatenate([[0.0], np.cumsum(dataset.rewards, dtype=np.float64)])
    stops = np.repeat(dataset.stops, dataset.lengths)[rows]
    return sums[np.minimum(rows + horizon, stops)] - sums[rows]


def policy_returns(
    simulator: Simulator, policy: Policy, dataset: Dataset, rows: Rows, horizon: int, seed: int | None = None
) -> Float[np.ndarray, " row"]:
    """Runs a policy's mode from rows of the log; it remembers nothing of what came before them.

    Args:
        simulator: which takes on the rows' states.
        policy: whose mode acts.
        dataset: the log.
        rows: in which the windows begin.
        horizon: steps of a window.
        seed: of what disturbs the system; None: as it was disturbed in the log (see `Simulator.begin`).

    Returns:
        The undiscounted return of each window.
    """
    policy.reset()
    return _returns(simulator, lambda _, observation: policy(observation), dataset, rows, horizon, seed)


def replayed_returns(simulator: Simulator, dataset: Dataset, rows: Rows, horizon: int) -> Float[np.ndarray, " row"]:
    """Runs the log's own actions from rows of the log: what `behaviour_returns` ought to say.

    Args:
        simulator: which takes on the rows' states.
        dataset: the log.
        rows: in which the windows begin.
        horizon: steps of a window.

    Returns:
        The undiscounted return of each window.
    """
    last = len(dataset) - 1

    def act(step: int, observation: Columns) -> Columns:
        return dataset.actions[np.minimum(rows + step, last)]

    return _returns(simulator, act, dataset, rows, horizon, None)


def _returns(
    simulator: Simulator, act: Acts, dataset: Dataset, rows: Rows, horizon: int, seed: int | None
) -> Float[np.ndarray, " row"]:
    observation = simulator.begin(dataset, rows, seed)
    live, total = np.ones(len(rows), bool), np.zeros(len(rows))
    for step in range(horizon):
        observation, reward, over = simulator.step(act(step, observation), live)
        total += np.where(live, reward, 0.0)
        live = live & ~over
        if not live.any():
            break
    return total


def differences(returns: Float[np.ndarray, " row"], behaviour: Float[np.ndarray, " row"]) -> dict[str, float]:
    """The means of policy and behaviour, of their difference, and the standard errors over the rows.

    The worst tenth is the mean over the tenth of the windows with the least return, of each on its own.
    """
    gap = returns - behaviour

    def error(values: Float[np.ndarray, " row"]) -> float:
        return float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else float("nan")

    def worst(values: Float[np.ndarray, " row"]) -> float:
        return float(np.sort(values)[: max(1, len(values) // 10)].mean())

    return {
        "rows": len(returns),
        "policy": float(returns.mean()),
        "policy_se": error(returns),
        "behaviour": float(behaviour.mean()),
        "behaviour_se": error(behaviour),
        "difference": float(gap.mean()),
        "difference_se": error(gap),
        "policy_worst_tenth": worst(returns),
        "behaviour_worst_tenth": worst(behaviour),
    }
