"""Why dmsd's policies are misjudged, next states or rewards: `python -m runs.trust_rewards DATA RESULTS POLICY...`.

Follows each policy through the simulator, and through a member of the model that the world's policies were trained on
(of the judge's kind), and prints what was collected, what the model would have paid on the way that was truly taken,
what it paid on its own way, and what the simulator would have paid for the states of that. Then what the model pays in
rows far from their targets, for the action that was done and for none at rest.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from micro_rl import Dataset, Policy
from micro_rl.dynamics.ensemble import predict
from micro_rl.dynamics.saved_model import FittedModel, load_model
from runs.trust_windows import window_rows
from runs.trust_worlds import World, worlds

STEPS, WINDOWS = 100, 100
FAR, IDLE, SLOW = 0.5, 0.15, 0.1
"""Mean distance from the targets, mean size of an action, mean speed."""

Rows = Float[np.ndarray, "row column"]


class Sums(NamedTuple):
    """Mean returns of a window."""

    true: float
    paid_on_true_way: float
    paid_on_own_way: float
    true_on_own_way: float


def reward(after: Rows) -> Float[np.ndarray, " row"]:
    """The simulator's, of positions (columns 0, 1) and targets (4, 5)."""
    return -np.log(np.abs(after[:, :2] - after[:, 4:]) + 0.01).sum(1)


class Paying:
    """What one member for each row says of its next state and reward, raw units."""

    def __init__(self, model: FittedModel):
        """Its units as arrays."""
        self._ensemble, self._predict = model.ensemble, jax.jit(predict)
        self._units = [np.asarray(part, np.float64) for part in model.scaling]

    def __call__(self, observation: Rows, action: Rows) -> tuple[Rows, Float[np.ndarray, " row"]]:
        """Members take turns over the rows."""
        mean, std, mid, half, unit = self._units[:5]
        inputs = (jnp.asarray(part, jnp.float32) for part in ((observation - mean) / std, (action - mid) / half))
        outcome = np.asarray(self._predict(self._ensemble, *inputs)[0], np.float64)
        own = outcome[np.arange(len(observation)) % len(outcome), np.arange(len(observation))]
        return own[:, :-1] * std + mean, own[:, -1] * unit


def follow(world: World, policy: Policy, paying: Paying) -> Sums:
    """Through the simulator and through the model from the same rows, with the log's targets."""
    dataset = world.dataset
    rows = window_rows(dataset, STEPS, WINDOWS)
    true = world.simulator.begin(dataset, rows, None).astype(np.float64)
    own, sums, everyone = true.copy(), np.zeros(4), np.ones(len(rows), bool)
    for _ in range(STEPS):
        action, own_action = (policy(state.astype(np.float32)).astype(np.float64) for state in (true, own))
        (_, on_true), (own, on_own) = paying(true, action), paying(own, own_action)
        after, collected, _ = world.simulator.step(action, everyone)
        true = after.astype(np.float64)
        own[:, 4:] = true[:, 4:]
        sums += [part.mean() for part in (collected, on_true, on_own, reward(own))]
    return Sums(*sums)


def far_rows(dataset: Dataset, paying: Paying) -> str:
    """How many there are, how many of them idle, and what is paid there."""
    after, before, action = (
        part.astype(np.float64) for part in (dataset.next_observations, dataset.observations, dataset.actions)
    )
    far = np.abs(after[:, :2] - after[:, 4:]).mean(1) > FAR
    slow, weak = np.abs(before[:, 2:4]).mean(1) < SLOW, np.abs(action).mean(1) < IDLE
    resting = before[far] * [1, 1, 0, 0, 1, 1]
    paid, paid_idle = paying(before[far], action[far])[1].mean(), paying(resting, 0 * action[far])[1].mean()
    return (
        f"{far.sum():,} rows end more than {FAR} from their targets, {(far & slow & weak).sum()} of them idle; they "
        f"were paid {dataset.rewards[far].mean():.2f}, the model pays {paid:.2f} for what was done and "
        f"{paid_idle:.2f} at rest without an action"
    )


def main(data: Path, results: Path, names: list[str]) -> None:
    """Print a line a policy, then the rows."""
    world = worlds(data, results)["dmsd"]
    paying = Paying(load_model(results / "models" / "dmsd"))
    for name in names:
        sums = follow(world, Policy.load(results / "policies" / "dmsd" / f"{name}.safetensors"), paying)
        print(name, *(f"{key} {value:.0f}" for key, value in sums._asdict().items()))
    print(far_rows(world.dataset, paying))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
